"""Writes a trained model as an ONNX file with its card, to the contract of `service.model`."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

from service import audio
from service.card import Card
from service.model import CARD_KEY, INPUT, OUTPUTS, Model, write_digest
from training.data import splits
from training.data.dataset import Dataset
from training.evaluation.evaluate import MEASURED_FILE, stamps
from training.fit.run import RunMismatchError, load, run_folder, seeds_of
from training.models.ensemble import Ensemble
from training.release.card import build_card
from training.types import Floats

OPSET = 18
LARGEST_DIFFERENCE = 1e-4  # between PyTorch's answers and ONNX Runtime's
CHECKED_WINDOWS = 64


class ExportMismatchError(RuntimeError):
    """ONNX Runtime and PyTorch do not answer alike."""


def export(dataset: Dataset, runs: Path, config: Path, folder: Path) -> Path:
    """Export the model of the fixed split and the first seed.

    Parameters
    ----------
    prepared : Prepared
        What the runs were trained on.
    runs : Path
        Evaluated, as `training.evaluation.evaluate` leaves it.
    config : Path
        What only a person can say of a model, as `model_card.build_card` reads it.
    folder : Path
        Where ``{name}.onnx`` goes, and its digest.

    Returns
    -------
    path : Path
        The model, which `service.model` has loaded and verified.

    Raises
    ------
    ExportMismatchError
        If ONNX Runtime and PyTorch differ by more than `LARGEST_DIFFERENCE`; nothing is written.
    AnotherRunError
        If the runs are not those that were measured.
    DescriptionError
        If the description lacks something.
    """
    measured = runs / MEASURED_FILE
    if not measured.exists() or measured.read_text() != stamps(runs):
        raise RunMismatchError(f"The runs in {runs} were not measured as they are: evaluate.")
    fixed = splits.fixed(dataset)
    run = run_folder(runs, fixed, seeds_of(runs, fixed)[0])
    model, _, _ = load(dataset, run)
    probabilities = predict(model, audio.log_mel(audio.reference_windows()))
    card = build_card(
        dataset, runs, run, config, np.concatenate([part.ravel() for part in probabilities])
    )
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / f"{card.name}.onnx"
        onnx.save(with_card(to_onnx(model), card), exported)
        check(model, exported, dataset.spectrograms(dataset.rows("heard")[:CHECKED_WINDOWS]))
        Model(exported).verify()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / exported.name
        path.write_bytes(exported.read_bytes())
        write_digest(path)
    return path


@torch.no_grad()
def predict(model: Ensemble, spectrograms: audio.Spectrograms) -> list[Floats]:
    """Return what a network answers to a batch of windows, in the order of `OUTPUTS`."""
    return [part.double().numpy() for part in model(torch.from_numpy(spectrograms))]


def to_onnx(model: Ensemble) -> onnx.ModelProto:
    """Convert a network in evaluation mode, for batches of any size."""
    program = torch.onnx.export(
        model,
        (torch.zeros(2, audio.N_MELS, audio.N_FRAMES),),
        input_names=[INPUT],
        output_names=list(OUTPUTS),
        dynamic_shapes=({0: torch.export.Dim("windows")},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # noqa: S101 - None only where the call writes the file itself
    return _without_traces(program.model_proto)


def _without_traces(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter notes of the machine it ran on: stack traces with file names."""
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.functions):
        del part.metadata_props[:]
        part.doc_string = ""
    return proto


def with_card(proto: onnx.ModelProto, card: Card) -> onnx.ModelProto:
    """Write a card into a model's metadata."""
    onnx.helper.set_model_props(proto, {CARD_KEY: card.model_dump_json()})
    return proto


def check(model: Ensemble, exported: Path, spectrograms: audio.Spectrograms) -> None:
    """Hold a file against the network that it was exported from.

    Parameters
    ----------
    model : FifteenNetwork
        In evaluation mode.
    exported : Path
    spectrograms : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB

    Raises
    ------
    ExportMismatchError
        If an answer differs by more than `LARGEST_DIFFERENCE`.
    """
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    theirs = session.run(list(OUTPUTS), {INPUT: spectrograms})
    ours = predict(model, spectrograms)
    difference = max(float(np.abs(a - b).max(initial=0)) for a, b in zip(ours, theirs, strict=True))
    if not difference <= LARGEST_DIFFERENCE:  # nor if it is not a number
        raise ExportMismatchError(
            f"ONNX Runtime and PyTorch are {difference:.2g} apart; "
            f"{LARGEST_DIFFERENCE:g} is allowed."
        )
