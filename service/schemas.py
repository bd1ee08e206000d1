"""The responses of the API, as in the JSON and in the OpenAPI document.

Conventions
-----------
* Probabilities and emotions are in [0, 1].
* Names end in the unit: ``_seconds``, ``_ms``, ``_dbfs``, ``_bytes``. Sample rates are in hertz.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.card import HEAD_NAME, MAX_DIMENSIONS, Card, Emotion, Share
from service.mood import Mood
from service.music import Mode
from service.verdict import Verdict

MAX_LABEL = 256  # characters in a request


class Answer(BaseModel):
    """Base of the responses."""

    model_config = ConfigDict(frozen=True)


Digest = Annotated[
    str,
    Field(
        description="SHA-256 of the model file. Answers change only if this changes.",
        examples=["sha256:6a1c5b0d0f0e5a4c3b2a19080706050403020100ffeeddccbbaa998877665544"],
    ),
]


class GenreProbability(Answer):
    """The probability of one genre."""

    genre: str = Field(examples=["house"])
    probability: Share = Field(examples=[0.64])


class AudioFacts(Answer):
    """Properties of the recording."""

    container: str = Field(description="Container format.", examples=["webm"])
    codec: str = Field(description="Codec, as FFmpeg names it.", examples=["opus"])
    sample_rate: int = Field(description="Hz, as encoded.", examples=[48_000])
    channels: int = Field(description="As encoded; the analysis averages them.", examples=[1])
    duration_seconds: float = Field(description="Length of the decoded sound.", examples=[15.02])
    analysed_seconds: float = Field(
        description="Sound that the answer covers, in windows of 15 s. Silent windows and a "
        "remainder of less than 3 s are left out.",
        examples=[15.0],
    )
    truncated: bool = Field(description="Whether the recording is longer than the decoded sound.")
    peak_dbfs: float = Field(description="Level of the loudest sample, dBFS.", examples=[-6.0])
    rms_dbfs: float = Field(
        description="Level of the whole recording, dBFS; -120 for silence.", examples=[-18.4]
    )


WarningType = Literal["clipped", "very_quiet", "narrow_band", "damaged", "out_of_phase"]


class Warned(Answer):
    """A defect of the recording, which was analysed nevertheless."""

    type: WarningType = Field(description="For programs. More may be added.", examples=["clipped"])
    detail: str = Field(
        description="For people, with advice.",
        examples=["12% of the samples are at full scale: record at a lower level."],
    )


class EmotionRange(Answer):
    """The uncertainty of an emotion's score, and its place in the reference corpus."""

    low: Share = Field(description="Lower end of the score's 80 % interval.", examples=[0.48])
    high: Share = Field(description="Upper end of the score's 80 % interval.", examples=[0.8])
    percentile: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Share of the reference corpus with a lower score, in percent. It helps to "
        "convert a threshold from another scale. Null if the model's card has no percentiles.",
        examples=[71.5],
    )


class TempoCandidate(Answer):
    """One possible tempo."""

    bpm: float = Field(description="Beats a minute.", examples=[124.02])
    probability: Share = Field(examples=[0.81])


class TempoFound(Answer):
    """The tempo of a recording. It is hard to tell from its half and its double."""

    bpm: float = Field(description="The most probable tempo, beats a minute.", examples=[124.02])
    confidence: Share = Field(description="Its probability.", examples=[0.81])
    candidates: list[TempoCandidate] = Field(
        description="Five tempi, the most probable first, and half and double of the first. "
        "The probabilities sum to at most 1; the rest is for others, and for no steady beat."
    )


class KeyCandidate(Answer):
    """One possible key."""

    tonic: str = Field(description="C, C#, Db, D, Eb, E, F, F#, G, G#, Ab, A, Bb or B.")
    mode: Mode = Field(description="Major or minor.", examples=["minor"])
    probability: Share = Field(examples=[0.52])


class KeyFound(KeyCandidate):
    """The key of a recording."""

    candidates: list[KeyCandidate] = Field(
        description="Five keys, the most probable first. The probabilities sum to at most 1; the "
        "rest is for others, and for no key."
    )


class LoudnessFound(Answer):
    """The loudness of the recording as it is encoded, on its own channels (EBU R 128)."""

    integrated_lufs: float | None = Field(
        description="Loudness of the whole, LUFS. A mono recording counts as one channel. Null if "
        "nothing is louder than -70 LUFS for 400 ms.",
        examples=[-14.2],
    )
    true_peak_dbtp: float = Field(
        description="Highest level, also between samples, dBTP; -120 for silence.", examples=[-0.8]
    )


class Features(Answer):
    """Audio-features under the names, types and scales of Spotify's interface."""

    tempo: float = Field(description="Beats a minute; 0 if there is no beat.", examples=[124.02])
    key: int = Field(
        ge=-1, le=11, description="Tonic as a pitch class, 0 for C; -1 for none.", examples=[9]
    )
    mode: Literal[0, 1] = Field(
        description="0 for minor, 1 for major, also if there is no key.", examples=[0]
    )
    loudness: float = Field(description="LUFS; -60 if there is none.", examples=[-14.2])
    duration_ms: int = Field(description="Length of the decoded sound.", examples=[15_020])
    danceability: Share | None = Field(
        default=None, description="As in the answer.", examples=[0.83]
    )
    energy: Share | None = Field(default=None, description="As in the answer.", examples=[0.66])
    valence: Share | None = Field(default=None, description="As in the answer.", examples=[0.71])
    acousticness: Share | None = Field(
        default=None,
        description="How surely the instruments are acoustic. Another network taught this and the "
        "following to the model; its card has the fidelity. Null for a model without them.",
        examples=[0.12],
    )
    instrumentalness: Share | None = Field(
        default=None, description="How surely there are no vocals.", examples=[0.81]
    )
    liveness: Share | None = Field(
        default=None, description="How surely an audience is present.", examples=[0.14]
    )
    speechiness: Share | None = Field(
        default=None, description="How much of it is spoken.", examples=[0.05]
    )


class EmbeddingFound(Answer):
    """A vector that is near those of similar recordings."""

    space: str = Field(
        description="Name of the space: name and version of the model. Vectors of different "
        "spaces cannot be compared.",
        examples=["fifteen-4"],
    )
    values: list[float] = Field(
        description="At most 128 numbers, as a vector of length 1. The similarity of two "
        "recordings is the cosine, which is the sum of the products: 1 for the same sound.",
        examples=[[0.6, -0.48, 0.64]],
    )


class LabelProbability(Answer):
    """The probability of one of the operator's own labels."""

    label: str = Field(examples=["shoegaze"])
    probability: Share = Field(examples=[0.81])


class HeadFound(Answer):
    """What a head, taught by the operator, says of a recording as a whole."""

    name: str = Field(examples=["mine"])
    digest: str = Field(description="SHA-256 of the head's file.", examples=["sha256:6a1c…"])
    label: str | None = Field(
        description="The most probable label; null if the recording is none of these: its sound "
        "is too far from all that the head was taught, or it holds none.",
        examples=["shoegaze"],
    )
    distance: float = Field(
        description="1 less the cosine to the mean of what was taught of the nearest label.",
        examples=[0.21],
    )
    limit: float = Field(description="Largest distance that is not none of these.", examples=[0.34])


class Prediction(Answer):
    """The prediction of a model for one window of 15 s, or its mean over windows."""

    genre: str = Field(description="The most probable genre.", examples=["house"])
    genres: list[GenreProbability] = Field(
        description="Every genre, the most probable first; the probabilities sum to 1."
    )
    music: Share = Field(description="Probability that this is music.", examples=[0.99])
    known: Share = Field(
        description="Probability that this, if it is music, is of one of the genres.",
        examples=[0.92],
    )
    valence: Share | None = Field(
        None, description="From sad or angry (0) to cheerful (1).", examples=[0.71]
    )
    energy: Share | None = Field(None, description="From calm (0) to intense (1).", examples=[0.66])
    danceability: Share | None = Field(
        None, description="How suitable it is for dancing, from 0 to 1.", examples=[0.83]
    )
    mood: Mood | None = Field(
        None,
        description="Quadrant in the plane of valence and energy (Russell, 1980), divided at the "
        "medians of the reference, the 50th of the card's percentiles.",
        examples=["joyful"],
    )


class Span(Answer):
    """The position of a window in the recording."""

    start_seconds: float = Field(examples=[15.0])
    end_seconds: float = Field(examples=[30.0])


class HeardWindow(Prediction, Span):  # its name is in the OpenAPI document
    """The prediction for one window."""

    silence: bool = Field(
        default=False,
        description="Whether the window is silent. If so, its scores mean nothing, and the mean of "
        "the recording leaves them out.",
        examples=[False],
    )


class ModelName(Answer):
    """The model of an answer."""

    name: str = Field(examples=["fifteen"])
    version: str = Field(examples=["1"])
    digest: Digest


class Timings(Answer):
    """The duration of each stage, in milliseconds."""

    queue_ms: float = Field(default=0, description="Time in the queue.", examples=[0.4])
    decode_ms: float = Field(
        description="Decoding, loudness, down-mix and resampling.", examples=[41.3]
    )
    music_ms: float = Field(description="Tempo and key.", examples=[6.1])
    spectrogram_ms: float = Field(description="Windows and spectrograms.", examples=[11.9])
    inference_ms: float = Field(description="The network, for all windows.", examples=[3])


ANALYSIS: JsonDict = json.loads(Path(__file__).with_name("example.json").read_text())
"""The answer to ``tests/clip.m4a``, as an example for the documentation and the README."""


class Judgement(Answer):
    """How far an answer can be trusted."""

    verdict: Verdict = Field(
        description="How far the answer can be trusted: confident, mixed (two genres are too close "
        "to decide), unknown_genre (music of another genre), not_music or silence. The model's "
        "card has the thresholds.",
        examples=["confident"],
    )
    reason: str = Field(
        description="The verdict in a sentence for people.",
        examples=["This sounds like house."],
    )


class Analysis(Prediction, Judgement):
    """The analysis of a recording, averaged over its windows of 15 s that hold sound.

    Read the verdict first. Genres and emotions are always present, but mean little for silence
    and for sounds that are not music. An emotion is null if the model does not predict it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [ANALYSIS]})

    emotion: dict[Emotion, EmotionRange] = Field(
        description="For each emotion that the model predicts, the uncertainty of its score and "
        "its place in the reference corpus."
    )
    tempo: TempoFound | None = Field(
        description="Null if there is no steady beat, or the verdict is not_music or silence. A "
        "long recording is measured on eight parts of 15 s, spread over it."
    )
    key: KeyFound | None = Field(
        description="Null if there is none, or the verdict is not_music or silence. Measured on "
        "the same parts."
    )
    loudness: LoudnessFound
    features: Features
    warnings: list[Warned] = Field(
        description="Defects of the recording that may affect the answer. They do not change the "
        "verdict, which is about the sound that could be decoded."
    )
    timeline: list[HeardWindow] | None = Field(
        None, description="The prediction for each window, if the request asks for it."
    )
    embedding: EmbeddingFound | None = Field(
        None, description="What similar recordings are near to, if the request asks for it."
    )
    labels: list[LabelProbability] | None = Field(
        None,
        description="The operator's own labels, the most probable first, if the request names a "
        "head; the probabilities sum to 1. Read `head` first.",
    )
    head: HeadFound | None = Field(
        None, description="The verdict of the head, if the request names one."
    )
    audio: AudioFacts
    model: ModelName
    timings: Timings


class Health(Answer):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Ready(Answer):
    """The models and decoders are verified."""

    status: Literal["ready"] = "ready"


class ModelSummary(ModelName):
    """A model in a list."""

    description: str = Field(description="What the model is, in a sentence or two.")
    genres: list[str] = Field(description="The genres that it distinguishes.")
    default: bool = Field(description="Whether it is used if a request names no model.")


class ModelList(Answer):
    """The installed models, by name."""

    models: list[ModelSummary]


class ModelCard(Card):
    """A model's card and the digest of its file."""

    digest: Digest


class Neighbour(Answer):
    """A recording of the operator's library."""

    path: str = Field(
        description="Relative to the folder of the library.", examples=["Artist/Album/01 Song.flac"]
    )
    cosine: float = Field(
        ge=-1, le=1, description="Similarity: 1 for the same sound.", examples=[0.93]
    )
    genre: str | None = Field(description="As in its analysis.", examples=["house"])
    mood: Mood | None = Field(description="As in its analysis.", examples=["joyful"])


class Similar(Answer):
    """The recordings of the operator's library that are the most similar to an upload."""

    neighbours: list[Neighbour] = Field(description="The most similar first.")
    compared: int = Field(
        description="Number of recordings that match the filters.", examples=[8_412]
    )
    model: ModelName


class Sent(BaseModel):
    """Base of what a client sends as JSON; an unknown member is a mistake to learn of."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FeedbackEmbedding(Sent):
    """The member `embedding` of the answer that the feedback is about."""

    space: str = Field(max_length=64, examples=["fifteen-4"])
    values: list[float] = Field(
        max_length=MAX_DIMENSIONS,
        description="A vector of length 1.",
        examples=[[0.6, -0.48, 0.64]],
    )


class FeedbackSent(Sent):
    """What is right in place of an answer."""

    label: str = Field(
        max_length=MAX_LABEL,
        description="The right genre, or with `head` the right label of it.",
        examples=["jazz"],
    )
    head: str | None = Field(
        None, pattern=HEAD_NAME, description="The head that the label is of.", examples=["mine"]
    )
    answered: str | None = Field(
        None,
        max_length=MAX_LABEL,
        description="What the service had answered, of the same genres or labels.",
        examples=["house"],
    )
    embedding: FeedbackEmbedding = Field(
        description="As the answer has it if the request asks for it with `embedding=true`."
    )


class FeedbackStored(Answer):
    """Feedback that is stored now."""

    id: str = Field(
        description="Deletes it: `DELETE /v1/feedback/{id}`. Keep it; nothing lists it.",
        examples=["0f8fad5b-d9cb-469f-a165-70867728950e"],
    )
    created: str = Field(description="UTC.", examples=["2026-03-01T12:00:00+00:00"])


class HeadSummary(Answer):
    """A head of the operator, with its figures by cross-validation."""

    name: str = Field(description="As in `?head=`.", examples=["mine"])
    digest: str = Field(description="SHA-256 of the file.", examples=["sha256:6a1c…"])
    created: str = Field(description="Date.", examples=["2026-03-01"])
    space: str = Field(description="Of the embedding that it reads.", examples=["fifteen-4"])
    labels: list[str] = Field(examples=[["shoegaze", "dream pop"]])
    tracks: int = Field(description="Recordings that were taught.", examples=[48])
    accuracy: Share = Field(description="Share of them with the right label.", examples=[0.83])
    kept: Share = Field(
        description="Share of them that are not judged to be none of these.", examples=[0.9]
    )
    left_out_refused: Share = Field(
        description="Share of the recordings of a label that are judged to be none of these if the "
        "label is not taught.",
        examples=[0.6],
    )


class HeadList(Answer):
    """The loaded heads, by name."""

    heads: list[HeadSummary]


class Limits(Answer):
    """The limits of the service."""

    min_seconds: float = Field(description="Shortest recording.", examples=[3])
    max_seconds: float = Field(
        description="Decoding stops here; the rest of a recording is ignored.", examples=[600]
    )
    min_sample_rate: int = Field(description="Hz.", examples=[8_000])
    max_sample_rate: int = Field(description="Hz.", examples=[192_000])
    max_channels: int = Field(examples=[8])
    max_upload_bytes: int = Field(description="Largest request body.", examples=[33_554_432])
    upload_seconds: float = Field(description="Read timeout for the request body.", examples=[60])
    decode_seconds: float = Field(description="Decoding timeout.", examples=[20])
    workers: int = Field(description="Server processes.", examples=[1])
    max_uploads: int = Field(
        description="Request bodies that a process holds at the same time.", examples=[32]
    )
    max_live: int = Field(
        description="Live connections that a process holds at the same time.", examples=[16]
    )
    live_seconds: float = Field(
        description="Longest live connection; then the service ends its recording.",
        examples=[14_400],
    )
    max_message_bytes: int = Field(
        description="Largest message of a live connection.", examples=[1_048_576]
    )
    concurrency: int = Field(
        description="Recordings that a process analyses at the same time.", examples=[2]
    )
    queue_length: int = Field(description="Recordings that wait in each process.", examples=[16])
    max_batch_files: int = Field(description="Files in a batch.", examples=[16])
    max_feedback_bytes: int = Field(
        description="Largest body of /v1/feedback; 0 if the service takes no feedback.",
        examples=[16_384],
    )


class Accepted(Answer):
    """The accepted formats."""

    containers: list[str] = Field(
        description="Container formats, recognised by content.", examples=[["wav", "mp3", "webm"]]
    )
    media_types: list[str] = Field(
        description="Values of Content-Type in a request.",
        examples=[["multipart/form-data", "audio/*"]],
    )


PROBLEM_TYPES = "urn:problem-type:fifteen:"
"""The prefix of every problem type."""


class Problem(Answer):
    """Why a request failed; RFC 9457, ``application/problem+json``.

    `limits` and `accepted` are present only where they are relevant.
    """

    type: str = Field(
        description="The kind of problem, for programs. It stays the same if the wording changes.",
        examples=["urn:problem-type:fifteen:clip-too-short"],
    )
    title: str = Field(description="The type in words.", examples=["Clip too short"])
    status: int = Field(description="HTTP status.", examples=[422])
    detail: str = Field(
        description="Explanation of this occurrence, for people.",
        examples=["Send at least 3 s of audio; this is 1.2 s."],
    )
    instance: str | None = Field(None, description="Path of the request.", examples=["/v1/analyze"])
    limits: Limits | None = Field(None, description="The limits of the service.")
    accepted: Accepted | None = Field(None, description="The accepted formats.")


class BatchResult(Answer):
    """The response to one file of a batch: an analysis or a problem."""

    filename: str = Field(description="As in the form.", examples=["clip.m4a"])
    status: int = Field(
        description="HTTP status of the response if the file were sent alone.",
        examples=[200],
    )
    analysis: Analysis | None = Field(default=None, description="Present if the status is 200.")
    problem: Problem | None = Field(default=None, description="Present otherwise.")


class Batch(Answer):
    """The responses to several files, in the order of the form."""

    results: list[BatchResult]


class ServerLive(Answer):
    """The process is alive, in KServe's protocol."""

    live: Literal[True] = True


class ServerReady(Answer):
    """The service is ready, in KServe's protocol."""

    ready: Literal[True] = True


class ModelReady(Answer):
    """A model is ready, in KServe's protocol."""

    name: str = Field(examples=["fifteen"])
    ready: Literal[True] = True


class Tensor(Answer):
    """An input or output of a model."""

    name: str = Field(examples=["log_mel"])
    datatype: Literal["FP32"] = "FP32"
    shape: list[int] = Field(description="-1 for any number of windows.", examples=[[-1, 128, 451]])


class ModelMetadata(Answer):
    """A model and its tensors, in KServe's protocol."""

    name: str = Field(examples=["fifteen"])
    versions: list[str] = Field(examples=[["1"]])
    platform: Literal["onnxruntime_onnx"] = "onnxruntime_onnx"
    inputs: list[Tensor]
    outputs: list[Tensor]
