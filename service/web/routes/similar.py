"""The search for similar recordings in the operator's library over HTTP."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, Field

from service import audio
from service.analysis import analyze
from service.library.records import text_of
from service.library.search import Filters, Found, NoLibraryError, Vectors, feature_range
from service.mood import Mood
from service.schemas import Analysis, Neighbour, Similar
from service.web import errors
from service.web.admission import cancel_on_disconnect
from service.web.dependencies import (
    TAKES_RECORDINGS,
    MetricsDep,
    ModelsDep,
    QueueDep,
    SettingsDep,
    TaxonomyDep,
    UploadDep,
    VectorsDep,
)
from service.web.routes.analyze import ONE
from service.web.traces import trace_stages

MOST = 100  # neighbours in an answer
MOST_FILTERS = 16  # of a kind
COSINE_DIGITS = 4

router = APIRouter(tags=["analysis"], dependencies=TAKES_RECORDINGS)


def _range(text: str) -> str:
    """Refuse text that is not a range of a feature."""
    feature_range(text)
    return text


async def _filters(
    genre: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Query(
            default_factory=list,
            max_length=MOST_FILTERS,
            description="Only recordings of one of these genres.",
        ),
    ],
    mood: Annotated[
        list[Mood],
        Query(
            default_factory=list,
            max_length=MOST_FILTERS,
            description="Only recordings of one of these moods.",
        ),
    ],
    feature: Annotated[
        list[Annotated[str, Field(max_length=64), AfterValidator(_range)]],
        Query(
            default_factory=list,
            max_length=MOST_FILTERS,
            description="Only recordings in each of these ranges of audio-features, such as "
            "`energy:0.6..0.8`, `tempo:120..` or `loudness:..-10`.",
        ),
    ],
) -> Filters:
    return Filters(genre, mood, [feature_range(each) for each in feature])


@dataclass(frozen=True)
class SimilarHandler:
    """Searches for the recordings that are similar to an upload.

    It is a dependency: FastAPI fills in the fields.
    """

    settings: SettingsDep
    models: ModelsDep
    taxonomy: TaxonomyDep
    queue: QueueDep
    metrics: MetricsDep
    vectors: VectorsDep
    filters: Annotated[Filters, Depends(_filters)]
    count: Annotated[int, Query(ge=1, le=MOST, description="Number of recordings to return.")] = 10

    def __post_init__(self) -> None:
        """Refuse without a library, before the body is read."""
        self.library()

    def library(self) -> Vectors:
        """Return the operator's library; raises `NoLibraryError` if there is none."""
        if self.vectors is None:
            raise NoLibraryError("This service has no library to search in.")
        return self.vectors

    async def answer(self, upload: bytes) -> Similar:
        """Analyze the upload and search, when it is its turn."""
        (analysis, found, compared), waited = await self.queue.run(partial(self._search, upload))
        timings = analysis.timings.model_copy(update={"queue_ms": round(1_000 * waited, 2)})
        self.metrics.worked(timings)
        self.metrics.answered(analysis)
        trace_stages(timings)
        folder = self.library().folder()
        return Similar(
            neighbours=[_neighbour(each, folder) for each in found],
            compared=compared,
            model=analysis.model,
        )

    def _search(self, upload: bytes) -> tuple[Analysis, list[Found], int]:
        bounds = audio.Bounds(
            self.settings.max_seconds, self.settings.decode_seconds, self.queue.check
        )
        model = self.models[self.settings.model]
        analysis = analyze(upload, model, bounds, self.taxonomy, embedding=True)
        assert analysis.embedding is not None  # noqa: S101 - it was requested
        vector = np.array(analysis.embedding.values, np.float32)
        found, compared = self.library().nearest(vector, self.count, self.filters)
        return analysis, found, compared


def _neighbour(found: Found, folder: str) -> Neighbour:
    """Return a recording without the place of the library on this machine."""
    path = os.path.relpath(found.path, folder) if folder else os.path.basename(found.path)  # noqa: PTH119
    return Neighbour(
        path=text_of(Path(path).as_posix()),
        cosine=round(min(1.0, max(-1.0, found.cosine)), COSINE_DIGITS),
        genre=found.genre,
        mood=found.mood,
    )


@router.post("/v1/similar", openapi_extra=ONE, responses=errors.responses(*errors.OF_A_RECORDING))
async def similar(
    request: Request, handler: Annotated[SimilarHandler, Depends()], upload: UploadDep
) -> Similar:
    """Find the recordings of the operator's library that are the most similar to a recording.

    Send the recording as for `/v1/analyze`. Every recording of the library that matches the filters
    is compared.
    """
    return await cancel_on_disconnect(request, partial(handler.answer, upload))
