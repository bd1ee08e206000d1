"""The analysis over HTTP: POST recordings, get what a model hears in them."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response

from service import audio
from service.analysis import analyze as analyze_upload
from service.schemas import Analysis, Batch, BatchResult, Limits
from service.web import errors, uploads
from service.web.admission import RetryLaterError, unless_sender_leaves
from service.web.auth import VisitorDep, let_in
from service.web.cache import sender_has, tag_of
from service.web.dependencies import (
    AskedModelDep,
    BatchDep,
    LimitsDep,
    MetricsDep,
    QueueDep,
    ResultsDep,
    SettingsDep,
    TaxonomyDep,
    UploadDep,
    require_ready,
)
from service.web.middleware.observe import note_problem
from service.web.traces import trace_stages

router = APIRouter(tags=["analysis"], dependencies=[Depends(let_in), Depends(require_ready)])

_BINARY = {"type": "string", "format": "binary"}


def _form(part: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a form of one part for the OpenAPI document."""
    properties = {part: schema}
    return {"schema": {"type": "object", "required": [part], "properties": properties}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    """Describe a body by its media types."""
    return {"requestBody": {"required": True, "content": content}}


_ONE = _body(
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
    304: {"description": "The sender has this answer: If-None-Match names its ETag."}
}


@dataclass(frozen=True)
class Analyst:
    """Answers recordings as one request asks, each in its turn.

    The parts are FastAPI's to fill in.
    """

    settings: SettingsDep
    model: AskedModelDep
    taxonomy: TaxonomyDep
    queue: QueueDep
    results: ResultsDep
    metrics: MetricsDep
    timeline: Annotated[bool, Query(description="Tell each window of 15 s, too.")] = False

    async def tag(self, upload: bytes) -> str:
        """Return the entity tag of an answer, in a thread: hashing takes 50 ms for 32 MiB."""
        return await to_thread.run_sync(
            partial(
                tag_of, upload, self.model, self.settings, self.taxonomy, timeline=self.timeline
            )
        )

    async def answer(self, upload: bytes, tag: str) -> Analysis:
        """Return an answer that was kept, or work it out."""
        if kept := self.results.get(tag):
            self.metrics.answered(kept)
            return kept
        bounds = audio.Bounds(
            self.settings.max_seconds, self.settings.decode_seconds, self.queue.check
        )
        work = partial(
            analyze_upload, upload, self.model, bounds, self.taxonomy, timeline=self.timeline
        )
        analysis, waited = await self.queue.run(work)
        timings = analysis.timings.model_copy(update={"queue_ms": round(1_000 * waited, 2)})
        analysis = analysis.model_copy(update={"timings": timings})
        self.results.keep(tag, analysis)
        self.metrics.worked(timings)
        self.metrics.answered(analysis)
        trace_stages(timings)
        return analysis


AnalystDep = Annotated[Analyst, Depends()]


@router.post(
    "/v1/analyze",
    openapi_extra=_ONE,
    response_model=Analysis,
    responses=errors.responses(*errors.KINDS) | _NOT_MODIFIED,
)
async def analyze(
    request: Request, response: Response, analyst: AnalystDep, upload: UploadDep
) -> Analysis | Response:
    """Say what a model hears in a recording: genre, valence, energy and danceability.

    The verdict says what the answer is worth: speech, noise and silence have one, too.

    Send the file as a form's part `file`, or as the body itself. Fifteen seconds are best: a
    longer recording is answered by the mean over its windows of 15 s, a shorter one is repeated.

    The content decides what a recording is, not its label: a body may have any Content-Type but
    `text/*`, JSON, `application/x-www-form-urlencoded` and other multipart types. Other parts of a
    form are ignored. Base64 text and a Content-Encoding such as gzip are refused.
    """
    tag = await analyst.tag(upload)
    if sender_has(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    analysis = await unless_sender_leaves(request, partial(analyst.answer, upload, tag))
    request.state.seen["verdict"] = analysis.verdict
    return analysis


@router.post("/v1/analyze/batch", openapi_extra=_SEVERAL, responses=errors.responses(*errors.KINDS))
async def analyze_batch(
    request: Request, visitor: VisitorDep, analyst: AnalystDep, batch: BatchDep, limits: LimitsDep
) -> Batch:
    """Say what a model hears in several recordings, each answered by itself.

    Send the files as a form's parts `files`. One that cannot be analysed has its problem in its
    place, and the others their analyses. They take their turns one after the other.
    """
    await visitor.count(len(batch) - 1)  # one was counted when the request came

    async def answer() -> Batch:
        return Batch(results=[await _answer_one(each, analyst, request, limits) for each in batch])

    return await unless_sender_leaves(request, answer)


async def _answer_one(
    upload: uploads.Upload, analyst: Analyst, request: Request, limits: Limits
) -> BatchResult:
    """Answer one file of several, whatever becomes of it."""
    try:
        data = uploads.usable(upload.data)
        analysis = await analyst.answer(data, await analyst.tag(data))
    except (audio.AudioError, uploads.UploadError, RetryLaterError) as error:
        problem = errors.problem_of(error, request, limits)
        note_problem(request, problem)
        return BatchResult(filename=upload.filename, status=problem.status, problem=problem)
    return BatchResult(filename=upload.filename, status=200, analysis=analysis)
