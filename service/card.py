"""The model card: what a model file says of itself.

`training.release` writes it into the ONNX file as JSON, `service.model` reads it from there and
`GET /v1/models/{name}` publishes it, so that a model cannot be parted from its figures.
"""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Emotion = Literal["valence", "energy", "danceability"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)

Share = Annotated[float, Field(ge=0, le=1)]


def _ascending(scores: list[float]) -> list[float]:
    """Refuse scores that are no percentiles."""
    if scores != sorted(scores):
        raise ValueError("percentiles ascend")
    return scores


Percentiles = Annotated[
    list[Share], Field(min_length=101, max_length=101), AfterValidator(_ascending)
]
"""The scores at the percentiles 0, 1 ... 100 of a corpus."""


class CardPart(BaseModel):
    """Base of a card's parts: unknown members are refused, so that both sides stay in step."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(CardPart):
    """What was trained, and how."""

    name: str = Field(
        description="Name of the network in `training.networks`.", examples=["descriptors"]
    )
    parameters: int = Field(description="Number of trained parameters.", examples=[1_600_000])
    members: int = Field(
        description="Number of networks whose answers are averaged; each was trained without "
        "another part of the recordings, and chosen and calibrated on that part.",
        examples=[5],
    )
    seed: int = Field(description="Seed of the run that ships.", examples=[0])
    config: dict[str, float | int | str] = Field(
        description="Every number of the training, as in its configuration file.",
        examples=[{"epochs": 60, "batch_size": 64}],
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
        description="Number of 15 s windows in each part of the split.",
        examples=[{"train": 2161, "valid": 530, "test": 690}],
    )
    genres: dict[str, dict[str, int]] = Field(
        description="Number of recordings of each genre in each part of the split.",
        examples=[{"blues": {"train": 28, "valid": 5, "test": 6}}],
    )
    made: dict[str, int] = Field(
        description="Number of tracks that were synthesised, beside those: music of a genre, which "
        "only trains, and sounds that are no music.",
        examples=[{"house": 40, "not_music": 340}],
    )
    split: str = Field(description="How the parts of the split were kept apart.")


class GenreRow(CardPart):
    """One genre's figures, by whole recording."""

    genre: str = Field(examples=["blues"])
    clips: int = Field(description="Number of recordings.", examples=[39])
    artists: int = Field(description="Number of artists or albums they are by.", examples=[20])
    precision: Share = Field(examples=[0.8])
    recall: Share = Field(examples=[0.67])
    f1: Share = Field(examples=[0.73])


class Figure(CardPart):
    """One measurement, of the same training from several seeds."""

    value: float | None = Field(
        description="Of the model in this file; null where it was not the one measured.",
        examples=[0.76],
    )
    mean: float = Field(description="Mean over the seeds.", examples=[0.75])
    spread: float | None = Field(
        description="Standard deviation over the seeds (n - 1); null of a single one.",
        examples=[0.02],
    )
    seeds: int = Field(description="Number of seeds.", examples=[3])


class GenreFigures(CardPart):
    """Genre, measured on recordings of artists that training never heard."""

    window_accuracy: Figure = Field(description="Share of 15 s windows that are right.")
    window_macro_f1: Figure = Field(description="Mean over the genres of F1, by 15 s window.")
    clip_accuracy: Figure = Field(description="Share of whole recordings that are right.")
    clip_macro_f1: Figure = Field(description="Mean over the genres of F1, by whole recording.")
    phone_accuracy: Figure = Field(
        description="Share of whole recordings that are right as a simulated phone records them."
    )
    calibration_error: Figure = Field(
        description="Expected calibration error of the top genre's probability, 15 bins, by 15 s "
        "window."
    )
    clip_calibration_error: Figure = Field(
        description="The same by whole recording, whose probabilities are means over its windows."
    )
    unknown_auroc: Figure | None = Field(
        description="Area under the ROC curve of `known`, the genres against other music; "
        "null where there is no other music."
    )
    music_auroc: Figure | None = Field(
        description="Area under the ROC curve of `music`, recordings against made sounds that "
        "are no music."
    )
    per_genre: list[GenreRow]
    accuracy_by_seconds: dict[str, Share] = Field(
        description="Share that is right where only the first so many seconds are heard.",
        examples=[{"3": 0.6, "5": 0.65, "10": 0.7, "15": 0.75}],
    )


class EmotionFigures(CardPart):
    """One emotion scale and one origin of its labels."""

    emotion: Emotion
    origin: str = Field(description="Where the labels come from.", examples=["emotify-votes"])
    clips: int = Field(description="Number of recordings.", examples=[72])
    spearman: Figure = Field(description="Rank correlation with the labels.")
    coverage: Figure | None = Field(
        description="Share of labels inside the 80 % interval, on the origin's own scale; null "
        "for labels that training never sees."
    )


class MoodFigures(CardPart):
    """The mood, and one origin of the labels of valence and energy."""

    origin: str = Field(description="Where the labels come from.", examples=["emotify-votes"])
    clips: int = Field(description="Number of recordings.", examples=[72])
    accuracy: Figure = Field(description="Share whose mood is that of their labels.")
    commonest: Share = Field(
        description="Share of the commonest mood of the labels, which naming it always would reach."
    )


class VerdictRow(CardPart):
    """What recordings of one kind are told."""

    kind: str = Field(description="The genres, other music, or no music.", examples=["genres"])
    clips: int = Field(examples=[678])
    verdicts: dict[str, Share] = Field(
        description="Share of each verdict.", examples=[{"confident": 0.7, "mixed": 0.2}]
    )
    confident_accuracy: Share | None = Field(
        description="Share of the confident answers that are right; null where there is no genre."
    )


class Measured(CardPart):
    """Everything that was measured on one choice of held-out recordings."""

    genre: GenreFigures
    emotion: list[EmotionFigures]
    mood: list[MoodFigures] = []
    verdicts: list[VerdictRow]


class Figures(CardPart):
    """Everything that was measured."""

    folds: Measured = Field(
        description="Over folds grouped by artist: every recording is answered once, by models "
        "trained on the other folds in the same way as the model in this file. The same as `test` "
        "where no folds were trained."
    )
    test: Measured = Field(description="On the test part of the split, by this model.")


class Thresholds(CardPart):
    """Where one verdict ends and the next begins; chosen on validation."""

    silence_dbfs: float = Field(
        description="Peak level at or under which a recording is silence, dBFS.", examples=[-60]
    )
    music: Share = Field(description="Least probability of being music.", examples=[0.5])
    known: Share = Field(description="Least probability of being of a genre.", examples=[0.5])
    margin: Share = Field(
        description="Least difference between the two most probable genres.", examples=[0.2]
    )


class Card(CardPart):
    """A model's card."""

    name: str = Field(
        description="Name of the model.", examples=["fifteen"], pattern=r"^[a-z0-9-]+$"
    )
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
    thresholds: Thresholds
    intervals: dict[Emotion, Share] = Field(
        description="Half the width of each emotion's 80 % interval, by split conformal "
        "prediction on validation.",
        examples=[{"valence": 0.17, "energy": 0.14, "danceability": 0.1}],
    )
    percentiles: dict[Emotion, Percentiles] = Field(
        default={},
        description="Each emotion's scores at the percentiles 0 to 100 of the reference corpus, so "
        "that a score can be placed in it.",
    )
    limits: list[str] = Field(description="What the figures do not say, and must be known.")
    front_end: dict[str, float] = Field(
        description="The numbers of the front-end that the model was trained with.",
        examples=[{"sample_rate": 22050, "n_mels": 128}],
    )
    signature: list[float] = Field(
        description="What that front-end makes of a fixed recording, dB for each mel band."
    )
    reference_answer: list[float] = Field(
        description="What the model answers to that recording: genre probabilities, emotion, "
        "music, known."
    )
