"""A run: one model, trained from one division of the tracks and one seed.

It is a folder ``{division}/seed-{seed}`` in a folder of runs, and holds

* ``config.json``: what it is reproducible from, beside the prepared folder;
* ``history.json``, ``history.png``: the losses of each member, epoch by epoch;
* ``calibration.json``: see `training.calibrate`;
* ``validation.json``: what the members got right on validation, to choose between configurations;
* ``members/``: see `training.kept`;
* ``state.pt``: the members together. It is written last: without it, a run is made again.
"""

import json
import math
import tomllib
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from service import audio
from training.calibrate import Calibration
from training.convolutional import SHRINKING, Convolutional
from training.divisions import Division
from training.fitting import Epoch, best_epoch
from training.member import Shape
from training.networks import FifteenNetwork
from training.perceptron import Perceptron
from training.prepared import Prepared

CONFIG_FILE = "config.json"
HISTORY_FILE = "history.json"
CURVES_FILE = "history.png"
CALIBRATION_FILE = "calibration.json"
VALIDATION_FILE = "validation.json"
STATE_FILE = "state.pt"


SMALLEST = {
    "parts": 2, "members": 1, "epochs": 1, "steps": 1, "batch_size": 2, "hidden": 1, "width": 1,
    "learning_rate": 1e-9, "mixup_alpha": 1e-3, "crop_frames": SHRINKING,
}  # fmt: skip
LARGEST = {"crop_frames": audio.N_FRAMES}
SHARES = ("dropout", "input_dropout", "mixup", "balance", "groove")


State = dict[str, torch.Tensor]


class ConfigError(ValueError):
    """A configuration cannot be used. The message says what is wrong with it."""


class AnotherRunError(RuntimeError):
    """A run is not of this prepared folder, or not the one that was measured."""


@dataclass(frozen=True)
class PerceptronConfig:
    """How `training.perceptron` is trained.

    Attributes
    ----------
    copies : int
        Disturbed copies of every window that trains.
    mixup : float
        Share of batches in which pairs of windows are blended.
    """

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


@dataclass(frozen=True)
class ConvolutionalConfig:
    """How `training.convolutional` is trained.

    Attributes
    ----------
    members : int
        On how many of the parts; at most `Config.parts`.
    epochs : int
        Of `steps` batches each, not of all the tracks.
    crop_frames : int
        Length of what is cut out of each window that trains.
    mixup : float
        Share of batches in which pairs of windows are blended.
    """

    members: int = 1
    epochs: int = 10
    steps: int = 180
    batch_size: int = 48
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    width: int = 16
    dropout: float = 0.3
    crop_frames: int = 300
    mixup: float = 0.7


@dataclass(frozen=True)
class Config:
    """What a run is reproducible from, beside the prepared folder.

    Attributes
    ----------
    parts : int
        Into which the tracks are divided; a perceptron is trained without each.
    mixup_alpha : float
        Blended windows have proportions from a beta distribution with both parameters this.
    balance : float
        Power of a class's count by which its tracks are drawn less often: 0 as they are, 1 all
        classes alike.
    emotion_weight : float
        Of the emotions' loss beside that of the classes.
    groove : float
        Share of danceability's logit that is added to that of valence.
    """

    parts: int = 5
    mixup_alpha: float = 0.4
    balance: float = 0.5
    emotion_weight: float = 0.5
    groove: float = 0.2
    seed: int = 0
    perceptron: PerceptronConfig = PerceptronConfig()
    convolutional: ConvolutionalConfig = ConvolutionalConfig()


def read_config(path: Path) -> Config:
    """Read the table ``training`` of a TOML file; what it leaves out is as in `Config`.

    Raises
    ------
    ConfigError
        If the file is no TOML, or names something unknown, of another type or out of range.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("training", {})
        config: Config = _config(Config(), said)
    except (tomllib.TOMLDecodeError, ConfigError) as error:
        raise ConfigError(f"{path}: {str(error).rstrip('.')}.") from error
    if config.convolutional.members > config.parts:
        raise ConfigError(f"{path}: there are more members of convolutional than parts.")
    return config


def _config(usual: Any, said: object) -> Any:
    """Return a configuration, or a part of one, with what a table of a file says otherwise."""
    if not isinstance(said, dict):
        raise ConfigError("training and its parts must be tables")
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in asdict(usual):
            raise ConfigError(f"there is nothing named {name!r} to configure")
        current = getattr(usual, name)
        values[name] = (
            _config(current, value) if is_dataclass(current) else _number(name, value, current)
        )
    return replace(usual, **values)


def _number(name: str, value: Any, usual: float) -> Any:
    if type(value) not in {int, type(usual)}:  # a float may be written as 1; a bool is neither
        raise ConfigError(f"{name} must be of type {type(usual).__name__}")
    least, most = SMALLEST.get(name, 0), 1 if name in SHARES else LARGEST.get(name, math.inf)
    if not least <= value <= most:
        raise ConfigError(f"{name} must be from {least:g} to {most:g}")
    return value


def config_of(said: dict[str, Any]) -> Config:
    """Return the configuration that `dataclasses.asdict` made a table of."""
    parts = {
        "perceptron": PerceptronConfig(**said["perceptron"]),
        "convolutional": ConvolutionalConfig(**said["convolutional"]),
    }
    return Config(**said | parts)


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

    perceptrons: list[Perceptron]
    convolutionals: list[Convolutional]
    histories: dict[str, list[Epoch]]


def save(
    prepared: Prepared,
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
        "prepared": prepared.digest,
        "perceptrons": [member.state_dict() for member in trained.perceptrons],
        "convolutionals": [member.state_dict() for member in trained.convolutionals],
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


def load(prepared: Prepared, run: Path) -> tuple[FifteenNetwork, Config, Calibration]:
    """Read a run back; the network in evaluation mode.

    Raises
    ------
    AnotherRunError
        If it was trained on other recordings, labels or another split.
    """
    config = config_of(json.loads((run / CONFIG_FILE).read_text()))
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    if state["prepared"] != prepared.digest:
        raise AnotherRunError(f"{run} was trained on another corpus or split: train it anew.")
    calibration = Calibration.from_json((run / CALIBRATION_FILE).read_text())
    perceptrons = [perceptron_of(prepared, config, each) for each in state["perceptrons"]]
    convolutionals = [convolutional_of(prepared, config, each) for each in state["convolutionals"]]
    network = assembled(
        prepared, config, perceptrons, convolutionals, temperature=calibration.temperature
    )
    return network, config, calibration


def perceptron_of(prepared: Prepared, config: Config, state: State) -> Perceptron:
    """Make a trained perceptron anew."""
    member = Perceptron(shape(prepared), config.perceptron.hidden)
    member.load_state_dict(state)
    return member.eval()


def convolutional_of(prepared: Prepared, config: Config, state: State) -> Convolutional:
    """Make a trained convolutional network anew."""
    member = Convolutional(shape(prepared), config.convolutional.width)
    member.load_state_dict(state)
    return member.eval()


def assembled(
    prepared: Prepared,
    config: Config,
    perceptrons: list[Perceptron],
    convolutionals: list[Convolutional],
    *,
    temperature: float = 1.0,
) -> FifteenNetwork:
    """Put members together; the network in evaluation mode."""
    network = FifteenNetwork(
        perceptrons,
        convolutionals,
        n_genres=len(prepared.genres),
        temperature=temperature,
        groove=config.groove,
        emotions=prepared.learnt,
    )
    return network.eval()


def shape(prepared: Prepared) -> Shape:
    """Return what members answer for a prepared folder."""
    return Shape(len(prepared.classes), len(prepared.origins))
