from dataclasses import replace

import numpy as np
import pytest

from service import audio
from training.studies.compare import store as store_module
from training.studies.compare.features import FEATURES, Feature
from training.studies.compare.sample import TooFewError
from training.studies.compare.store import Store, extract, save


def mean_level(windows):
    return np.abs(windows).mean(axis=1, keepdims=True)


@pytest.fixture
def level(monkeypatch):
    monkeypatch.setitem(FEATURES, "level", Feature("its level", mean_level))
    store_module.feature_key.cache_clear()
    yield "level"
    store_module.feature_key.cache_clear()


def test_each_window_has_its_features(store, level):
    extract(store, {level: range(3)}, jobs=1)
    (values,), clip_of = store.cases([level], range(len(store.clips)))
    assert clip_of.tolist() == [0, 1, 2]
    waveform = audio.decode(store.clips[1].path.read_bytes()).waveform
    np.testing.assert_allclose(values[1], mean_level(audio.windows(waveform))[0], rtol=1e-6)
    assert np.isnan(store.means(level, range(3))[3:]).all()


def test_existing_features_are_not_computed_again(store, level):
    extract(store, {level: {0}}, jobs=1)
    save(store.path(level, 0), np.array([[7.0]]))
    extract(store, {level: {0, 1}}, jobs=1)
    (values,), _ = store.cases([level], {0, 1})
    assert (values[0] == 7, values[1] == 7) == (True, False)


def test_another_version_has_another_folder(store, level, monkeypatch):
    before = store.path(level, 0)
    monkeypatch.setitem(FEATURES, level, replace(FEATURES[level], version=2))
    store_module.feature_key.cache_clear()
    assert store.path(level, 0) != before


def test_another_front_end_has_another_folder(store, level, monkeypatch):
    before = store.path(level, 0)
    monkeypatch.setattr(audio, "signature", lambda: np.zeros(audio.N_MELS, np.float32))
    store_module.feature_key.cache_clear()
    assert store.path(level, 0) != before


def test_files_that_cannot_be_decoded_are_left_out(store, level, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    clips = [replace(store.clips[0], path=broken), store.clips[1]]
    partly = Store(tmp_path / "features", clips)
    extract(partly, {level: {0, 1}}, jobs=1)
    assert partly.cases([level], {0, 1})[1].tolist() == [1]
    with pytest.raises(TooFewError, match="no recording has level"):
        partly.cases([level], {0})
