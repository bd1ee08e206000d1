"""A run: one model, trained from one division of the tracks and one seed.

It is a folder ``{division}/seed-{seed}`` in a folder of runs, and holds

* ``config.json``: what it is reproducible from, beside the prepared folder;
* ``history.json``, ``history.png``: the losses of each member, epoch by epoch;
* ``calibration.json``: see `training.fit.calibrate`;
* ``validation.json``: what the members got right on validation, to choose between configurations;
* ``members/``: see `training.fit.checkpoint`;
* ``state.pt``: the members together. It is written last: without it, a run is made again.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from training.data.dataset import Dataset
from training.data.splits import Split
from training.fit.calibrate import Calibration
from training.fit.config import Config, config_of
from training.fit.loop import Epoch, best_epoch
from training.models.base import Shape
from training.models.cnn import Cnn
from training.models.ensemble import Ensemble
from training.models.mlp import Mlp

CONFIG_FILE = "config.json"
HISTORY_FILE = "history.json"
CURVES_FILE = "history.png"
CALIBRATION_FILE = "calibration.json"
VALIDATION_FILE = "validation.json"
STATE_FILE = "state.pt"


State = dict[str, torch.Tensor]


class RunMismatchError(RuntimeError):
    """A run is not of this prepared folder, or not the one that was measured."""


def run_folder(runs: Path, split: Split, seed: int) -> Path:
    """Return where a run is."""
    return runs / split.name / f"seed-{seed}"


def seeds_of(runs: Path, split: Split) -> list[int]:
    """Return the seeds that a division was trained from, in order."""
    found = (runs / split.name).glob(f"seed-*/{STATE_FILE}")
    return sorted(int(path.parent.name.removeprefix("seed-")) for path in found)


def check_alike(runs: Path) -> None:
    """Refuse runs that cannot be summed up in one figure.

    Raises
    ------
    AnotherRunError
        If they differ in more than their seed.
    """
    configs = [path.with_name(CONFIG_FILE) for path in runs.glob(f"*/*/{STATE_FILE}")]
    said = [json.loads(config.read_text()) | {"seed": None} for config in configs]
    if any(config != said[0] for config in said):
        raise RunMismatchError(
            f"The runs in {runs} differ in more than their seed: train all of them anew."
        )


def is_done(dataset: Dataset, run: Path, config: Config) -> bool:
    """Say whether a run is there, of this prepared folder and configuration."""
    if not (run / STATE_FILE).exists():
        return False
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    same = json.loads((run / CONFIG_FILE).read_text()) == asdict(config)
    return bool(same and state["prepared"] == dataset.digest)


@dataclass(frozen=True)
class Trained:
    """The members of a model, and how they were trained.

    Attributes
    ----------
    perceptrons : list of Perceptron
    convolutionals : list of Convolutional
    histories : dict of list of Epoch
        By the name of the member.
    """

    mlps: list[Mlp]
    cnns: list[Cnn]
    histories: dict[str, list[Epoch]]


def save(
    dataset: Dataset,
    run: Path,
    config: Config,
    trained: Trained,
    *,
    calibration: Calibration,
    validation: dict[str, dict[str, float]],
) -> None:
    """Write a run."""
    run.mkdir(parents=True, exist_ok=True)
    (run / STATE_FILE).unlink(missing_ok=True)
    (run / CONFIG_FILE).write_text(json.dumps(asdict(config), indent=1))
    (run / CALIBRATION_FILE).write_text(calibration.to_json())
    (run / VALIDATION_FILE).write_text(json.dumps(validation, indent=1))
    entries = {
        name: [asdict(epoch) for epoch in history] for name, history in trained.histories.items()
    }
    (run / HISTORY_FILE).write_text(json.dumps(entries, indent=1))
    _picture(trained.histories, run / CURVES_FILE)
    state = {
        "prepared": dataset.digest,
        "mlps": [member.state_dict() for member in trained.mlps],
        "cnns": [member.state_dict() for member in trained.cnns],
    }
    torch.save(state, run / STATE_FILE)


def _picture(histories: dict[str, list[Epoch]], path: Path) -> None:
    """Draw how the members learnt."""
    picture = Picture(figsize=(8, 4), layout="constrained")
    axes = picture.subplots()
    for number, (name, history) in enumerate(histories.items()):
        spent = np.arange(1, len(history) + 1) / len(history)
        colour, best = f"C{number}", best_epoch(history)
        axes.plot(spent, [epoch.train_loss for epoch in history], ":", color=colour)
        axes.plot(spent, [epoch.valid_loss for epoch in history], color=colour, label=name)
        axes.plot(best.epoch / len(history), best.valid_loss, "o", color=colour)
    axes.set(xlabel="share of the training", ylabel="loss")
    axes.set_title("training (dotted), validation, best epoch")
    axes.legend()
    picture.savefig(path, dpi=80)


def load(dataset: Dataset, run: Path) -> tuple[Ensemble, Config, Calibration]:
    """Read a run back; the network in evaluation mode.

    Raises
    ------
    AnotherRunError
        If it was trained on other recordings, labels or another split.
    """
    config = config_of(json.loads((run / CONFIG_FILE).read_text()))
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    if state["prepared"] != dataset.digest:
        raise RunMismatchError(f"{run} was trained on another corpus or split: train it anew.")
    calibration = Calibration.from_json((run / CALIBRATION_FILE).read_text())
    mlps = [restore_mlp(dataset, config, each) for each in state["mlps"]]
    cnns = [restore_cnn(dataset, config, each) for each in state["cnns"]]
    network = assemble(dataset, config, mlps, cnns, temperature=calibration.temperature)
    return network, config, calibration


def restore_mlp(dataset: Dataset, config: Config, state: State) -> Mlp:
    """Make a trained perceptron anew."""
    member = Mlp(shape(dataset), config.mlp.hidden)
    member.load_state_dict(state)
    return member.eval()


def restore_cnn(dataset: Dataset, config: Config, state: State) -> Cnn:
    """Make a trained convolutional network anew."""
    member = Cnn(shape(dataset), config.cnn.width)
    member.load_state_dict(state)
    return member.eval()


def assemble(
    dataset: Dataset,
    config: Config,
    mlps: list[Mlp],
    cnns: list[Cnn],
    *,
    temperature: float = 1.0,
) -> Ensemble:
    """Put members together; the network in evaluation mode."""
    network = Ensemble(
        mlps,
        cnns,
        n_genres=len(dataset.genres),
        temperature=temperature,
        groove=config.groove,
        emotions=dataset.learned,
    )
    return network.eval()


def shape(dataset: Dataset) -> Shape:
    """Return what members answer for a prepared folder."""
    return Shape(len(dataset.classes), len(dataset.origins))
