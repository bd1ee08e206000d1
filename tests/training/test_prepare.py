import json

import numpy as np
import pytest

from service import audio
from tests import signals
from training import prepare
from training.corpus import Track
from training.prepared import Prepared

RATE = audio.SAMPLE_RATE


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


def kept_seconds(*parts):
    return len(prepare.remove_silences(np.concatenate(parts))) / RATE


def test_long_silences_are_removed():
    kept = kept_seconds(silence(3), signals.sine(4), silence(2), signals.sine(5), silence(4))
    assert kept == pytest.approx(9, abs=0.25)


def test_inner_rests_stay():
    kept = kept_seconds(signals.sine(4), silence(0.8), signals.sine(4))
    assert kept == pytest.approx(8.8, abs=0.1)


@pytest.mark.parametrize("gain", [1, 1e-2, 1e-3])
def test_silences_are_removed_at_any_level(gain):
    kept = kept_seconds(gain * signals.sine(4), silence(5), gain * signals.sine(4))
    assert kept == pytest.approx(8, abs=0.25)


def test_digital_silence_leaves_nothing():
    assert kept_seconds(silence(5)) == 0


@pytest.fixture
def corpus(tmp_path):
    """Two genres of five albums of one 16 s track, which gives one window."""
    for genre, bpm in (("house", 124), ("reggae", 76)):
        for number in range(5):
            album = tmp_path / "corpus" / genre / f"album {genre} {number}"
            album.mkdir(parents=True)
            waveform = signals.groove(16, 22_050, bpm + number, number)
            (album / "track.wav").write_bytes(signals.wav(waveform, 22_050))
    return tmp_path / "corpus"


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of three tracks. Only the plan, made in this process, asks for it."""
    monkeypatch.setattr(prepare, "TRACKS_PER_SHARD", 3)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


def test_prepared_spectrograms_are_those_of_the_front_end(corpus, tmp_path, small_shards):
    prepare.prepare(corpus, tmp_path / "prepared", jobs=2)
    prepared = Prepared(tmp_path / "prepared")
    assert prepared.genres == ["house", "reggae"]
    assert len(prepared.track_of) == 10
    rows = np.arange(10)
    for row, spectrogram in zip(rows, prepared.spectrograms(rows), strict=True):
        track = prepared.tracks[prepared.track_of[row]]
        expected = prepare.track_spectrograms(track.path)[0]
        np.testing.assert_allclose(spectrogram, expected, atol=0.04)  # float16


def test_preparing_goes_on_where_it_stopped(corpus, tmp_path, small_shards, monkeypatch):
    folder = tmp_path / "prepared"
    prepare.prepare(corpus, folder, jobs=1)
    whole = contents(folder)
    (folder / "shard-00001.json").unlink()
    (folder / "shard-00001.npy").write_bytes(b"half written")
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("shard-0000[023].npy")}
    prepare.prepare(corpus, folder, jobs=1)
    assert contents(folder) == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_the_number_of_processes_does_not_change_the_shards(corpus, tmp_path, small_shards):
    prepare.prepare(corpus, tmp_path / "one", jobs=1)
    prepare.prepare(corpus, tmp_path / "two", jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_file_that_is_no_audio_is_left_out_and_named(corpus, tmp_path, capfd):
    bad = corpus / "house" / "album house 1" / "broken.mp3"
    bad.write_bytes(b"nothing to hear")
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    assert "broken.mp3: This is not audio" in "".join(capfd.readouterr())
    assert len(Prepared(tmp_path / "prepared").track_of) == 10
    refused = json.loads((tmp_path / "prepared/shard-00000.json").read_text())["refused"]
    assert list(refused) == ["house/album house 1/broken.mp3"]


@pytest.mark.parametrize(
    "change",
    [{"signature": (audio.signature() + 0.1).tolist()}, {"silence": {"silence_db": 20.0}}],
)
def test_another_front_ends_shards_are_refused(tmp_path, change):
    made_by = prepare.numbers() | {"signature": audio.signature().tolist()}
    (tmp_path / prepare.FRONT_END_FILE).write_text(json.dumps(made_by | change))
    with pytest.raises(prepare.PreparedWithAnotherFrontEndError, match="prepare it anew"):
        Prepared(tmp_path)


def test_a_smaller_corpus_leaves_nothing_behind(corpus, tmp_path, small_shards):
    folder = tmp_path / "prepared"
    for track in (corpus / "house" / "album house 0").iterdir():
        for number in range(5):
            (track.parent / f"more {number}.wav").write_bytes(track.read_bytes())
    prepare.prepare(corpus, folder, jobs=1)
    assert len(Prepared(folder).track_of) == 15
    for track in corpus.glob("*/*/more*"):
        track.unlink()
    prepare.prepare(corpus, folder, jobs=1)
    assert sorted(Prepared(folder).track_of) == list(range(10))


def test_a_file_that_changed_is_prepared_again(corpus, tmp_path):
    folder = tmp_path / "prepared"
    prepare.prepare(corpus, folder, jobs=1)
    before = contents(folder)
    changed = next(corpus.glob("house/*/track.wav"))
    changed.write_bytes(signals.wav(signals.groove(16, 22_050, 140, 99), 22_050))
    prepare.prepare(corpus, folder, jobs=1)
    assert contents(folder)["shard-00000.npy"] != before["shard-00000.npy"]


def test_a_folder_that_is_not_prepared_to_its_end_is_refused(corpus, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    folder = tmp_path / "prepared"
    prepare.prepare(corpus, folder, jobs=1)
    monkeypatch.setattr(prepare, "_is_done", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(corpus, folder, jobs=1)
    with pytest.raises(FileNotFoundError, match="not to its end"):
        Prepared(folder)


def test_tracks_survive_the_folder(corpus, tmp_path):
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    track = Prepared(tmp_path / "prepared").tracks[0]
    assert isinstance(track, Track)
    assert track.path.exists()
