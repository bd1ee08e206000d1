"""The file of a head: what it was taught on, how right it is, and its numbers. It is JSON."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.card import HEAD_NAME, MAX_DIMENSIONS, CardPart, Share

Vector = list[float]


class LabelRow(CardPart):
    """Figures of one label."""

    label: str = Field(examples=["shoegaze"])
    tracks: int = Field(description="Number of recordings.", examples=[12])
    groups: int = Field(description="Number of their albums.", examples=[5])
    precision: Share = Field(examples=[0.8])
    recall: Share = Field(examples=[0.67])


class HeadFigures(CardPart):
    """Figures by cross-validation: each recording is judged by a head taught without its album."""

    folds: int = Field(description="Number of folds.", examples=[5])
    tracks: int = Field(description="Number of recordings.", examples=[48])
    groups: int = Field(
        description="Number of albums; a recording outside of an album counts as one.",
        examples=[20],
    )
    feedback: int = Field(
        0,
        ge=0,
        description="Number of recordings that are feedback of senders. Their artists are not "
        "known; each counts as an album.",
    )
    feedback_accuracy: Share | None = Field(
        None, description="Share of these with the right label; null if there are none."
    )
    accuracy: Share = Field(description="Share of recordings with the right label.")
    balanced_accuracy: Share = Field(description="Mean recall of the labels.")
    commonest: Share = Field(description="Share of the most frequent label.")
    calibration_error: Share = Field(
        description="Expected calibration error of the top label's probability, 10 bins. The "
        "temperature is fitted to the other folds."
    )
    kept: Share = Field(
        description="Share of recordings that are not judged to be none of the labels. The limit "
        "is chosen on the other folds."
    )
    left_out_refused: Share = Field(
        description="Share of recordings of a label that are judged to be none of the labels, if "
        "that label is left out of the teaching; the mean over the labels."
    )
    labels: list[LabelRow]
    confusion: list[list[int]] = Field(
        description="Number of recordings by their label (rows) and the top label (columns)."
    )


class HeadCard(CardPart):
    """A head and its card.

    The score of a label is the product of its row of `weights` with the embedding, plus its
    `bias`; their softmax gives probabilities, which are calibrated. The distance of an embedding is
    1 less its largest product with a row of `centres`.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    format: Literal[1] = 1
    name: str = Field(pattern=HEAD_NAME, examples=["mine"])
    created: str = Field(description="Date, UTC.", examples=["2026-03-01"])
    labels: list[str] = Field(min_length=2)
    space: str = Field(description="The space of the embedding.", examples=["fifteen-4"])
    model: str = Field(description="Digest of the model file that gave the embeddings.")
    reference: Vector = Field(
        max_length=MAX_DIMENSIONS,
        description="Embedding of the front-end's reference recording: it identifies the space "
        "also where two networks have the same name.",
    )
    figures: HeadFigures
    temperature: float = Field(gt=0, description="The scores are already divided by it.")
    weights: list[Vector]
    bias: list[float]
    centres: list[Vector] = Field(description="Mean embedding of each label, of length 1.")
    limit: float = Field(ge=0, description="Recordings at a larger distance are none of these.")

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        labels, dimensions = len(self.labels), len(self.reference)
        if len(set(self.labels)) < labels:
            raise ValueError("a label is there twice")
        if {len(self.weights), len(self.bias), len(self.centres)} != {labels} or {
            *map(len, (*self.weights, *self.centres))
        } != {dimensions}:
            raise ValueError("the shapes of the numbers differ")
        return self
