"""The analysis of recordings over HTTP."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response

from service import audio
from service.analysis import analyze as analyze_upload
from service.schemas import Analysis, Batch, BatchResult, Limits
from service.web import errors, uploads
from service.web.admission import RetryLaterError, cancel_on_disconnect
from service.web.auth import CallerDep
from service.web.cache import client_has, tag_of
from service.web.dependencies import (
    TAKES_RECORDINGS,
    AnswerCacheDep,
    BatchDep,
    LimitsDep,
    MetricsDep,
    QueueDep,
    RequestedHeadDep,
    RequestedModelDep,
    SettingsDep,
    TaxonomyDep,
    UploadDep,
)
from service.web.traces import trace_stages

router = APIRouter(tags=["analysis"], dependencies=TAKES_RECORDINGS)

_BINARY = {"type": "string", "format": "binary"}


def _form(part: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI description of a form with one part."""
    properties = {part: schema}
    return {"schema": {"type": "object", "required": [part], "properties": properties}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI description of a body, by its media types."""
    return {"requestBody": {"required": True, "content": content}}


ONE = _body(
    {uploads.FORM: _form(uploads.FILE_PART, {**_BINARY, "description": "The recording."})}
    | {media_type: {"schema": _BINARY} for media_type in uploads.RAW}
)
_SEVERAL = _body(
    {
        uploads.FORM: _form(
            uploads.FILES_PART,
            {
                "type": "array",
                "items": _BINARY,
                "minItems": 1,
                "maxItems": uploads.MAX_BATCH_FILES,
                "description": "The recordings.",
            },
        )
    }
)
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client has this answer: If-None-Match has its ETag."}
}


@dataclass(frozen=True)
class AnalyzeHandler:
    """Analyzes the recordings of one request with its options.

    It is a dependency: FastAPI fills in the fields.
    """

    settings: SettingsDep
    model: RequestedModelDep
    taxonomy: TaxonomyDep
    queue: QueueDep
    cache: AnswerCacheDep
    metrics: MetricsDep
    head: RequestedHeadDep
    timeline: Annotated[bool, Query(description="Return each window of 15 s, too.")] = False
    embedding: Annotated[
        bool, Query(description="Return a vector that is near those of similar recordings, too.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what the model does not have, before the body is read."""
        if self.embedding:
            self.model.space()
        if self.head:
            self.head.require(self.model)

    @property
    def options(self) -> dict[str, Any]:
        """What the request asks for beside the analysis."""
        return {"timeline": self.timeline, "embedding": self.embedding, "head": self.head}

    async def tag(self, upload: bytes) -> str:
        """Return the entity tag of an answer, in a thread: hashing takes 50 ms for 32 MiB."""
        options = self.options | {"head": self.head.digest if self.head else None}
        return await to_thread.run_sync(
            partial(tag_of, upload, self.model, self.settings, self.taxonomy, **options)
        )

    async def answer(self, upload: bytes, tag: str) -> Analysis:
        """Return the cached answer, or analyze the upload when it is its turn."""
        if cached := self.cache.get(tag):
            self.metrics.answered(cached)
            return cached
        bounds = audio.Bounds(
            self.settings.max_seconds, self.settings.decode_seconds, self.queue.check
        )
        work = partial(analyze_upload, upload, self.model, bounds, self.taxonomy, **self.options)
        analysis, waited = await self.queue.run(work)
        timings = analysis.timings.model_copy(update={"queue_ms": round(1_000 * waited, 2)})
        analysis = analysis.model_copy(update={"timings": timings})
        self.cache.put(tag, analysis)
        self.metrics.worked(timings)
        self.metrics.answered(analysis)
        trace_stages(timings)
        return analysis


HandlerDep = Annotated[AnalyzeHandler, Depends()]


@router.post(
    "/v1/analyze",
    openapi_extra=ONE,
    response_model=Analysis,
    responses=errors.responses(*errors.OF_A_RECORDING) | _NOT_MODIFIED,
)
async def analyze(
    request: Request, response: Response, handler: HandlerDep, upload: UploadDep
) -> Analysis | Response:
    """Predict the genre, valence, energy and danceability of a recording.

    The verdict says how far to trust the answer, and recognizes speech, noise and silence.

    Send the file as a form's part `file`, or as the body itself. Fifteen seconds are best: the
    answer for a longer recording is the mean over its windows of 15 s, a shorter one is repeated.

    The content decides what a recording is, not its label: a body may have any Content-Type but
    `text/*`, JSON, `application/x-www-form-urlencoded` and other multipart types. Other parts of a
    form are ignored. Base64 text and a Content-Encoding such as gzip are refused.
    """
    tag = await handler.tag(upload)
    if client_has(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    analysis = await cancel_on_disconnect(request, partial(handler.answer, upload, tag))
    request.state.seen["verdict"] = analysis.verdict
    return analysis


@router.post(
    "/v1/analyze/batch", openapi_extra=_SEVERAL, responses=errors.responses(*errors.OF_A_RECORDING)
)
async def analyze_batch(
    request: Request, caller: CallerDep, handler: HandlerDep, batch: BatchDep, limits: LimitsDep
) -> Batch:
    """Analyze several recordings, each with its own result.

    Send the files as a form's parts `files`. The result of a file is its analysis, or a problem if
    it cannot be analyzed. The files are analyzed one after the other.
    """
    await caller.count(len(batch) - 1)  # `authenticate` counted one

    async def answer() -> Batch:
        return Batch(results=[await _answer_one(each, handler, request, limits) for each in batch])

    return await cancel_on_disconnect(request, answer)


async def _answer_one(
    upload: uploads.Upload, handler: AnalyzeHandler, request: Request, limits: Limits
) -> BatchResult:
    """Return the result of one file of several, also if it fails."""
    try:
        data = uploads.usable(upload.data)
        analysis = await handler.answer(data, await handler.tag(data))
    except (audio.AudioError, uploads.UploadError, RetryLaterError) as error:
        problem = errors.problem_of(error, request, limits)
        errors.record(request, problem)
        return BatchResult(filename=upload.filename, status=problem.status, problem=problem)
    return BatchResult(filename=upload.filename, status=200, analysis=analysis)
