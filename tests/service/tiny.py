"""A tiny model with every output: each is a projection of the mean level of each mel band."""

import json
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from service import audio
from service.card import TAUGHT, EmbeddingSpace
from service.model import CARD_KEY, INPUT, Model, outputs_of
from service.settings import MODELS

SPACE = EmbeddingSpace(space="tiny-5", dimensions=128)
OPSET, FORMAT = 18, 9


def _graph(card, n_frames):
    """Levels, their projection to each output, and its activation."""
    rng = np.random.default_rng(0)
    weights = {"last": np.array([2]), "column": np.array([1])}
    nodes = [
        helper.make_node("ReduceMean", [INPUT, "last"], ["kept"]),
        helper.make_node("Squeeze", ["kept", "last"], ["x"]),
    ]
    activations = {"genre_probabilities": "Softmax", "embedding": "Identity"}
    outputs = outputs_of(card)
    for name, shape in outputs.items():
        weight = rng.normal(0, 1e-3, (audio.N_MELS, *(shape or [1])))
        weights[f"{name}.weight"] = weight.astype(np.float32)
        of_window = name if shape else f"{name}.active"
        nodes += [
            helper.make_node("MatMul", ["x", f"{name}.weight"], [f"{name}.product"]),
            helper.make_node(activations.get(name, "Sigmoid"), [f"{name}.product"], [of_window]),
        ]
        if not shape:
            nodes.append(helper.make_node("Squeeze", [of_window, "column"], [name]))
    return helper.make_graph(
        nodes,
        "tiny",
        [_value(INPUT, [audio.N_MELS, n_frames])],
        [_value(name, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )


def _value(name, shape):
    """A value for any number of windows."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["windows", *shape])


def _save(path, card, content, n_frames):
    opset = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(_graph(card, n_frames), opset_imports=opset, ir_version=FORMAT)
    helper.set_model_props(proto, {CARD_KEY: json.dumps(content)})
    onnx.save(proto, path)


@cache
def _shipped_card():
    return Model(MODELS / "fifteen.onnx").card


@cache
def _reference():
    return audio.log_mel(audio.reference_windows())


def write(folder, *, card_only=None, n_frames=audio.N_FRAMES, **changes):
    """Write the model with its reference answer, and return its path.

    Its card is the shipped one with changes.

    Parameters
    ----------
    folder : Path
    card_only : dict or None
        Changes of the card that the outputs do not follow, as JSON. Such a file keeps the
        reference answer of the shipped card.
    n_frames : int or str
        Of a window; a name if any number may be.
    changes
        Members of the card, such as ``embedding=None``. The outputs follow.
    """
    path = folder / "tiny.onnx"
    extended = {"name": "tiny", "features": list(TAUGHT), "embedding": SPACE} | changes
    card = _shipped_card().model_copy(update=extended)
    content = card.model_dump(mode="json")
    _save(path, card, content | (card_only or {}), n_frames)
    if card_only:
        return path
    answer = Model(path).score(_reference()).flat()
    _save(path, card, content | {"reference_answer": answer.tolist()}, n_frames)
    return path
