"""A remote model with a stand-in for the handle, which raises Ray's own exceptions."""

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
    """Raises the given failures, then scores with a local model."""

    def __init__(self, model, *failures):
        self.model, self.failures = model, list(failures)
        self.requests, self.cancelled = [], 0

    @property
    def score(self):
        return self

    def remote(self, request):
        self.requests.append(request)
        return self

    def result(self, timeout_s):
        assert 0 <= timeout_s <= remote.TIMEOUT_SECONDS
        if self.failures:
            raise self.failures.pop(0)
        return self.model.score(self.requests[-1].spectrograms)

    def cancel(self):
        self.cancelled += 1


@pytest.fixture(scope="module")
def spectrograms():
    return audio.log_mel(audio.reference_windows())


def score(model, spectrograms, *failures):
    handle = Handle(model, *failures)
    return RemoteModel(model.card, model.digest, model.shortest, handle).score(spectrograms), handle


def test_a_remote_model_has_the_scores_of_the_local_one(model, spectrograms):
    scores, handle = score(model, spectrograms)
    assert handle.requests[0].digest == model.digest
    np.testing.assert_array_equal(scores.genres, model.score(spectrograms).genres)


def test_features_and_embedding_are_among_the_scores(tiny_model, spectrograms):
    several = spectrograms.repeat(MAX_WINDOWS + 1, axis=0)
    scores, handle = score(tiny_model, several)
    assert len(handle.requests) == 2
    for name, values in vars(tiny_model.score(several)).items():
        np.testing.assert_allclose(vars(scores)[name], values, atol=1e-6, err_msg=name)


def test_windows_are_scored_in_batches(model, spectrograms):
    many = np.repeat(spectrograms, 2 * MAX_WINDOWS + 1, axis=0)
    scores, handle = score(model, many)
    assert [len(each.spectrograms) for each in handle.requests] == [MAX_WINDOWS, MAX_WINDOWS, 1]
    assert scores.genres.shape == (len(many), len(model.card.genres))
    assert scores.music.shape == (len(many),)


@pytest.mark.parametrize("failures", [[DIED], [UNAVAILABLE], [DIED, UNAVAILABLE]])
def test_a_call_whose_replica_died_is_retried(model, spectrograms, failures):
    scores, handle = score(model, spectrograms, *failures)
    assert len(handle.requests) == 1 + len(failures)
    assert scores.music.shape == (1,)


@pytest.mark.parametrize(
    ("failures", "refusal", "message", "seconds"),
    [
        ([DIED] * remote.ATTEMPTS, NotReadyError, "died", 1),
        ([BackPressureError(9, 8)], OverloadedError, "queue is full", 1),
        ([BackPressureError(9, 8, retry_after_s=2.5)], OverloadedError, "in 3 s", 3),
        ([GetTimeoutError("late")], NotReadyError, "No replica", 1),
        ([TimeoutError("late")], NotReadyError, "No replica", 1),
        ([UnknownModelError("none")], NotReadyError, "being replaced", 1),
    ],
)
def test_refusals_by_the_engine_are_temporary_errors(
    model, spectrograms, failures, refusal, message, seconds
):
    with pytest.raises(refusal, match=message) as refused:
        score(model, spectrograms, *failures)
    assert refused.value.retry_after == seconds


def test_a_call_that_timed_out_is_cancelled(model, spectrograms):
    handle = Handle(model, TimeoutError())
    with pytest.raises(NotReadyError):
        RemoteModel(model.card, model.digest, model.shortest, handle).score(spectrograms)
    assert handle.cancelled == 1


def test_the_installed_models_become_remote(model):
    handle = Handle(model)
    models = load_remote(Settings(), handle)
    assert models["fifteen"].card == model.card
    assert models["fifteen"].digest == model.digest
    assert models["fifteen"].shortest == model.shortest
    models["fifteen"].verify()
    assert len(handle.requests) == 1
