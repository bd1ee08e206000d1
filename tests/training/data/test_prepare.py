import json

import numpy as np
import pytest

from service import audio
from tools import signals
from training import parallel
from training.data import prepare as module
from training.data import synthetic, takes
from training.data.dataset import (
    FRONT_END_FILE,
    TRACKS_FILE,
    Dataset,
    FrontEndMismatchError,
    preparation,
)
from training.data.prepare import prepare
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.synthesis import speech

RATE = audio.SAMPLE_RATE


@pytest.fixture
def corpus(tmp_path, few_synthetic):
    """Two genres of five albums of one 5 s track, which has one window."""
    for genre, bpm in (("house", 124), ("reggae", 76)):
        for number in range(5):
            album = tmp_path / "corpus" / genre / f"album {genre} {number}"
            album.mkdir(parents=True)
            waveform = signals.groove(5, RATE, bpm + number, number)
            (album / "track.wav").write_bytes(signals.wav(waveform, RATE))
    return tmp_path / "corpus"


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(module, "TRACKS_PER_SHARD", 3)


@pytest.fixture
def quick(monkeypatch):
    """Dance music that needs no synthesis, and an ideal phone."""
    monkeypatch.setattr(
        synthetic, "synthesise", lambda _, seconds, rng: signals.groove(seconds, RATE)
    )
    monkeypatch.setattr(takes.phone, "record", lambda waveform, rng: waveform)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "dataset"


def shard_files(folder):
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


def recordings(dataset):
    return np.flatnonzero(~dataset.synthetic)


def test_spectrograms_are_those_of_the_front_end(corpus, folder, quick):
    prepare(corpus, folder, jobs=1)
    dataset = Dataset(folder)
    assert dataset.genres == ["house", "reggae"]
    assert dataset.classes == ["house", "reggae", NOT_MUSIC]
    rows = dataset.rows("raw", recordings(dataset))
    assert len(rows) == 10
    for row, spectrogram in zip(rows, dataset.spectrograms(rows), strict=True):
        recording = audio.decode(dataset.tracks[dataset.track_of[row]].path.read_bytes())
        expected = audio.log_mel(audio.windows(recording.waveform))[0]
        np.testing.assert_allclose(spectrogram, expected, atol=0.04)  # float16


def test_synthetic_tracks_are_prepared_with_the_corpus(corpus, folder, quick):
    prepare(corpus, folder, jobs=1)
    dataset = Dataset(folder)
    ids = {track.id for track in dataset.tracks if track.source == SYNTHETIC}
    assert ids == {"synthetic/house/0", *(f"synthetic/tones/{i}" for i in range(5))}
    for track in np.flatnonzero(dataset.synthetic):
        assert len(dataset.rows("raw", np.array([track]))) >= 1


def test_without_espeak_its_tracks_are_left_out_with_the_reason(
    corpus, folder, quick, monkeypatch, capfd
):
    monkeypatch.setattr(synthetic, "SOUND_TRACKS", {"espeak": 2, "tones": 1})
    monkeypatch.setattr(speech.shutil, "which", lambda name: None)
    prepare(corpus, folder, jobs=1)
    ids = [track.id for track in Dataset(folder).tracks]
    assert "synthetic/tones/0" in ids
    assert "synthetic/espeak/0" not in ids
    output = "".join(capfd.readouterr())
    assert "left out 'synthetic/espeak/0: " in output
    assert "espeak-ng" in output.split("synthetic/espeak/0: ")[1]


def test_an_interrupted_preparation_resumes(corpus, folder, small_shards, quick):
    prepare(corpus, folder, jobs=1)
    complete, digest = shard_files(folder), Dataset(folder).digest
    (folder / "shard-00001.json").unlink()
    (folder / "shard-00001.npy.123.partial").write_bytes(b"half written")
    (folder / "shard-00001.npy").unlink()
    others = {path: path.stat().st_mtime_ns for path in folder.glob("shard-0000[0234].npy")}
    prepare(corpus, folder, jobs=1)
    assert shard_files(folder) == complete
    assert {path: path.stat().st_mtime_ns for path in others} == others
    assert Dataset(folder).digest == digest


@pytest.mark.slow
def test_the_number_of_processes_does_not_change_the_shards(tmp_path, few_synthetic):
    tracks = synthetic.synthetic_tracks(set())
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        plans = [(folder / f"shard-{i}.npy", tracks[i : i + 1]) for i in range(2)]
        assert list(parallel.run(module.write_shard, plans, jobs)) == [[], []]
    assert shard_files(tmp_path / "1") == shard_files(tmp_path / "2")
    assert len(shard_files(tmp_path / "1")) == 4


def test_a_file_that_is_not_audio_is_left_out_by_name(corpus, folder, quick, capfd):
    bad = corpus / "house" / "album house 1" / "broken.mp3"
    bad.write_bytes(b"not audio")
    prepare(corpus, folder, jobs=1)
    assert "broken.mp3: This is not audio" in "".join(capfd.readouterr())
    assert len(recordings(Dataset(folder))) == 10
    left_out = json.loads((folder / "shard-00000.json").read_text())["refused"]
    assert list(left_out) == ["house/album house 1/broken.mp3"]


@pytest.mark.parametrize(
    "change",
    [
        {"signature": (audio.signature() + 0.1).tolist()},
        {"silence": {"silence_db": 20.0}},
        {"takes_version": 1},
    ],
)
def test_shards_of_another_front_end_or_other_takes_are_an_error(tmp_path, change):
    identity = preparation() | {"signature": audio.signature().tolist()}
    (tmp_path / FRONT_END_FILE).write_text(json.dumps(identity | change))
    with pytest.raises(FrontEndMismatchError, match="prepare it again"):
        Dataset(tmp_path)


def test_shards_of_tracks_that_are_gone_are_removed(corpus, folder, small_shards, quick):
    for track in (corpus / "house" / "album house 0").iterdir():
        for number in range(5):
            (track.parent / f"more {number}.wav").write_bytes(track.read_bytes())
    prepare(corpus, folder, jobs=1)
    assert len(recordings(Dataset(folder))) == 15
    for track in corpus.glob("*/*/more*"):
        track.unlink()
    prepare(corpus, folder, jobs=1)
    assert len(recordings(Dataset(folder))) == 10
    n_tracks = sum(len(json.loads(path.read_text())["tracks"]) for path in folder.glob("shard-*n"))
    assert n_tracks == len(Dataset(folder).tracks)


def test_a_changed_file_is_prepared_again(corpus, folder, quick):
    prepare(corpus, folder, jobs=1)
    before = shard_files(folder)
    changed = next(corpus.glob("house/*/track.wav"))
    changed.write_bytes(signals.wav(signals.groove(5, RATE, 140, 99), RATE))
    prepare(corpus, folder, jobs=1)
    assert shard_files(folder)["shard-00000.npy"] != before["shard-00000.npy"]


def test_an_incomplete_folder_is_an_error(corpus, folder, quick, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    prepare(corpus, folder, jobs=1)
    assert (folder / TRACKS_FILE).exists()
    monkeypatch.setattr(parallel, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(corpus, folder, jobs=1)
    with pytest.raises(FileNotFoundError, match="not completely"):
        Dataset(folder)
