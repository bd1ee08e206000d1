"""Writes a trained model as an ONNX file with its card, as `service.model` reads it."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

from service import audio
from service.card import Card
from service.model import CARD_KEY, EMBEDDING, FEATURES, INPUT, OUTPUTS, Model, write_digest
from training.data import splits
from training.data.dataset import Dataset
from training.evaluation.evaluate import read_evaluation
from training.files import write_atomically
from training.fit.run import load, run_folder, trained_seeds
from training.models.ensemble import Ensemble
from training.models.student import MIN_FRAMES
from training.release.card import build_card, read_card_text
from training.types import Floats

OPSET = 18
MAX_DIFFERENCE = 1e-4  # between the outputs of PyTorch and of ONNX Runtime
CHECKED_WINDOWS = 64
MIN_HALVED = 1_024  # numbers of a weight, for a node more to be worth it


class ExportMismatchError(RuntimeError):
    """The outputs of ONNX Runtime and of PyTorch differ."""


def export(dataset: Dataset, runs: Path, recipe: Path, folder: Path) -> Path:
    """Export the model of the fixed split and the first seed.

    Parameters
    ----------
    dataset : Dataset
        The dataset of the runs.
    runs : Path
        Evaluated by `training.evaluation.evaluate`.
    recipe : Path
        Its table ``card`` is the text of the card.
    folder : Path
        Gets ``{name}.onnx`` and its digest.

    Returns
    -------
    path : Path
        The model. `service.model` has loaded and verified it.

    Raises
    ------
    ExportMismatchError
        If ONNX Runtime and PyTorch differ by more than `MAX_DIFFERENCE`; nothing is written.
    RunMismatchError
        If the runs are not those that were evaluated.
    ConfigError
        If the recipe cannot be used.
    """
    text = read_card_text(recipe)
    evaluation = read_evaluation(runs)
    fixed = splits.fixed_split(dataset)
    model = load(dataset, run_folder(runs, fixed, trained_seeds(runs, fixed)[0]))
    network = model[0]
    answer = predict(network, audio.log_mel(audio.reference_windows()))
    flat = np.concatenate([output.ravel() for output in answer])
    card = build_card(dataset, model, evaluation, text, flat)
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / f"{card.name}.onnx"
        onnx.save(with_card(to_onnx(network), card), exported)
        check(network, exported, dataset.spectrograms(dataset.rows("raw")[:CHECKED_WINDOWS]))
        Model(exported).verify()
        path = folder / exported.name
        write_atomically(path, exported.read_bytes())
        write_digest(path)
    return path


@torch.no_grad()
def predict(network: Ensemble, spectrograms: audio.Spectrograms) -> list[Floats]:
    """Return the outputs of a network for a batch of windows, in the order of `output_names`."""
    return [output.double().numpy() for output in network(torch.from_numpy(spectrograms))]


def output_names(network: Ensemble) -> list[str]:
    """Return the names of a network's outputs, in order."""
    more = {FEATURES: network.audio_features, EMBEDDING: network.embedding}
    return [*OUTPUTS, *(name for name, part in more.items() if part)]


def to_onnx(network: Ensemble) -> onnx.ModelProto:
    """Convert a network in evaluation mode, for batches of any size and windows of any length.

    `audio.N_SHORT_SAMPLES` is the length of the shortest that the service scores; the network
    itself needs `MIN_FRAMES`.
    """
    frames = torch.export.Dim("frames", min=MIN_FRAMES)
    program = torch.onnx.export(
        network,
        (torch.zeros(2, audio.N_MELS, audio.N_FRAMES),),
        input_names=[INPUT],
        output_names=output_names(network),
        dynamic_shapes=({0: torch.export.Dim("windows"), 2: frames},),
        opset_version=OPSET,
        dynamo=True,
        optimize=False,  # it would merge normalisations into weights; ONNX Runtime does so itself
        verbose=False,
    )
    assert program is not None  # noqa: S101 - None only if the call writes the file itself
    return in_half_precision(_without_traces(program.model_proto))


def _without_traces(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the exporter's stack traces, which contain file names of this machine."""
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.functions):
        del part.metadata_props[:]
        part.doc_string = ""
    return proto


def in_half_precision(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights in half precision that it represents exactly.

    Those of the student are rounded to it (`fit.student_file`). The file gets smaller, and the
    output stays the same: ONNX Runtime converts the weights once, when it loads the file.
    """
    casts = []
    for weight in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        halves = values.astype(np.float16)
        if values.dtype != np.float32 or values.size < MIN_HALVED or (halves != values).any():
            continue
        name = weight.name
        stored = onnx.numpy_helper.from_array(halves, f"{name}.half")
        casts.append(
            onnx.helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT)
        )
        weight.CopyFrom(stored)
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return proto


def with_card(proto: onnx.ModelProto, card: Card) -> onnx.ModelProto:
    """Write a card into a model's metadata."""
    onnx.helper.set_model_props(proto, {CARD_KEY: card.model_dump_json()})
    return proto


def check(network: Ensemble, exported: Path, spectrograms: audio.Spectrograms) -> None:
    """Compare the outputs of a file with those of the network that it was exported from.

    Parameters
    ----------
    network : Ensemble
        In evaluation mode.
    exported : Path
    spectrograms : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
        The first of their frames are compared as short windows, too.

    Raises
    ------
    ExportMismatchError
        If an output differs by more than `MAX_DIFFERENCE`.
    """
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for n_frames in (spectrograms.shape[-1], audio.N_SHORT_FRAMES):
        windows = np.ascontiguousarray(spectrograms[..., :n_frames])
        theirs = session.run(output_names(network), {INPUT: windows})
        pairs = zip(predict(network, windows), theirs, strict=True)
        difference = max(float(np.abs(a - b).max(initial=0)) for a, b in pairs)
        if not difference <= MAX_DIFFERENCE:  # a NaN is a mismatch too
            raise ExportMismatchError(
                f"ONNX Runtime and PyTorch differ by {difference:.2g}; {MAX_DIFFERENCE:g} is "
                "allowed."
            )
