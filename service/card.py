"""The model card: what a model file says of itself.

`training.export` writes it into the ONNX file as JSON, `service.model` reads it from there and
`GET /v1/models/{name}` publishes it, so that a model cannot be parted from its figures.
"""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Emotion = Literal["valence", "energy", "danceability"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)

Share = Annotated[float, Field(ge=0, le=1)]


class CardPart(BaseModel):
    """Base of a card's parts: unknown members are refused, so that both sides stay in step."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(CardPart):
    """What was trained, and how."""

    name: str = Field(description="Name of the network in `training.networks`.", examples=["seed"])
    parameters: int = Field(description="Number of trained parameters.", examples=[65_938])
    sharing: str = Field(
        description="Which tasks share one convolutional trunk: none, emotion or all.",
        examples=["emotion"],
    )
    seed: int = Field(description="Seed of the run that ships.", examples=[0])
    epochs: dict[str, int] = Field(
        description="For the tasks of each trunk, the epochs until the state that ships.",
        examples=[{"genre": 17, "valence+energy+danceability": 9}],
    )
    command: str = Field(
        description="The command that trains it.", examples=["python -m training train PREPARED"]
    )


class Data(CardPart):
    """What it was trained on."""

    description: str = Field(description="Where the recordings and their labels come from.")
    terms: str = Field(description="Terms of the training material.")
    tracks: dict[str, int] = Field(
        description="Number of recordings in each part of the split.",
        examples=[{"train": 1117, "valid": 275, "test": 358}],
    )
    windows: dict[str, int] = Field(
        description="Number of 15 s windows in each part of the split, silences removed.",
        examples=[{"train": 2161, "valid": 530, "test": 690}],
    )
    genres: dict[str, dict[str, int]] = Field(
        description="Number of recordings of each genre in each part of the split.",
        examples=[{"blues": {"train": 28, "valid": 5, "test": 6}}],
    )
    split: str = Field(description="How the parts of the split were kept apart.")


class GenreRow(CardPart):
    """One genre's figures on the test recordings."""

    genre: str = Field(examples=["blues"])
    clips: int = Field(description="Number of test recordings.", examples=[6])
    precision: Share = Field(examples=[0.8])
    recall: Share = Field(examples=[0.67])
    f1: Share = Field(examples=[0.73])


class Figure(CardPart):
    """One measurement: of the model in this file, and of the same training from other seeds."""

    value: float = Field(description="Of the model in this file.", examples=[0.76])
    mean: float = Field(description="Mean over the seeds.", examples=[0.75])
    spread: float | None = Field(
        description="Standard deviation over the seeds (n - 1); null of a single one.",
        examples=[0.02],
    )
    seeds: int = Field(description="Number of seeds.", examples=[3])


class GenreFigures(CardPart):
    """Genre, measured on the test part of the split."""

    window_accuracy: Figure = Field(description="Share of 15 s windows that are right.")
    window_macro_f1: Figure = Field(description="Mean over the genres of F1, by 15 s window.")
    clip_accuracy: Figure = Field(description="Share of whole recordings that are right.")
    clip_macro_f1: Figure = Field(description="Mean over the genres of F1, by whole recording.")
    per_genre: list[GenreRow] = Field(description="By whole recording, of the model in this file.")
    accuracy_by_seconds: dict[str, Share] = Field(
        description="Share that is right where only the first so many seconds are heard.",
        examples=[{"3": 0.6, "5": 0.65, "10": 0.7, "15": 0.75}],
    )


class EmotionFigures(CardPart):
    """One emotion scale and one origin of its labels, on the test part of the split."""

    emotion: Emotion
    origin: str = Field(description="Where the labels come from.", examples=["emotify-votes"])
    clips: int = Field(description="Number of test recordings.", examples=[72])
    spearman: Figure = Field(description="Rank correlation with the labels.")
    r2: Figure = Field(description="Coefficient of determination, on the origin's own scale.")


class Figures(CardPart):
    """Everything that was measured."""

    genre: GenreFigures
    emotion: list[EmotionFigures]


class Card(CardPart):
    """A model's card."""

    name: str = Field(description="Name of the model.", examples=["seed"], pattern=r"^[a-z0-9-]+$")
    version: str = Field(description="Version of the model.", examples=["1"])
    description: str = Field(description="What the model is, in a sentence or two.")
    licence: str = Field(description="SPDX identifier of the weights.", examples=["Apache-2.0"])
    genres: list[str] = Field(description="The genres, in the order of the model's output.")
    emotions: list[Emotion] = Field(
        description="The emotions that it has learnt, in the order of the model's output."
    )
    network: Network
    data: Data
    figures: Figures
    limits: list[str] = Field(description="What the figures do not say, and must be known.")
    front_end: dict[str, float] = Field(
        description="The numbers of the front-end that the model was trained with.",
        examples=[{"sample_rate": 22050, "n_mels": 279}],
    )
    signature: list[float] = Field(
        description="What that front-end makes of a fixed recording, dB for each mel band."
    )
    reference_answer: list[float] = Field(
        description="What the model answers to that recording: genre probabilities, then emotion."
    )
