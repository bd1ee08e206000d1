import struct

import numpy as np
import pytest

from training.fit.tensorflow_checkpoint import read_checkpoint

FLOAT32, INT64 = 1, 9


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number, value):
    """A field of a message of Protocol Buffers."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(dtype, shape, offset, size):
    dimensions = b"".join(field(2, field(1, length)) for length in shape)
    checksum = varint(6 << 3 | 5) + struct.pack("<I", 0xDEADBEEF)
    return field(1, dtype) + field(2, dimensions) + field(4, offset) + field(5, size) + checksum


def block(entries):
    """A block whose keys share as much with the one before as they can."""
    out, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        own = key[shared:]
        out += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        before = key
    return out + struct.pack("<II", 0, 1)


def write(folder, arrays, compression=0):
    """Write a checkpoint with one block of data."""
    numbers, entries = b"", [(b"", field(1, 1))]
    for name, array in sorted(arrays.items()):
        dtype = FLOAT32 if array.dtype == np.float32 else INT64
        content = array.tobytes()
        entries.append((name.encode(), entry(dtype, array.shape, len(numbers), len(content))))
        numbers += content
    trailer = bytes([compression]) + bytes(4)
    values = block(entries)
    places = block([(b"~", varint(0) + varint(len(values)))])
    table = values + trailer + places + trailer
    footer = varint(0) + varint(0) + varint(len(values + trailer)) + varint(len(places))
    (folder / "index").write_bytes(table + footer.ljust(40, b"\0") + bytes(8))
    (folder / "data").write_bytes(numbers)
    return folder / "index", folder / "data"


def test_tensors_are_read_by_name(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "dense/bias": rng.normal(size=5).astype(np.float32),
        "dense/kernel": rng.normal(size=(300, 5)).astype(np.float32),
        "dense_1/kernel": rng.normal(size=(2, 3, 4)).astype(np.float32),
        "scalar": np.array(0.5, np.float32),
    }
    tensors = read_checkpoint(*write(tmp_path, arrays))
    assert set(tensors) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors[name], array)


def test_tensors_of_another_type_are_left_out(tmp_path):
    arrays = {"step": np.array([7]), "weight": np.ones(2, np.float32)}
    assert set(read_checkpoint(*write(tmp_path, arrays))) == {"weight"}


def test_a_compressed_index_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="compressed"):
        read_checkpoint(*write(tmp_path, {"weight": np.ones(2, np.float32)}, compression=1))
