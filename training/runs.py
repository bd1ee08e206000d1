"""A run: one model, trained from one division of the tracks and one seed.

It is a folder ``{division}/seed-{seed}`` in a folder of runs, and holds

* ``config.json``: what it is reproducible from, beside the prepared folder;
* ``history.json``, ``history.png``: the losses of each member, epoch by epoch;
* ``calibration.json``: see `training.calibrate`;
* ``validation.json``: what the members got right on validation, to choose between configurations;
* ``state.pt``: the members. It is written last: without it, a run is made again.
"""

import json
import math
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from training.calibrate import Calibration
from training.divisions import Division
from training.networks import FifteenNetwork, Member, Shape
from training.prepared import Prepared

CONFIG_FILE = "config.json"
HISTORY_FILE = "history.json"
CURVES_FILE = "history.png"
CALIBRATION_FILE = "calibration.json"
VALIDATION_FILE = "validation.json"
STATE_FILE = "state.pt"


SMALLEST = {
    "members": 2, "epochs": 1, "batch_size": 2, "hidden": 1, "learning_rate": 1e-9,
    "mixup_alpha": 1e-3,
}  # fmt: skip
SHARES = ("dropout", "input_dropout", "mixup", "balance")


class ConfigError(ValueError):
    """A configuration cannot be used. The message says what is wrong with it."""


class AnotherRunError(RuntimeError):
    """A run is not of this prepared folder, or not the one that was measured."""


class TrainingDivergedError(RuntimeError):
    """A training gave no usable state."""


@dataclass(frozen=True)
class Config:
    """What a run is reproducible from, beside the prepared folder.

    Attributes
    ----------
    members : int
        Networks whose answers are averaged.
    copies : int
        Disturbed copies of every window that trains.
    mixup : float
        Share of batches in which pairs of windows are blended (Zhang et al., "mixup", 2018), in
        proportions drawn from a beta distribution with both parameters `mixup_alpha`.
    balance : float
        Power of a class's count by which its tracks are drawn less often: 0 as they are, 1 all
        classes alike.
    emotion_weight : float
        Of the emotions' loss beside that of the classes.
    """

    members: int = 5
    copies: int = 2
    epochs: int = 120
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    hidden: int = 256
    dropout: float = 0.5
    input_dropout: float = 0.2
    input_noise: float = 0.1
    mixup: float = 0.5
    mixup_alpha: float = 0.4
    balance: float = 0.5
    emotion_weight: float = 0.5
    seed: int = 0


def read_config(path: Path) -> Config:
    """Read the table ``training`` of a TOML file; what it leaves out is as in `Config`.

    Raises
    ------
    ConfigError
        If the file is no TOML, or names something unknown, of another type or out of range.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("training", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}.") from error
    if not isinstance(said, dict):
        raise ConfigError(f"{path}: training must be a table.")
    types: dict[str, type] = {part.name: type(part.default) for part in fields(Config)}
    for name, value in said.items():
        if name not in types:
            raise ConfigError(f"{path}: there is nothing named {name!r} to configure.")
        if type(value) not in {int, types[name]}:  # a float may be written as 1; a bool is neither
            raise ConfigError(f"{path}: {name} must be of type {types[name].__name__}.")
        least, most = SMALLEST.get(name, 0), 1 if name in SHARES else math.inf
        if not least <= value <= most:
            raise ConfigError(f"{path}: {name} must be from {least:g} to {most:g}.")
    return Config(**said)


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; losses are means over what is labelled, summed over the tasks."""

    epoch: int
    train_loss: float
    valid_loss: float


def best_epoch(history: list[Epoch]) -> Epoch:
    """Return the epoch of the lowest loss on validation, the first of equals.

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    finite = [epoch for epoch in history if math.isfinite(epoch.valid_loss)]
    if not finite:
        raise TrainingDivergedError("The loss is not a number: try a lower learning_rate.")
    return min(finite, key=lambda epoch: epoch.valid_loss)


def run_folder(runs: Path, division: Division, seed: int) -> Path:
    """Return where a run is."""
    return runs / division.name / f"seed-{seed}"


def seeds_of(runs: Path, division: Division) -> list[int]:
    """Return the seeds that a division was trained from, in order."""
    found = (runs / division.name).glob(f"seed-*/{STATE_FILE}")
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
        raise AnotherRunError(
            f"The runs in {runs} differ in more than their seed: train all of them anew."
        )


def is_done(prepared: Prepared, run: Path, config: Config) -> bool:
    """Say whether a run is there, of this prepared folder and configuration."""
    if not (run / STATE_FILE).exists():
        return False
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    same = json.loads((run / CONFIG_FILE).read_text()) == asdict(config)
    return bool(same and state["prepared"] == prepared.digest)


def save(
    prepared: Prepared,
    run: Path,
    config: Config,
    calibration: Calibration,
    *,
    members: list[Member],
    histories: list[list[Epoch]],
    validation: dict[str, dict[str, float]],
) -> None:
    """Write a run."""
    run.mkdir(parents=True, exist_ok=True)
    (run / STATE_FILE).unlink(missing_ok=True)
    (run / CONFIG_FILE).write_text(json.dumps(asdict(config), indent=1))
    (run / CALIBRATION_FILE).write_text(calibration.to_json())
    (run / VALIDATION_FILE).write_text(json.dumps(validation, indent=1))
    entries = [[asdict(epoch) for epoch in history] for history in histories]
    (run / HISTORY_FILE).write_text(json.dumps(entries, indent=1))
    _picture(histories, run / CURVES_FILE)
    states = [member.state_dict() for member in members]
    torch.save({"prepared": prepared.digest, "members": states}, run / STATE_FILE)


def _picture(histories: list[list[Epoch]], path: Path) -> None:
    """Draw how the members learnt."""
    picture = Picture(figsize=(7, 4), layout="constrained")
    axes = picture.subplots()
    for number, history in enumerate(histories):
        epochs, best = [epoch.epoch for epoch in history], best_epoch(history)
        colour = f"C{number}"
        axes.plot(epochs, [epoch.train_loss for epoch in history], ":", color=colour)
        axes.plot(epochs, [epoch.valid_loss for epoch in history], color=colour)
        axes.plot(best.epoch, best.valid_loss, "o", color=colour)
    axes.set(xlabel="epoch", ylabel="loss", title="training (dotted), validation, best epoch")
    picture.savefig(path, dpi=80)


def load(prepared: Prepared, run: Path) -> tuple[FifteenNetwork, Config, Calibration]:
    """Read a run back; the network in evaluation mode.

    Raises
    ------
    AnotherRunError
        If it was trained on other recordings, labels or another split.
    """
    config = Config(**json.loads((run / CONFIG_FILE).read_text()))
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    if state["prepared"] != prepared.digest:
        raise AnotherRunError(f"{run} was trained on another corpus or split: train it anew.")
    calibration = Calibration.from_json((run / CALIBRATION_FILE).read_text())
    members = [Member(shape(prepared, config)) for _ in state["members"]]
    for member, weights in zip(members, state["members"], strict=True):
        member.load_state_dict(weights)
    n_genres = len(prepared.genres)
    network = FifteenNetwork(members, n_genres, calibration.temperature, learnt(prepared))
    return network.eval(), config, calibration


def shape(prepared: Prepared, config: Config) -> Shape:
    """Return the size of a network for a prepared folder."""
    return Shape(config.hidden, len(prepared.genres), len(prepared.classes), len(prepared.origins))


def learnt(prepared: Prepared) -> list[int]:
    """Return the emotions that can be learnt, as places in `EMOTIONS`: their labels differ."""
    labels = [column[~np.isnan(column)] for column in prepared.emotion.T]
    return [place for place, known in enumerate(labels) if len(known) and np.ptp(known) > 0]
