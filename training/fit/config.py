"""The configuration of a training."""

import math
import tomllib
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

from service import audio
from training.models.cnn import SHRINKING

SMALLEST = {
    "parts": 2, "members": 1, "epochs": 1, "steps": 1, "batch_size": 2, "hidden": 1, "width": 1,
    "learning_rate": 1e-9, "mixup_alpha": 1e-3, "crop_frames": SHRINKING,
}  # fmt: skip


LARGEST = {"crop_frames": audio.N_FRAMES}


SHARES = ("dropout", "input_dropout", "mixup", "balance", "groove")


class ConfigError(ValueError):
    """A configuration cannot be used. The message says what is wrong with it."""


@dataclass(frozen=True)
class MlpConfig:
    """How `training.models.mlp` is trained.

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
class CnnConfig:
    """How `training.models.cnn` is trained.

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
    mlp: MlpConfig = MlpConfig()
    cnn: CnnConfig = CnnConfig()


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
    if config.cnn.members > config.parts:
        raise ConfigError(f"{path}: there are more members of cnn than parts.")
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
        "mlp": MlpConfig(**said["mlp"]),
        "cnn": CnnConfig(**said["cnn"]),
    }
    return Config(**said | parts)
