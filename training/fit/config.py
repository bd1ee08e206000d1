"""Reads a recipe: the TOML file that says how a model is trained and what its card says.

``training/fifteen.toml`` has every value. Another recipe needs only the values that differ.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service import audio
from training.models.cnn import DOWNSAMPLING

DEFAULT_RECIPE = Path(__file__).parents[1] / "fifteen.toml"
RENAMED = {
    "perceptron": "mlp", "convolutional": "cnn", "parts": "folds",
    "groove": "danceability_to_valence",
}  # fmt: skip
"""Old names in recipes, and their present names."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
LearningRate = Annotated[float, Field(ge=1e-9)]
WeightDecay = Annotated[float, Field(ge=0)]
BatchSize = Annotated[int, Field(ge=2)]


class ConfigError(ValueError):
    """A recipe cannot be used. The message says what is wrong."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MlpConfig(_Table):
    """How the MLPs are trained.

    Attributes
    ----------
    copies : int
        Augmented copies of every training window.
    hidden : int
        Width of both hidden layers.
    input_dropout, input_noise : float
        Dropout of descriptors, and standard deviation of noise on standardised descriptors.
    mixup : float
        Share of batches that are mixed up.
    """

    copies: Annotated[int, Field(ge=0)]
    epochs: Count
    batch_size: BatchSize
    learning_rate: LearningRate
    weight_decay: WeightDecay
    hidden: Count
    dropout: Share
    input_dropout: Share
    input_noise: Annotated[float, Field(ge=0)]
    mixup: Share


class CnnConfig(_Table):
    """How the CNNs are trained.

    Attributes
    ----------
    members : int
        Number of CNNs, each for one of the folds.
    epochs, steps : int
        Each epoch has `steps` batches; it does not cover all tracks.
    width : int
        Channels of the first convolution.
    crop_frames : int
        Length of the random crop of each training window.
    mixup : float
        Share of batches that are mixed up.
    """

    members: Count
    epochs: Count
    steps: Count
    batch_size: BatchSize
    learning_rate: LearningRate
    weight_decay: WeightDecay
    width: Count
    dropout: Share
    crop_frames: Annotated[int, Field(ge=DOWNSAMPLING, le=audio.N_FRAMES)]
    mixup: Share


class Config(_Table):
    """Everything that a run is reproducible from, beside the dataset.

    Attributes
    ----------
    folds : int
        Number of folds of the tracks; an MLP is trained without each of them.
    mixup_alpha : float
        Both parameters of the beta distribution of mixup's proportions.
    balance : float
        Class-balanced sampling: a class's tracks are drawn in proportion to its count to the power
        of minus this. 0 draws all tracks equally often, 1 all classes.
    emotion_weight : float
        Weight of the emotions' loss; that of the classes is 1.
    danceability_to_valence : float
        Share of danceability's logit that is added to valence's.
    seed : int
        Seed of the first run; others follow.
    """

    folds: Annotated[int, Field(ge=2)]
    mixup_alpha: Annotated[float, Field(ge=1e-3)]
    balance: Share
    emotion_weight: Annotated[float, Field(ge=0)]
    danceability_to_valence: Share
    seed: Annotated[int, Field(ge=0)]
    mlp: MlpConfig
    cnn: CnnConfig

    @model_validator(mode="after")
    def _check_members(self) -> "Config":
        if self.cnn.members > self.folds:
            raise ValueError("cnn.members must not be more than folds")
        return self


class CardText(_Table):
    """What a person writes on the card; everything else is measured. See `service.card.Card`."""

    name: str
    version: str
    description: str
    licence: str
    command: str
    data: str
    terms: str
    split: str
    limits: list[str]


class Recipe(_Table):
    """The tables of a recipe."""

    training: Config
    card: CardText | None = None


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Values of `training` that it omits are those of `DEFAULT_RECIPE`.

    Raises
    ------
    ConfigError
        If the file is not TOML, or has an unknown name, a wrong type or a value out of range.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        training = tables.get("training", {})
        return Recipe.model_validate(tables | {"training": with_defaults(training)})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {name}: {message}.") from error


def with_defaults(training: Any) -> Any:
    """Return the table ``training`` of a recipe with the values that it omits."""
    defaults = tomllib.loads(DEFAULT_RECIPE.read_text(encoding="utf-8"))["training"]
    return _merge(defaults, training)


def _merge(defaults: Any, table: Any) -> Any:
    if not isinstance(defaults, dict) or not isinstance(table, dict):
        return table
    table = {RENAMED.get(name, name): value for name, value in table.items()}
    return defaults | {name: _merge(defaults.get(name), value) for name, value in table.items()}
