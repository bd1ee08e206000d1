"""The models as a deployment: windows of several requests are scored as one batch."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ray import serve

from service import audio
from service.loading import load_served
from service.model import Scores, UnknownModelError
from service.settings import Settings

MOST_WINDOWS = 16  # of one batch, whoever asked: 2 MB
WAIT_SECONDS = 0.002  # for others, where a batch is not full


class Asked(NamedTuple):
    """Windows, and the digest of the model that is to score them."""

    digest: str
    spectrograms: audio.Spectrograms


def count_windows(batch: Sequence[Asked]) -> int:
    """Return the size of a batch, as `serve.batch` asks for it."""
    return sum(len(asked.spectrograms) for asked in batch)


class ScorerReplica:
    """The installed models, each proved before the first request.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    service.model.ModelError
        If one of them cannot be served, or answers otherwise than when it was exported.
    """

    def __init__(self, settings: Settings) -> None:
        self._models = {model.digest: model for model in load_served(settings)}
        for model in self._models.values():
            model.verify()

    async def score(self, asked: Asked) -> Scores:
        """Score the windows of one request, at most `MOST_WINDOWS`.

        Raises
        ------
        UnknownModelError
            If no model of that digest is installed here.
        """
        if asked.digest not in self._models:
            raise UnknownModelError(f"There is no model {asked.digest} here.")
        scores: Scores = await self._batch(asked)
        return scores

    @serve.batch(
        max_batch_size=MOST_WINDOWS,
        batch_wait_timeout_s=WAIT_SECONDS,
        batch_size_fn=count_windows,
    )
    async def _batch(self, batch: list[Asked]) -> list[Scores]:
        return await asyncio.to_thread(self.score_batch, batch)

    def score_batch(self, batch: Sequence[Asked]) -> list[Scores]:
        """Score what several requests asked, by one run of each model that they name."""
        scores: dict[int, Scores] = {}
        for digest, model in self._models.items():
            places = [place for place, asked in enumerate(batch) if asked.digest == digest]
            if not places:
                continue
            together = model.score(np.concatenate([batch[i].spectrograms for i in places]))
            end = 0
            for place in places:
                start, end = end, end + len(batch[place].spectrograms)
                scores[place] = together.windows(start, end)
        return [scores[place] for place in range(len(batch))]
