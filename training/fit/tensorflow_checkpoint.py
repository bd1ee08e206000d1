"""Reads the float32 tensors of a TensorFlow checkpoint without TensorFlow.

The index is a sorted table of LevelDB (https://github.com/google/leveldb/blob/main/doc/table_format.md)
without compression, whose values are messages ``BundleEntryProto`` of ``tensor_bundle.proto``. The
other file has the numbers.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

Tensors: TypeAlias = dict[str, torch.Tensor]

FOOTER_BYTES = 48
FLOAT32 = 1  # of tensorflow.DataType
DTYPE, SHAPE, OFFSET, SIZE = 1, 2, 4, 5  # fields of BundleEntryProto
DIMENSIONS, LENGTH = 2, 1  # fields of TensorShapeProto and of its dimensions
FIXED_BYTES = {1: 8, 5: 4}  # by wire type of Protocol Buffers
VARINT, LENGTH_DELIMITED = 0, 2


def read_checkpoint(index: Path, data: Path) -> Tensors:
    """Return the float32 tensors of a checkpoint by name.

    Raises
    ------
    ValueError
        If the index is compressed.
    """
    table, numbers = index.read_bytes(), data.read_bytes()
    _, place = _varint(table, len(table) - FOOTER_BYTES)
    _, place = _varint(table, place)
    tensors = {}
    for _, handle in _entries(table, *_handle(table, place)):
        for key, value in _entries(table, *_handle(handle, 0)):
            entry = _message(value)
            if not key or entry.get(DTYPE, [0])[0] != FLOAT32:
                continue
            start = entry.get(OFFSET, [0])[0]
            found = np.frombuffer(numbers[start : start + entry[SIZE][0]], "<f4")
            dimensions = _message(entry.get(SHAPE, [b""])[0]).get(DIMENSIONS, [])
            shape = [_message(each).get(LENGTH, [0])[0] for each in dimensions]
            tensors[key.decode()] = torch.from_numpy(found.reshape(shape).copy())
    return tensors


def _handle(content: bytes, place: int) -> tuple[int, int]:
    """Return the offset and the size of a block."""
    offset, place = _varint(content, place)
    size, _ = _varint(content, place)
    return offset, size


def _entries(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block. Each key shares a prefix with the one before it."""
    if table[offset + size]:
        raise ValueError("The index of the checkpoint is compressed.")
    block = table[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    place, key = 0, b""
    while place < len(block) - 4 - 4 * restarts:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _message(content: bytes) -> dict[int, list[Any]]:
    """Return the fields of a message of Protocol Buffers, numbers or bytes, by their number."""
    fields: dict[int, list[Any]] = {}
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        number, wire_type = tag >> 3, tag & 7
        value: int | bytes
        if wire_type == VARINT:
            value, place = _varint(content, place)
        else:
            length = FIXED_BYTES.get(wire_type)
            if wire_type == LENGTH_DELIMITED:
                length, place = _varint(content, place)
            assert length is not None  # noqa: S101 - the format has no other wire types
            value = content[place : place + length]
            place += length
        fields.setdefault(number, []).append(value)
    return fields


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and the place after it."""
    number = shift = 0
    while True:
        byte = content[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
