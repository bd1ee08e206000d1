"""A tiny model with every output, written without the package onnx, which .venv does not have.

Each output is a projection of the mean level of each mel band.
"""

import json

import numpy as np

from service import audio
from service.card import TAUGHT, EmbeddingSpace
from service.model import CARD_KEY, INPUT, Model, outputs_of
from service.settings import MODELS

SPACE = EmbeddingSpace(space="tiny-5", dimensions=128)
FLOAT, INT64 = 1, 7  # types of ONNX's tensors
OPSET, FORMAT = 18, 9


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(*parts):
    """A message of protocol buffers, from pairs of a field's number and its value."""
    out = b""
    for number, value in parts:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return out


def _tensor(name, values):
    """TensorProto."""
    kind = {"f": FLOAT, "i": INT64}[values.dtype.kind]
    dims = [(1, size) for size in values.shape]
    return message(*dims, (2, kind), (8, name), (9, values.tobytes()))


def _node(kind, inputs, output):
    """NodeProto."""
    return message(*((1, name) for name in inputs), (2, output), (4, kind))


def _value(name, shape):
    """ValueInfoProto of any number of windows."""
    dims = [message((2, "windows")), *(message((1, size)) for size in shape)]
    tensor = message((1, FLOAT), (2, message(*((1, dim) for dim in dims))))
    return message((1, name), (2, message((1, tensor))))


def _graph(card):
    """GraphProto: levels, their projection to each output, and its activation."""
    rng = np.random.default_rng(0)
    weights = [_tensor("last", np.array([2])), _tensor("column", np.array([1]))]
    nodes = [_node("ReduceMean", [INPUT, "last"], "kept"), _node("Squeeze", ["kept", "last"], "x")]
    outputs = outputs_of(card)
    for name, shape in outputs.items():
        weight = rng.normal(0, 1e-3, (audio.N_MELS, *(shape or [1]))).astype(np.float32)
        weights.append(_tensor(f"{name}.weight", weight))
        activation = {"genre_probabilities": "Softmax", "embedding": "Identity"}.get(
            name, "Sigmoid"
        )
        nodes.append(_node("MatMul", ["x", f"{name}.weight"], f"{name}.product"))
        of_window = name if shape else f"{name}.active"
        nodes.append(_node(activation, [f"{name}.product"], of_window))
        if not shape:
            nodes.append(_node("Squeeze", [of_window, "column"], name))
    return message(
        *((1, node) for node in nodes),
        (2, "tiny"),
        *((5, weight) for weight in weights),
        (11, _value(INPUT, [audio.N_MELS, audio.N_FRAMES])),
        *((12, _value(name, shape)) for name, shape in outputs.items()),
    )


def _save(path, card, content):
    """Write ModelProto."""
    entry = message((1, CARD_KEY), (2, json.dumps(content)))
    opset = message((1, ""), (2, OPSET))
    path.write_bytes(message((1, FORMAT), (7, _graph(card)), (8, opset), (14, entry)))


def write(folder, *, card_only=None, **changes):
    """Write the model, verified, and return its path. Its card is the shipped one with changes.

    Parameters
    ----------
    folder : Path
    card_only : dict or None
        Changes of the card that the outputs do not follow, as JSON. Such a file is not verified.
    changes
        Members of the card, such as ``embedding=None``. The outputs follow.
    """
    path = folder / "tiny.onnx"
    extended = {"name": "tiny", "features": list(TAUGHT), "embedding": SPACE} | changes
    card = Model(MODELS / "fifteen.onnx").card.model_copy(update=extended)
    content = card.model_dump(mode="json")
    _save(path, card, content | (card_only or {}))
    if card_only:
        return path
    answer = Model(path).score(audio.log_mel(audio.reference_windows())).flat()
    _save(path, card, content | {"reference_answer": answer.tolist()})
    Model(path).verify()
    return path
