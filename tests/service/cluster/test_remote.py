"""A remote model by itself; the handle is made up, what it raises is Ray's own."""

import numpy as np
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError
from ray.serve.exceptions import BackPressureError

from service import audio
from service.cluster import remote
from service.cluster.remote import RemoteModel, load_remote
from service.cluster.scorer import MAX_WINDOWS
from service.model import UnknownModelError
from service.settings import Settings
from service.web.admission import NotReadyError, OverloadedError

DIED = ActorDiedError()
UNAVAILABLE = ActorUnavailableError("gone", None)


class Handle:
    """Answers by a model here, after it has failed as it is told to."""

    def __init__(self, model, *failures):
        self.model, self.failures = model, list(failures)
        self.asked, self.cancelled = [], 0

    @property
    def score(self):
        return self

    def remote(self, asked):
        self.asked.append(asked)
        return self

    def result(self, timeout_s):
        assert 0 <= timeout_s <= remote.TIMEOUT_SECONDS
        if self.failures:
            raise self.failures.pop(0)
        return self.model.score(self.asked[-1].spectrograms)

    def cancel(self):
        self.cancelled += 1


@pytest.fixture(scope="module")
def spectrograms():
    return audio.log_mel(audio.reference_windows())


def ask(model, spectrograms, *failures):
    handle = Handle(model, *failures)
    return RemoteModel(model.card, model.digest, handle).score(spectrograms), handle


def test_it_scores_as_the_model_does(model, spectrograms):
    scores, handle = ask(model, spectrograms)
    assert handle.asked[0].digest == model.digest
    np.testing.assert_array_equal(scores.genres, model.score(spectrograms).genres)


def test_many_windows_are_asked_a_few_at_a_time(model, spectrograms):
    many = np.repeat(spectrograms, 2 * MAX_WINDOWS + 1, axis=0)
    scores, handle = ask(model, many)
    assert [len(each.spectrograms) for each in handle.asked] == [MAX_WINDOWS, MAX_WINDOWS, 1]
    assert scores.genres.shape == (len(many), len(model.card.genres))
    assert scores.music.shape == (len(many),)


@pytest.mark.parametrize("failures", [[DIED], [UNAVAILABLE], [DIED, UNAVAILABLE]])
def test_another_replica_is_asked_when_one_dies(model, spectrograms, failures):
    scores, handle = ask(model, spectrograms, *failures)
    assert len(handle.asked) == 1 + len(failures)
    assert scores.music.shape == (1,)


@pytest.mark.parametrize(
    ("failures", "refusal", "says", "seconds"),
    [
        ([DIED] * remote.ATTEMPTS, NotReadyError, "died", 1),
        ([BackPressureError(9, 8)], OverloadedError, "queue is full", 1),
        ([BackPressureError(9, 8, retry_after_s=2.5)], OverloadedError, "in 3 s", 3),
        ([GetTimeoutError("late")], NotReadyError, "No replica", 1),
        ([TimeoutError("late")], NotReadyError, "No replica", 1),
        ([UnknownModelError("none")], NotReadyError, "being replaced", 1),
    ],
)
def test_what_the_engine_refuses_may_be_asked_later(
    model, spectrograms, failures, refusal, says, seconds
):
    with pytest.raises(refusal, match=says) as refused:
        ask(model, spectrograms, *failures)
    assert refused.value.retry_after == seconds


def test_what_nobody_waits_for_is_cancelled(model, spectrograms):
    handle = Handle(model, TimeoutError())
    with pytest.raises(NotReadyError):
        RemoteModel(model.card, model.digest, handle).score(spectrograms)
    assert handle.cancelled == 1


def test_the_installed_models_are_scored_elsewhere(model):
    handle = Handle(model)
    models = load_remote(Settings(), handle)
    assert models["fifteen"].card == model.card
    assert models["fifteen"].digest == model.digest
    models["fifteen"].verify()
    assert len(handle.asked) == 1
