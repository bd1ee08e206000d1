"""The messages of ``/v1/live``, as JSON. Each has its name in the member ``message``.

The client sends a `LiveStart`, then the bytes of its recording as binary messages, then a
`LiveEnd`. The service sends a `LiveReady`, now and then a `LiveRunning`, and at the end a
`LiveFinal` or a `LiveProblem`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.audio import MAX_RATE, MIN_RATE, WINDOW_SECONDS
from service.card import Emotion
from service.schemas import (
    Analysis,
    Answer,
    EmotionRange,
    HeardWindow,
    Judgement,
    ModelName,
    Prediction,
    Problem,
)

ROLLING_SECONDS = 300.0  # which the answers of one that listens for hours are about

Encoding = Literal["s16le", "f32le"]


class _Sent(BaseModel):
    """Base of what the client sends; an unknown member is a mistake that it should learn of."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LivePcm(_Sent):
    """The form of samples without a container."""

    encoding: Encoding = Field(
        description="Little-endian: integers of 16 bits, or floats of 32 bits with full scale 1."
    )
    sample_rate: int = Field(ge=MIN_RATE, le=MAX_RATE, description="Hz.", examples=[48_000])
    channels: Literal[1, 2] = Field(1, description="Interleaved, if there are two.")


class LiveStart(_Sent):
    """The first message of the client."""

    message: Literal["start"]
    key: str | None = Field(
        None,
        max_length=256,
        description="The API key, if the service needs one and the request had no Authorization "
        "header: pages cannot set headers of a WebSocket.",
    )
    model: str | None = Field(
        None, max_length=64, description="As the parameter of `POST /v1/analyze`."
    )
    timeline: bool = Field(
        default=False, description="Whether the final answer has the prediction for each window."
    )
    embedding: bool = Field(default=False, description="Whether the final answer has a vector.")
    head: str | None = Field(
        None,
        max_length=64,
        description="The head of the operator whose labels the final answer has; see /v1/heads.",
    )
    rolling: bool = Field(
        default=False,
        description="Whether to listen for hours. Then the answers are about the last minutes, the "
        "beginning is forgotten, and there is no final answer.",
    )
    rolling_seconds: float = Field(
        ROLLING_SECONDS,
        ge=WINDOW_SECONDS,
        le=ROLLING_SECONDS,
        description="What the answers are about, if it listens for hours: so much of the end, in "
        "whole windows of 15 s, and the rest after them.",
    )
    pcm: LivePcm | None = Field(
        None, description="For samples without a container. The default is a file in a container."
    )


class LiveEnd(_Sent):
    """The last message of the client: the recording is complete."""

    message: Literal["end"]


class LiveReady(Answer):
    """The service is ready for the recording."""

    message: Literal["ready"]
    model: ModelName


class LiveRunning(Prediction, Judgement):
    """What `POST /v1/analyze` would answer if the recording ended here."""

    message: Literal["running"]
    heard_seconds: float = Field(description="Sound that has been heard.", examples=[22.5])
    emotion: dict[Emotion, EmotionRange] = Field(
        description="As in the answer of `POST /v1/analyze`."
    )
    certain: bool = Field(
        description="Whether the verdict is confident, and the genre the same as in the message "
        "before.",
    )
    timeline: list[HeardWindow] = Field(
        description="The prediction for each window of 15 s that was completed since the message "
        "before."
    )


class LiveFinal(Answer):
    """The answer to the whole recording. The service closes the connection after it."""

    message: Literal["final"]
    analysis: Analysis = Field(description="The same that `POST /v1/analyze` answers.")


class LiveProblem(Problem):
    """Why there is no answer. The service closes the connection after it, with 4000 + `status`."""

    message: Literal["problem"]
    retry_after: int | None = Field(
        None, description="Seconds after which the same may succeed.", examples=[1]
    )


SENT: TypeAdapter[LiveStart | LiveEnd] = TypeAdapter(
    Annotated[LiveStart | LiveEnd, Field(discriminator="message")]
)
ANSWERED: TypeAdapter[LiveReady | LiveRunning | LiveFinal | LiveProblem] = TypeAdapter(
    Annotated[LiveReady | LiveRunning | LiveFinal | LiveProblem, Field(discriminator="message")]
)
