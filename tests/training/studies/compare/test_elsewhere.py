from pathlib import Path

import numpy as np
import pytest

from service import audio
from tools import signals
from training.studies.compare import elsewhere, mn04
from training.studies.compare.elsewhere import EMBEDDING, TAGS, VIBENET

SHARED = Path(__file__).parents[5] / "shared"
OUTPUTS = SHARED / "teachers" / "outputs-corpus.npz"


@pytest.fixture
def heard(store, teachers):
    elsewhere.declare(store, teachers)
    wanted = {name: {0, 5} for name in elsewhere.ELSEWHERE}
    elsewhere.listen(store, wanted, teachers, jobs=1)
    return store


def test_the_wanted_clips_have_features_for_each_window(heard):
    for name, shape in ((EMBEDDING, (1, 2, 47)), (TAGS, (1, 3)), (VIBENET, (1, 7))):
        assert heard.missing(name, range(len(heard.clips)))[:2] == [1, 2]
        assert np.load(heard.path(name, 5)).shape == shape


def test_without_teachers_there_are_no_features(store):
    elsewhere.declare(store, None)
    elsewhere.listen(store, {name: {0} for name in elsewhere.ELSEWHERE}, None, jobs=1)
    assert store.missing(EMBEDDING, [0]) == [0]


def test_the_version_depends_on_the_files(store, teachers):
    elsewhere.declare(store, None)
    without = store.name_of(EMBEDDING)
    elsewhere.declare(store, teachers)
    assert store.name_of(EMBEDDING) != without


def test_windows_keep_the_frequencies_that_our_rate_loses(tmp_path):
    rate, hz = mn04.SAMPLE_RATE, 13_000
    path = tmp_path / "tone.wav"
    path.write_bytes(signals.wav(0.5 * signals.sine(20, hz, 48_000), 48_000))
    cut = audio.cut(audio.decode(path.read_bytes()).waveform)
    windows = elsewhere.windows_at(path, cut, rate)
    assert windows.shape == (2, 15 * rate)
    loudest = np.abs(np.fft.rfft(windows[1][:rate])).argmax()
    assert loudest == pytest.approx(hz, abs=2)


def test_a_short_recording_is_repeated(tmp_path):
    path = tmp_path / "short.wav"
    path.write_bytes(signals.wav(signals.groove(4, 22_050), 22_050))
    cut = audio.cut(audio.decode(path.read_bytes()).waveform)
    (window,) = elsewhere.windows_at(path, cut, 32_000)
    np.testing.assert_allclose(window[: 4 * 32_000], window[4 * 32_000 : 8 * 32_000], atol=1e-6)


@pytest.mark.corpus
@pytest.mark.skipif(not OUTPUTS.exists(), reason="there are no outputs of teachers")
def test_mn04_gives_what_its_authors_code_gives():
    with np.load(OUTPUTS) as file:
        first = {name: file[name][0] for name in file.files}
    path = next((SHARED / "corpus").rglob(f"{first['clip_id']}.*"))
    cut = audio.cut(audio.decode(path.read_bytes()).waveform)
    weights = mn04.read_weights(SHARED / "teachers" / elsewhere.WEIGHTS)
    features, logits = mn04.hear(weights, elsewhere.windows_at(path, cut, mn04.SAMPLE_RATE)[:1])
    np.testing.assert_allclose(features[0].mean(1), first["mn04_embedding"], atol=0.01)
    np.testing.assert_allclose(logits[0], first["mn04_logits"], atol=0.05)
