"""A run: one model, trained on one split from one seed.

It is a folder ``{split}/seed-{seed}`` in a folder of runs, and contains

* ``config.json``: everything that the run is reproducible from, beside the dataset;
* ``members/``: the checkpoints of `training.fit.checkpoint`;
* ``history.json``, ``history.png``: the losses of each member by epoch;
* ``calibration.json``: see `training.fit.calibrate`;
* ``validation.json``: figures on validation data, for the choice between configurations;
* ``state.pt``: all heads. It is written last: without it, the run is incomplete.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from service.card import EMOTIONS
from training.data.dataset import Dataset
from training.data.splits import Split
from training.files import sha256, write_atomically
from training.fit.calibrate import Calibration
from training.fit.config import Config
from training.fit.loop import Epoch, best_epoch
from training.fit.student_file import TrainedStudent, load_student
from training.models.base import OutputShape
from training.models.ensemble import Embedding, Ensemble, Knots
from training.models.head import Head

CONFIG_FILE = "config.json"
HISTORY_FILE = "history.json"
CURVES_FILE = "history.png"
CALIBRATION_FILE = "calibration.json"
VALIDATION_FILE = "validation.json"
STATE_FILE = "state.pt"
STUDENT_FILE = "student.pt"  # of all runs of a folder

State = dict[str, torch.Tensor]


class RunMismatchError(RuntimeError):
    """A run belongs to another dataset, or is not the run that was evaluated."""


@dataclass(frozen=True)
class TrainedMembers:
    """The heads of a model, and their training histories by name."""

    heads: list[Head]
    histories: dict[str, list[Epoch]]


def run_folder(runs: Path, split: Split, seed: int) -> Path:
    """Return the folder of a run."""
    return runs / split.name / f"seed-{seed}"


def trained_seeds(runs: Path, split: Split) -> list[int]:
    """Return the seeds of the complete runs of a split, in order."""
    found = (runs / split.name).glob(f"seed-*/{STATE_FILE}")
    return sorted(int(path.parent.name.removeprefix("seed-")) for path in found)


def student_digest(runs: Path) -> str:
    """Return the SHA-256 of the student of a folder of runs."""
    return sha256(runs / STUDENT_FILE)


def check_same_config(runs: Path) -> None:
    """Raise `RunMismatchError` if the runs differ in more than their seed."""
    paths = [path.with_name(CONFIG_FILE) for path in runs.glob(f"*/*/{STATE_FILE}")]
    configs = [json.loads(path.read_text()) | {"seed": None} for path in paths]
    if any(config != configs[0] for config in configs):
        raise RunMismatchError(
            f"The runs in {runs} differ in more than their seed: train all of them again."
        )


def is_complete(dataset: Dataset, run: Path, config: Config) -> bool:
    """Return whether a run exists for this dataset and configuration."""
    if not (run / STATE_FILE).exists():
        return False
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    same = json.loads((run / CONFIG_FILE).read_text()) == config.model_dump()
    return bool(
        same
        and state["dataset"] == dataset.digest
        and state["student"] == student_digest(run.parents[1])
    )


def save(
    dataset: Dataset,
    run: Path,
    config: Config,
    trained: TrainedMembers,
    *,
    calibration: Calibration,
    validation: dict[str, dict[str, float]],
) -> None:
    """Write a run."""
    (run / STATE_FILE).unlink(missing_ok=True)
    write_atomically(run / CONFIG_FILE, config.model_dump_json(indent=1))
    write_atomically(run / CALIBRATION_FILE, calibration.model_dump_json(indent=1))
    write_atomically(run / VALIDATION_FILE, json.dumps(validation, indent=1))
    histories = {name: list(map(asdict, epochs)) for name, epochs in trained.histories.items()}
    write_atomically(run / HISTORY_FILE, json.dumps(histories, indent=1))
    _draw_curves(trained.histories, run / CURVES_FILE)
    state = {
        "dataset": dataset.digest,
        "student": student_digest(run.parents[1]),
        "heads": [head.state_dict() for head in trained.heads],
    }
    write_atomically(run / STATE_FILE, partial(torch.save, state))


def _draw_curves(histories: dict[str, list[Epoch]], path: Path) -> None:
    """Draw the losses of the members."""
    picture = Picture(figsize=(8, 4), layout="constrained")
    axes = picture.subplots()
    for number, (name, history) in enumerate(histories.items()):
        progress = np.arange(1, len(history) + 1) / len(history)
        colour, best = f"C{number}", best_epoch(history)
        axes.plot(progress, [epoch.train_loss for epoch in history], ":", color=colour)
        axes.plot(progress, [epoch.valid_loss for epoch in history], color=colour, label=name)
        axes.plot(best.epoch / len(history), best.valid_loss, "o", color=colour)
    axes.set(xlabel="share of the training", ylabel="loss")
    axes.set_title("training (dotted), validation, best epoch")
    axes.legend()
    picture.savefig(path, dpi=80)


def load(dataset: Dataset, run: Path) -> tuple[Ensemble, Config, Calibration]:
    """Read a run; the network is in evaluation mode.

    Raises
    ------
    RunMismatchError
        If it was trained with other recordings, labels or another split.
    """
    config = Config.model_validate_json((run / CONFIG_FILE).read_text())
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    if state["dataset"] != dataset.digest:
        raise RunMismatchError(f"{run} was trained on another corpus or split: train it again.")
    calibration = Calibration.model_validate_json((run / CALIBRATION_FILE).read_text())
    student = load_student(run.parents[1] / STUDENT_FILE)
    if state["student"] != student.digest:
        raise RunMismatchError(f"{run} was trained with another student: train it again.")
    heads = [restore_head(dataset, config, each) for each in state["heads"]]
    network = assemble(dataset, student, heads, temperature=calibration.temperature)
    return network, config, calibration


def restore_head(dataset: Dataset, config: Config, state: State) -> Head:
    """Return a trained head in evaluation mode."""
    head = Head(output_shape(dataset, config), config.head.hidden)
    head.load_state_dict(state)
    return head.eval()


def assemble(
    dataset: Dataset, student: TrainedStudent, heads: list[Head], *, temperature: float = 1.0
) -> Ensemble:
    """Return the ensemble of some heads, in evaluation mode."""
    network = Ensemble(
        student.network,
        heads,
        n_genres=len(dataset.genres),
        temperature=temperature,
        emotions=learnable_emotions(dataset, student),
        features={
            name: Knots(scale.column, scale.scores, scale.values)
            for name, scale in student.taught.items()
        },
        embedding=_embedding(student),
    )
    return network.eval()


def _embedding(student: TrainedStudent) -> Embedding | None:
    """Return the part of the network that computes the embedding, if the student has one."""
    if student.projection is None:
        return None
    return Embedding(
        torch.from_numpy(student.projection.centre), torch.from_numpy(student.projection.components)
    )


def learnable_emotions(dataset: Dataset, student: TrainedStudent) -> list[int]:
    """Return the emotions that have labels, or that the student knows, as indices."""
    return [
        place
        for place, emotion in enumerate(EMOTIONS)
        if emotion in student.scales or not np.isnan(dataset.emotion[:, place]).all()
    ]


def output_shape(dataset: Dataset, config: Config) -> OutputShape:
    """Return the shape of the heads for a dataset."""
    return OutputShape(config.student.features, len(dataset.classes))
