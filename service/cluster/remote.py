"""Clients of the models on other machines, with the interface of local models.

Scoring changes nothing, so a call whose replica died is retried. Refusals by the engine become the
service's own errors.
"""

import logging
import math
import time

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from service import audio
from service.card import Card
from service.cluster.scorer import MAX_WINDOWS, ScoreRequest, ScorerReplica
from service.loading import load_served
from service.model import Models, Scorer, Scores, UnknownModelError
from service.settings import Settings
from service.web.admission import NotReadyError, OverloadedError

ATTEMPTS = 3  # replicas that may die while they score the same windows
TIMEOUT_SECONDS = 60.0  # of a call, also while replicas start or are busy

logger = logging.getLogger(__name__)


class RemoteModel(Scorer):
    """A model that the replicas of a deployment run.

    Parameters
    ----------
    card : Card
    digest : str
    shortest : int
    handle : DeploymentHandle
        Of `service.cluster.scorer.ScorerReplica`.
    """

    def __init__(
        self, card: Card, digest: str, shortest: int, handle: DeploymentHandle[ScorerReplica]
    ) -> None:
        self.card, self.digest, self.shortest = card, digest, shortest
        self._handle = handle

    def score(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows, at most `MAX_WINDOWS` of them at a time. Not for an event loop.

        Raises
        ------
        OverloadedError
            If the queues of the replicas are full.
        NotReadyError
            If no replica answers, or none has this model.
        """
        starts = range(0, len(spectrograms), MAX_WINDOWS)
        return Scores.together(
            [self._call(spectrograms[start : start + MAX_WINDOWS]) for start in starts]
        )

    def _call(self, spectrograms: audio.Spectrograms) -> Scores:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        for _ in range(ATTEMPTS):
            try:
                return self._call_once(spectrograms, deadline)
            except RayActorError as error:
                logger.warning("Retrying on another replica: %s", str(error).partition("\n")[0])
        raise NotReadyError("The model's replicas died; try again later.")

    def _call_once(self, spectrograms: audio.Spectrograms, deadline: float) -> Scores:
        response = self._handle.score.remote(ScoreRequest(self.digest, spectrograms))
        try:
            scores: Scores = response.result(timeout_s=max(0.0, deadline - time.monotonic()))
        except BackPressureError as error:
            seconds = max(1, math.ceil(error.retry_after_s or 1))
            raise OverloadedError(
                f"The model's queue is full; try again in {seconds} s.", seconds
            ) from error
        except TimeoutError as error:
            response.cancel()  # type: ignore[no-untyped-call]
            raise NotReadyError("No replica of the model answers; try again later.") from error
        except (DeploymentUnavailableError, UnknownModelError) as error:
            raise NotReadyError("The model is being replaced; try again later.") from error
        return scores


def load_remote(settings: Settings, handle: DeploymentHandle[ScorerReplica]) -> Models:
    """Return clients of the models that are installed here, with their cards.

    Raises
    ------
    service.model.ModelError
        If one of them cannot be served, or the default model is missing.
    """
    served = load_served(settings)
    return Models([RemoteModel(each.card, each.digest, each.shortest, handle) for each in served])
