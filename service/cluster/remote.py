"""Models that other machines run, as the application has them.

Scoring changes nothing, so what a replica took with it when it died is asked once more. What the
engine refuses becomes a problem like the service's own.
"""

import logging
import math
import time

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from service import audio
from service.card import Card
from service.cluster.scorer import MOST_WINDOWS, Asked, ScorerReplica
from service.loading import load_served
from service.model import Models, Scorer, Scores, UnknownModelError
from service.settings import Settings
from service.web.admission import NotReadyError, OverloadedError

ATTEMPTS = 3  # so many replicas may die of, or while, scoring the same windows
PATIENCE_SECONDS = 60.0  # with replicas that start, or have much to do

logger = logging.getLogger(__name__)


class RemoteModel(Scorer):
    """A model that the replicas of a deployment have.

    Parameters
    ----------
    card : Card
    digest : str
    handle : DeploymentHandle
        Of `service.cluster.scorer.ScorerReplica`.
    """

    def __init__(self, card: Card, digest: str, handle: DeploymentHandle[ScorerReplica]) -> None:
        self.card, self.digest = card, digest
        self._handle = handle

    def score(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows, at most `MOST_WINDOWS` of them at a time. Not for an event loop.

        Raises
        ------
        OverloadedError
            If the replicas have as many requests waiting as they may.
        NotReadyError
            If none of them answers, or none has this model.
        """
        starts = range(0, len(spectrograms), MOST_WINDOWS)
        return Scores.together(
            [self._ask(spectrograms[start : start + MOST_WINDOWS]) for start in starts]
        )

    def _ask(self, spectrograms: audio.Spectrograms) -> Scores:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for _ in range(ATTEMPTS):
            try:
                return self._ask_once(spectrograms, deadline)
            except RayActorError as error:
                logger.warning("Asking another replica: %s", str(error).partition("\n")[0])
        raise NotReadyError("The model's replicas died; ask again later.")

    def _ask_once(self, spectrograms: audio.Spectrograms, deadline: float) -> Scores:
        response = self._handle.score.remote(Asked(self.digest, spectrograms))
        try:
            scores: Scores = response.result(timeout_s=max(0.0, deadline - time.monotonic()))
        except BackPressureError as error:
            seconds = max(1, math.ceil(error.retry_after_s or 1))
            raise OverloadedError(
                f"The model has as much waiting as it may; ask again in {seconds} s.", seconds
            ) from error
        except TimeoutError as error:
            response.cancel()  # type: ignore[no-untyped-call]
            raise NotReadyError("No replica of the model answers; ask again later.") from error
        except (DeploymentUnavailableError, UnknownModelError) as error:
            raise NotReadyError("The model is being replaced; ask again later.") from error
        return scores


def load_remote(settings: Settings, handle: DeploymentHandle[ScorerReplica]) -> Models:
    """Read the cards of the models that are installed here, for replicas to do the scoring.

    Raises
    ------
    service.model.ModelError
        If one of them cannot be served, or the default is not there.
    """
    served = load_served(settings)
    return Models([RemoteModel(each.card, each.digest, handle) for each in served])
