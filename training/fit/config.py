"""Reads a recipe: the TOML file that says how a model is trained and what its card says.

``training/fifteen.toml`` has every value. Another recipe needs only the values that differ.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service import audio
from training.models.student import MIN_FRAMES

DEFAULT_RECIPE = Path(__file__).parents[1] / "fifteen.toml"
RENAMED = {
    "perceptron": "head", "mlp": "head", "parts": "folds",
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


class HeadConfig(_Table):
    """How the heads are trained.

    Attributes
    ----------
    copies : int
        Augmented copies of every training window.
    hidden : int
        Width of the hidden layer.
    input_dropout, input_noise : float
        Dropout of features, and standard deviation of noise on standardised features.
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


class StudentConfig(_Table):
    """How the student is trained.

    Attributes
    ----------
    epochs : int
        An epoch covers every window of the takes that train.
    restarts : list of int
        Epochs after which the learning rate rises again, to half of its last maximum: Loshchilov
        and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017.
    width : int
        Channels of the first convolution.
    features : int
        Length of the vector that the heads read.
    crop_frames : int
        Length of the random crop of each training window.
    mixed : float
        Share of batches whose windows are mixed with one another.
    """

    epochs: Count
    restarts: list[Count] = []
    batch_size: BatchSize
    learning_rate: LearningRate
    weight_decay: WeightDecay
    width: Count
    features: Count
    dropout: Share
    crop_frames: Annotated[int, Field(ge=MIN_FRAMES, le=audio.N_FRAMES)]
    mixed: Share
    seed: Annotated[int, Field(ge=0)]


class Config(_Table):
    """Everything that a run is reproducible from, beside the dataset.

    Attributes
    ----------
    folds : int
        Number of folds of the tracks; a head is trained without each of them.
    mixup_alpha : float
        Both parameters of the beta distribution of mixup's proportions.
    balance : float
        Class-balanced sampling: a class's tracks are drawn in proportion to its count to the power
        of minus this. 0 draws all tracks equally often, 1 all classes.
    emotion_weight : float
        Weight of the emotions' loss; that of the classes is 1.
    true_weight : float
        Weight of a true value of an emotion; that of the student's own value is 1.
    ranked_origins : list of str
        Origins of proxies whose order the linear models learn.
    ranked_weight : float
        Weight of a track that a linear model of an emotion knows by such an order only; that of a
        true value is 1.
    seed : int
        Seed of the first run; others follow.
    """

    folds: Annotated[int, Field(ge=2)]
    mixup_alpha: Annotated[float, Field(ge=1e-3)]
    balance: Share
    emotion_weight: Annotated[float, Field(ge=0)]
    true_weight: Annotated[float, Field(ge=0)]
    ranked_origins: list[str]
    ranked_weight: Annotated[float, Field(ge=0)]
    seed: Annotated[int, Field(ge=0)]
    student: StudentConfig
    head: HeadConfig


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
