"""The model card: the description and the measured figures of a model, stored in its file.

`training.release.export` writes it into the ONNX file as JSON, `service.model` reads it, and
`GET /v1/models/{name}` returns it, so that a model cannot be separated from its figures.
"""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Emotion = Literal["valence", "energy", "danceability"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)

Taught = Literal["acousticness", "instrumentalness", "liveness", "speechiness"]
TAUGHT: tuple[Taught, ...] = get_args(Taught)
"""Audio-features without true values: another network taught them."""

MAX_DIMENSIONS = 128  # of an embedding
HEAD_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"  # of a head of `service.heads`

Share = Annotated[float, Field(ge=0, le=1)]


def _ascending(scores: list[float]) -> list[float]:
    """Refuse scores that do not ascend."""
    if scores != sorted(scores):
        raise ValueError("percentiles must ascend")
    return scores


Percentiles = Annotated[
    list[Share], Field(min_length=101, max_length=101), AfterValidator(_ascending)
]
"""The scores at the percentiles 0, 1 ... 100 of a corpus."""


class CardPart(BaseModel):
    """Base of the parts of a card. Unknown members are refused, so that both sides stay in step."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(CardPart):
    """The network and its training."""

    name: str = Field(
        description="Kind of network; `training.models.ensemble` has the current one.",
        examples=["mlp-cnn-ensemble"],
    )
    parameters: int = Field(description="Number of trained parameters.", examples=[1_600_000])
    members: int = Field(
        description="Number of networks in the ensemble, whose predictions are averaged. Each was "
        "trained without a different part of the recordings, and selected and calibrated on it.",
        examples=[5],
    )
    seed: int = Field(description="Seed of the exported run.", examples=[0])
    config: dict[str, float | int | str] = Field(
        description="All hyper-parameters of the training, as in its configuration file.",
        examples=[{"epochs": 60, "batch_size": 64}],
    )
    command: str = Field(
        description="The command that trains it.",
        examples=["make train CORPUS=folder CONFIG=training/fifteen.toml MODELS=service/models"],
    )


class Data(CardPart):
    """The training data."""

    description: str = Field(description="Origin of the recordings and of their labels.")
    terms: str = Field(description="Terms of use of the training data.")
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
        description="Number of synthetic recordings, which the other counts leave out: music of a "
        "genre, used for training only, and sounds that are not music.",
        examples=[{"house": 40, "not_music": 340}],
    )
    split: str = Field(description="How the parts of the split are separated.")


class GenreRow(CardPart):
    """Figures of one genre, by whole recording."""

    genre: str = Field(examples=["blues"])
    clips: int = Field(description="Number of recordings.", examples=[39])
    artists: int = Field(description="Number of their artists or albums.", examples=[20])
    precision: Share = Field(examples=[0.8])
    recall: Share = Field(examples=[0.67])
    f1: Share = Field(examples=[0.73])


class Figure(CardPart):
    """One metric, measured on runs of the same training with several seeds."""

    value: float | None = Field(
        description="Value of the model in this file; null if that model was not measured.",
        examples=[0.76],
    )
    mean: float = Field(description="Mean over the seeds.", examples=[0.75])
    spread: float | None = Field(
        description="Standard deviation over the seeds (n - 1); null for a single seed.",
        examples=[0.02],
    )
    seeds: int = Field(description="Number of seeds.", examples=[3])


class GenreFigures(CardPart):
    """Genre, measured on recordings of artists that are not in the training data."""

    window_accuracy: Figure = Field(description="Share of 15 s windows with the right genre.")
    window_macro_f1: Figure = Field(description="Mean F1 of the genres, by 15 s window.")
    clip_accuracy: Figure = Field(description="Share of whole recordings with the right genre.")
    clip_macro_f1: Figure = Field(description="Mean F1 of the genres, by whole recording.")
    phone_accuracy: Figure = Field(
        description="Share of whole recordings with the right genre when a simulated phone records "
        "them."
    )
    calibration_error: Figure = Field(
        description="Expected calibration error of the top genre's probability, 15 bins, by 15 s "
        "window."
    )
    clip_calibration_error: Figure = Field(
        description="The same error by whole recording. Its probabilities are means over windows."
    )
    unknown_auroc: Figure | None = Field(
        description="Area under the ROC curve of `known`, the genres against other music; "
        "null if no other music was measured."
    )
    music_auroc: Figure | None = Field(
        description="Area under the ROC curve of `music`, recordings against synthetic sounds "
        "that are not music; null if none were measured."
    )
    per_genre: list[GenreRow]
    confusion: list[list[int]] | None = Field(
        default=None,
        description="Number of whole recordings by true genre (rows) and top genre (columns), both "
        "in the order of `genres`; null in models before version 4.",
        examples=[[[40, 3], [5, 60]]],
    )
    accuracy_by_seconds: dict[str, Share] = Field(
        description="Share of recordings with the right genre if only the first seconds are used.",
        examples=[{"3": 0.6, "5": 0.65, "10": 0.7, "15": 0.75}],
    )


class EmotionFigures(CardPart):
    """One emotion, measured on labels of one origin."""

    emotion: Emotion
    origin: str = Field(description="Where the labels come from.", examples=["spotify"])
    clips: int = Field(description="Number of recordings.", examples=[514])
    spearman: Figure = Field(description="Rank correlation with the labels.")
    absolute_error: Figure | None = Field(
        default=None,
        description="Mean absolute error; null for labels on another scale.",
    )
    coverage: Figure | None = Field(
        description="Share of labels inside the 80 % interval; null for labels on another scale."
    )


class MoodFigures(CardPart):
    """The mood, measured on labels of valence and energy of one origin."""

    origin: str = Field(description="Where the labels come from.", examples=["emotify-votes"])
    clips: int = Field(description="Number of recordings.", examples=[72])
    accuracy: Figure = Field(description="Share of recordings with the mood of their labels.")
    commonest: Share = Field(
        description="Share of the most frequent mood of the labels: the accuracy of a constant "
        "prediction."
    )


class VerdictRow(CardPart):
    """The verdicts on recordings of one kind."""

    kind: str = Field(
        description="Music of the genres, other music, or no music.", examples=["genres"]
    )
    clips: int = Field(examples=[678])
    verdicts: dict[str, Share] = Field(
        description="Share of each verdict.", examples=[{"confident": 0.7, "mixed": 0.2}]
    )
    confident_accuracy: Share | None = Field(
        description="Share of the confident answers with the right genre; null if there are none, "
        "or if the recordings have no genre."
    )


class Measured(CardPart):
    """All figures of one set of held-out recordings."""

    genre: GenreFigures
    emotion: list[EmotionFigures]
    mood: list[MoodFigures] = []
    verdicts: list[VerdictRow]


class NeighbourRow(CardPart):
    """How often the nearest recordings, by cosine, are of the same kind.

    Recordings with a genre; each is compared with all others of its set.
    """

    vectors: str = Field(
        description="What is compared: the embedding, the means of 20 MFCCs, or chance, which is "
        "the expected share for a random order.",
        examples=["embedding"],
    )
    recordings: str = Field(
        description="The set: all recordings, or those of the test part, of which the network "
        "heard nothing in training.",
        examples=["test"],
    )
    clips: int = Field(description="Number of recordings.", examples=[678])
    nearest_genre: Share = Field(
        description="Share of recordings whose nearest of another artist has the same genre."
    )
    genre_precision: Share = Field(
        description="Share of the ten nearest of other artists that have the same genre."
    )
    artist_precision: Share | None = Field(
        description="Share of the ten nearest that are of the same artist or album, over the "
        "recordings whose artist has another; null if there are none."
    )


class FeatureFidelity(CardPart):
    """How closely an audio-feature follows that of the network that taught it.

    Both are networks: this is no measure of how right they are.
    """

    feature: Taught = Field(examples=["acousticness"])
    clips: int = Field(description="Number of test recordings.", examples=[678])
    spearman: float = Field(ge=-1, le=1, description="Rank correlation.", examples=[0.9])
    absolute_error: Share = Field(description="Mean absolute difference.", examples=[0.06])


class Figures(CardPart):
    """All figures of the model."""

    folds: Measured = Field(
        description="Cross-validation over folds grouped by artist: each recording is predicted "
        "once, by models trained on the other folds in the same way as the model in this file. "
        "Equal to `test` if no folds were trained."
    )
    test: Measured = Field(description="This model on the test part of the split.")
    neighbours: list[NeighbourRow] = Field(
        default=[], description="Figures of the embedding; none for a model without one."
    )
    features: list[FeatureFidelity] = Field(
        default=[],
        description="Fidelity of the `features` to the network that taught them, test recordings.",
    )


class Thresholds(CardPart):
    """Thresholds of the verdicts, chosen on the validation data."""

    silence_dbfs: float = Field(
        description="Peak level, dBFS. A recording at or below it is silence.", examples=[-60]
    )
    music: Share = Field(description="Minimum probability of music.", examples=[0.5])
    known: Share = Field(description="Minimum probability of a known genre.", examples=[0.5])
    margin: Share = Field(
        description="Minimum difference between the two most probable genres.", examples=[0.2]
    )


class EmbeddingSpace(CardPart):
    """What the model's embedding is. Vectors of different spaces cannot be compared."""

    space: str = Field(
        description="Name of the space: name and version of the model.", examples=["fifteen-4"]
    )
    dimensions: int = Field(
        ge=1, le=MAX_DIMENSIONS, description="Number of values of a vector.", examples=[128]
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
        description="The emotions that the model predicts, in the order of its output."
    )
    features: list[Taught] = Field(
        default=[],
        description="Further audio-features that the model predicts, in the order of its output. "
        "They are taught by another network only; `figures` has the fidelity to it. Empty in "
        "models before version 4.",
        examples=[["acousticness", "instrumentalness", "liveness", "speechiness"]],
    )
    embedding: EmbeddingSpace | None = Field(
        default=None,
        description="The embedding of the model; null if it has none, as before version 4.",
    )
    network: Network
    data: Data
    figures: Figures
    corpus: str | None = Field(
        default=None,
        description="Identifies the corpus that the figures were measured on: SHA-256 of the ids, "
        "groups, splits and labels of its recordings. Null in models before version 4.",
        pattern=r"^[0-9a-f]{64}$",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    thresholds: Thresholds
    intervals: dict[Emotion, Share] = Field(
        description="Half the width of each emotion's 80 % interval, by split conformal "
        "prediction on the validation data.",
        examples=[{"valence": 0.17, "energy": 0.14, "danceability": 0.1}],
    )
    percentiles: dict[Emotion, Percentiles] = Field(
        default={},
        description="Each emotion's scores at the percentiles 0 to 100 of the reference, to place "
        "a score in it: a published table of Spotify's values for the shipped model, the training "
        "corpus for a model whose corpus has no quantiles.",
    )
    limits: list[str] = Field(description="Limitations that the figures do not show.")
    front_end: dict[str, float] = Field(
        description="Parameters of the front-end that the model was trained with.",
        examples=[{"sample_rate": 22050, "n_mels": 128}],
    )
    signature: list[float] = Field(
        description="Output of that front-end for a fixed recording: one level a mel band, dB."
    )
    reference_answer: list[float] = Field(
        description="Output of the model for that recording: genre probabilities, emotion, music, "
        "known and, if the model has them, features and embedding."
    )
