import asyncio
import shutil

import numpy as np
import pytest

from service import audio
from service.cluster.scorer import MAX_WINDOWS, ScoreRequest, ScorerReplica, count_windows
from service.model import ModelMismatchError, UnknownModelError, load_models
from service.settings import MODELS, Settings
from tools import signals


@pytest.fixture(scope="module")
def spectrograms():
    seeds = range(6)
    return audio.log_mel(
        np.stack([signals.groove(15, audio.SAMPLE_RATE, 90 + 20 * seed, seed) for seed in seeds])
    )


@pytest.fixture(scope="module")
def replica():
    return ScorerReplica(Settings())


def assert_same(scores, expected):
    for name, values in vars(expected).items():
        np.testing.assert_allclose(vars(scores)[name], values, atol=1e-6, err_msg=name)


def test_each_request_has_its_own_scores(replica, model, spectrograms):
    parts = [spectrograms[0:1], spectrograms[1:4], spectrograms[4:6]]
    batch = [ScoreRequest(model.digest, part) for part in parts]
    for scores, part in zip(replica.score_batch(batch), parts, strict=True):
        assert_same(scores, model.score(part))


def test_each_request_has_its_own_features_and_embedding(tiny_models, tiny_model, spectrograms):
    replica = ScorerReplica(Settings(models=tiny_models, model="tiny"))
    parts = [spectrograms[0:1], spectrograms[1:4]]
    batch = [ScoreRequest(tiny_model.digest, part) for part in parts]
    for scores, part in zip(replica.score_batch(batch), parts, strict=True):
        assert_same(scores, tiny_model.score(part))


def test_windows_of_several_lengths_are_not_mixed(open_models, spectrograms):
    model = load_models(open_models)["tiny"]
    replica = ScorerReplica(Settings(models=open_models, model="tiny"))
    lengths = [audio.N_FRAMES, audio.N_SHORT_FRAMES, audio.N_FRAMES, 217, audio.N_SHORT_FRAMES]
    parts = [spectrograms[[place], :, :length] for place, length in enumerate(lengths)]
    batch = [ScoreRequest(model.digest, part) for part in parts]
    for scores, part in zip(replica.score_batch(batch), parts, strict=True):
        assert_same(scores, model.score(part))


def test_models_are_not_mixed(tmp_path, spectrograms):
    content = (MODELS / "fifteen.onnx").read_bytes()
    version = load_models(MODELS)["fifteen"].card.version
    another = "9" * len(version)  # of the same length, so that the file stays valid
    names = [f'"version":"{each}"'.encode() for each in (version, another)]
    shutil.copy(MODELS / "fifteen.onnx", tmp_path / "one.onnx")
    (tmp_path / "two.onnx").write_bytes(content.replace(*names))
    models = list(load_models(tmp_path))
    assert len({each.digest for each in models}) == 2
    replica = ScorerReplica(Settings(models=tmp_path))
    requests = [ScoreRequest(models[place % 2].digest, spectrograms[[place]]) for place in range(4)]
    for place, scores in enumerate(replica.score_batch(requests)):
        assert_same(scores, models[0].score(spectrograms[[place]]))


def test_an_unknown_model_is_refused(replica, spectrograms):
    with pytest.raises(UnknownModelError):
        asyncio.run(replica.score(ScoreRequest("sha256:0", spectrograms)))


def test_a_model_with_wrong_scores_does_not_start(monkeypatch):
    def verify(self):
        raise ModelMismatchError("The output differs.")

    monkeypatch.setattr("service.model.Model.verify", verify)
    with pytest.raises(ModelMismatchError):
        ScorerReplica(Settings())


def test_the_size_of_a_batch_is_its_number_of_windows(spectrograms):
    assert (
        count_windows([ScoreRequest("a", spectrograms), ScoreRequest("b", spectrograms[:1])]) == 7
    )
    assert MAX_WINDOWS > 7
