"""The public answers, as they appear in JSON and in the OpenAPI document.

Conventions
-----------
* A probability and an emotion are in [0, 1].
* The unit of a number ends its name: ``_seconds``, ``_ms``, ``_dbfs``, ``_bytes``; a sample rate
  is in hertz.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.card import Card, Emotion, Share
from service.mood import Mood
from service.verdict import Verdict


class Answer(BaseModel):
    """Base of the public answers."""

    model_config = ConfigDict(frozen=True)


Digest = Annotated[
    str,
    Field(
        description="SHA-256 of the model file: what it answers changes only if this does.",
        examples=["sha256:6a1c5b0d0f0e5a4c3b2a19080706050403020100ffeeddccbbaa998877665544"],
    ),
]


class GenreProbability(Answer):
    """How probable one genre is."""

    genre: str = Field(examples=["house"])
    probability: Share = Field(examples=[0.64])


class AudioFacts(Answer):
    """What was found in the upload."""

    container: str = Field(description="Container format.", examples=["webm"])
    codec: str = Field(description="Codec, as FFmpeg names it.", examples=["opus"])
    sample_rate: int = Field(description="Hz, as encoded.", examples=[48_000])
    channels: int = Field(description="As encoded; they are averaged.", examples=[1])
    duration_seconds: float = Field(description="Of what was decoded.", examples=[15.02])
    analysed_seconds: float = Field(
        description="What the answer is about: windows of 15 s that hold sound. Silent windows and "
        "a remainder of less than 3 s are left out.",
        examples=[15.0],
    )
    truncated: bool = Field(description="Whether the recording went on after that.")
    peak_dbfs: float = Field(description="Level of the loudest sample, dBFS.", examples=[-6.0])
    rms_dbfs: float = Field(
        description="Level of the whole recording, dBFS; -120 for silence.", examples=[-18.4]
    )


WarningType = Literal["clipped", "very_quiet", "narrow_band", "damaged", "out_of_phase"]


class Warned(Answer):
    """What is wrong with the recording, though it was analysed."""

    type: WarningType = Field(description="For programs. More may be added.", examples=["clipped"])
    detail: str = Field(
        description="For people, with what to do about it.",
        examples=["12% of the samples are at full scale: record at a lower level."],
    )


class EmotionRange(Answer):
    """How far an emotion's score can be trusted, and where it stands."""

    low: Share = Field(description="Lower end of the score's 80 % interval.", examples=[0.48])
    high: Share = Field(description="Upper end of the score's 80 % interval.", examples=[0.8])
    percentile: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Share of the reference corpus that scores less, in percent: to move a "
        "threshold over from another scale. Null where the model's card has no percentiles.",
        examples=[71.5],
    )


class Heard(Answer):
    """What a model hears, averaged over windows of 15 s, or in one of them."""

    genre: str = Field(description="The most probable genre.", examples=["house"])
    genres: list[GenreProbability] = Field(
        description="Every genre, the most probable first; the probabilities sum to 1."
    )
    music: Share = Field(description="Probability that this is music at all.", examples=[0.99])
    known: Share = Field(
        description="Probability that, being music, it is of one of the genres.", examples=[0.92]
    )
    valence: Share | None = Field(
        None, description="From sad or angry, 0, to cheerful, 1.", examples=[0.71]
    )
    energy: Share | None = Field(None, description="From calm, 0, to intense, 1.", examples=[0.66])
    danceability: Share | None = Field(
        None, description="How well one can dance to it.", examples=[0.83]
    )
    mood: Mood | None = Field(
        None,
        description="The quarter of the plane of valence and energy (Russell, 1980) that it is in, "
        "parted at 0.5.",
        examples=["joyful"],
    )


class Span(Answer):
    """Where a window is in the recording."""

    start_seconds: float = Field(examples=[15.0])
    end_seconds: float = Field(examples=[30.0])


class HeardWindow(Heard, Span):
    """What a model hears in one window."""

    silence: bool = Field(
        default=False,
        description="Whether the window is silent: then its scores mean nothing, and the answer "
        "for the recording leaves them out.",
        examples=[False],
    )


class ModelName(Answer):
    """Which model answered."""

    name: str = Field(examples=["fifteen"])
    version: str = Field(examples=["1"])
    digest: Digest


class Timings(Answer):
    """Where the time went, in milliseconds."""

    queue_ms: float = Field(default=0, description="Waiting for a turn.", examples=[0.4])
    decode_ms: float = Field(description="Decoding, down-mix and resampling.", examples=[41.3])
    spectrogram_ms: float = Field(description="Windows and spectrograms.", examples=[11.9])
    inference_ms: float = Field(description="The network, all windows as one batch.", examples=[3])


ANALYSIS: JsonDict = json.loads(Path(__file__).with_name("example.json").read_text())
"""The answer to ``tests/clip.m4a``, for the documentation; the README prints it, too."""


class Judged(Answer):
    """What an answer is worth."""

    verdict: Verdict = Field(
        description="What the answer is worth: confident, mixed (two genres are too close to "
        "call), unknown_genre (music, but of another genre), not_music or silence. The thresholds "
        "are on the model's card.",
        examples=["confident"],
    )
    reason: str = Field(
        description="The verdict in a sentence for a person.",
        examples=["This sounds like house."],
    )


class Analysis(Heard, Judged):
    """What a model hears in a recording, averaged over its windows of 15 s that hold sound.

    Read the verdict first: genres and emotion are there whatever it is, and mean little for what
    is silent or no music. An emotion is null if the model has not learnt it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [ANALYSIS]})

    emotion: dict[Emotion, EmotionRange] = Field(
        description="Of each emotion that the model has learnt, how far its score can be trusted "
        "and where it stands."
    )
    warnings: list[Warned] = Field(
        description="What is wrong with the recording and may spoil the answer."
    )
    timeline: list[HeardWindow] | None = Field(
        None, description="What is heard in each window, where it was asked for."
    )
    audio: AudioFacts
    model: ModelName
    timings: Timings


class Health(Answer):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Ready(Answer):
    """Models are verified, decoders proved."""

    status: Literal["ready"] = "ready"


class ModelSummary(ModelName):
    """A model in a list."""

    description: str = Field(description="What the model is, in a sentence or two.")
    genres: list[str] = Field(description="The genres that it tells apart.")
    default: bool = Field(description="Whether it answers where no model is asked for.")


class ModelList(Answer):
    """The installed models, by name."""

    models: list[ModelSummary]


class ModelCard(Card):
    """A model's card and the digest of the file that holds it."""

    digest: Digest


class Limits(Answer):
    """What is accepted, in numbers."""

    min_seconds: float = Field(description="Shortest recording.", examples=[3])
    max_seconds: float = Field(
        description="Where decoding stops: what follows is left out.", examples=[600]
    )
    min_sample_rate: int = Field(description="Hz.", examples=[8_000])
    max_sample_rate: int = Field(description="Hz.", examples=[192_000])
    max_channels: int = Field(examples=[8])
    max_upload_bytes: int = Field(description="Largest request body.", examples=[33_554_432])
    upload_seconds: float = Field(
        description="Longest that a body may take to arrive.", examples=[60]
    )
    decode_seconds: float = Field(description="Longest that decoding may take.", examples=[20])
    workers: int = Field(description="Processes that answer.", examples=[1])
    max_uploads: int = Field(
        description="Bodies that a process holds at the same time.", examples=[32]
    )
    concurrency: int = Field(
        description="Recordings that a process analyses at the same time.", examples=[2]
    )
    queue_length: int = Field(description="Recordings that wait in a process.", examples=[16])
    max_batch_files: int = Field(description="Files of one batch.", examples=[16])


class Accepted(Answer):
    """What is accepted, by name."""

    containers: list[str] = Field(
        description="Recognised by their content.", examples=[["wav", "mp3", "webm"]]
    )
    media_types: list[str] = Field(
        description="For the Content-Type of a request.",
        examples=[["multipart/form-data", "audio/*"]],
    )


PROBLEM_TYPES = "urn:problem-type:fifteen:"
"""Precedes the slug of every problem's type."""


class Problem(Answer):
    """Why a request failed; RFC 9457, ``application/problem+json``.

    `limits` and `accepted` are members only where they help.
    """

    type: str = Field(
        description="What went wrong, for programs: it stays when wording changes.",
        examples=["urn:problem-type:fifteen:clip-too-short"],
    )
    title: str = Field(description="The type in words.", examples=["Clip too short"])
    status: int = Field(description="HTTP status.", examples=[422])
    detail: str = Field(
        description="What went wrong this time, for people.",
        examples=["Send at least 3 s of audio; this is 1.2 s."],
    )
    instance: str | None = Field(None, description="Path of the request.", examples=["/v1/analyze"])
    limits: Limits | None = Field(None, description="What would have been accepted.")
    accepted: Accepted | None = Field(None, description="What would have been accepted.")


class BatchResult(Answer):
    """The answer to one file of several: an analysis or a problem."""

    filename: str = Field(description="As the form names it.", examples=["clip.m4a"])
    status: int = Field(
        description="HTTP status that the file would have been answered with by itself.",
        examples=[200],
    )
    analysis: Analysis | None = Field(default=None, description="Where the status is 200.")
    problem: Problem | None = Field(default=None, description="Where it is not.")


class Batch(Answer):
    """The answers to several files, in their order."""

    results: list[BatchResult]


class ServerLive(Answer):
    """The process is alive, in KServe's words."""

    live: Literal[True] = True


class ServerReady(Answer):
    """Requests are welcome, in KServe's words."""

    ready: Literal[True] = True


class ModelReady(Answer):
    """A model may be asked, in KServe's words."""

    name: str = Field(examples=["fifteen"])
    ready: Literal[True] = True


class Tensor(Answer):
    """What goes into a model, or comes out."""

    name: str = Field(examples=["log_mel"])
    datatype: Literal["FP32"] = "FP32"
    shape: list[int] = Field(description="-1 for any number of windows.", examples=[[-1, 128, 451]])


class ModelMetadata(Answer):
    """A model and its tensors, in KServe's words."""

    name: str = Field(examples=["fifteen"])
    versions: list[str] = Field(examples=[["1"]])
    platform: Literal["onnxruntime_onnx"] = "onnxruntime_onnx"
    inputs: list[Tensor]
    outputs: list[Tensor]
