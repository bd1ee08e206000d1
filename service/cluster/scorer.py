"""The models as a Ray Serve deployment, which scores the windows of several requests as a batch."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ray import serve

from service import audio
from service.loading import load_served
from service.model import Scores, UnknownModelError
from service.settings import Settings

MAX_WINDOWS = 16  # of a batch, over all of its requests: 2 MB
WAIT_SECONDS = 0.002  # for more requests, if a batch is not full


class ScoreRequest(NamedTuple):
    """Windows, and the digest of the model to score them with."""

    digest: str
    spectrograms: audio.Spectrograms


def count_windows(batch: Sequence[ScoreRequest]) -> int:
    """Return the size of a batch; `serve.batch` calls this."""
    return sum(len(request.spectrograms) for request in batch)


class ScorerReplica:
    """The installed models, each verified before the first request.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    service.model.ModelError
        If one of them cannot be served, or its scores differ from those at its export.
    """

    def __init__(self, settings: Settings) -> None:
        self._models = {model.digest: model for model in load_served(settings)}
        for model in self._models.values():
            model.verify()

    async def score(self, request: ScoreRequest) -> Scores:
        """Score the windows of one request, at most `MAX_WINDOWS`.

        Raises
        ------
        UnknownModelError
            If no model of that digest is installed here.
        """
        if request.digest not in self._models:
            raise UnknownModelError(f"There is no model {request.digest} here.")
        scores: Scores = await self._batch(request)
        return scores

    @serve.batch(
        max_batch_size=MAX_WINDOWS,
        batch_wait_timeout_s=WAIT_SECONDS,
        batch_size_fn=count_windows,
    )
    async def _batch(self, batch: list[ScoreRequest]) -> list[Scores]:
        return await asyncio.to_thread(self.score_batch, batch)

    def score_batch(self, batch: Sequence[ScoreRequest]) -> list[Scores]:
        """Score several requests, those with one model and windows of one length together."""
        alike: dict[tuple[str, int], list[int]] = {}
        for place, (digest, spectrograms) in enumerate(batch):
            alike.setdefault((digest, spectrograms.shape[-1]), []).append(place)
        scores: dict[int, Scores] = {}
        for (digest, _), places in alike.items():
            windows = np.concatenate([batch[place].spectrograms for place in places])
            together = self._models[digest].score(windows)
            end = 0
            for place in places:
                start, end = end, end + len(batch[place].spectrograms)
                scores[place] = together.windows(start, end)
        return [scores[place] for place in range(len(batch))]
