import json
from pathlib import Path

import numpy as np
import pytest

from service import audio
from tools import signals
from training import parallel
from training.data import prepare, synthetic, takes
from training.data.corpus import Track
from training.data.dataset import Dataset
from training.synthesis import speech

RATE = audio.SAMPLE_RATE


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


def kept_seconds(*parts):
    return len(takes.remove_silences(np.concatenate(parts))) / RATE


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
def corpus(tmp_path, few_synthetic):
    """Two genres of five albums of one 16 s track, which gives one window."""
    for genre, bpm in (("house", 124), ("reggae", 76)):
        for number in range(5):
            album = tmp_path / "corpus" / genre / f"album {genre} {number}"
            album.mkdir(parents=True)
            waveform = signals.groove(16, RATE, bpm + number, number)
            (album / "track.wav").write_bytes(signals.wav(waveform, RATE))
    return tmp_path / "corpus"


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of three tracks. Only the plan, made in this process, asks for it."""
    monkeypatch.setattr(prepare, "TRACKS_PER_SHARD", 3)


@pytest.fixture
def quick(monkeypatch):
    """A phone that does nothing, and a danceability that measures nothing."""
    monkeypatch.setattr(takes.phone, "phone", lambda waveform, rng: waveform)
    monkeypatch.setattr(prepare, "danceability", lambda waveform: 0.25)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


def real(dataset):
    return np.flatnonzero(~dataset.synthetic)


def test_prepared_spectrograms_are_those_of_the_front_end(corpus, tmp_path, quick):
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    dataset = Dataset(tmp_path / "prepared")
    assert dataset.genres == ["house", "reggae"]
    assert dataset.classes == ["house", "reggae", synthetic.NOT_MUSIC]
    rows = dataset.rows("heard", real(dataset))
    assert len(rows) == 10
    for row, spectrogram in zip(rows, dataset.spectrograms(rows), strict=True):
        recording = audio.decode(dataset.tracks[dataset.track_of[row]].path.read_bytes())
        expected = audio.log_mel(audio.windows(recording.waveform))[0]
        np.testing.assert_allclose(spectrogram, expected, atol=0.04)  # float16


def test_danceability_is_measured_in_place_of_the_corpus_s_label(corpus, tmp_path, quick):
    name = "house/album house 0/track.wav"
    header = ",".join(f"{e},{e}_origin" for e in ("valence", "energy", "danceability"))
    row = f"{name},0.5,votes,,,0.9,votes"
    (corpus / "emotion.csv").write_text(f"clip_id,{header}\n{row}\n")
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    dataset = Dataset(tmp_path / "prepared")
    for track in dataset.tracks:
        label = track.emotion.get("danceability")
        assert (label is None) == (track.source == synthetic.SYNTHETIC)
        assert label is None or (label.value, label.origin) == (0.25, prepare.DANCEABILITY_ORIGIN)
    assert dataset.origins == [prepare.DANCEABILITY_ORIGIN, "votes"]


def test_takes_are_of_the_same_track_and_differ_as_they_should(few_synthetic):
    track = Track("a", Path("a"), "a", "train")
    waveform = np.concatenate([signals.groove(8, RATE), silence(6), signals.groove(8, RATE)])
    found = {take: takes.take_spectrograms(track, waveform, take) for take in takes.TAKES}
    assert {take: len(windows) for take, windows in found.items()} == {
        "studio": 1,  # 16 s sound
        "heard": 2,
        "phone": 2,
    }
    again = takes.take_spectrograms(track, waveform, "phone")
    np.testing.assert_array_equal(found["phone"], again)
    assert not np.allclose(found["phone"][0], found["heard"][0], atol=1)


def test_made_tracks_are_prepared_with_the_corpus(corpus, tmp_path, quick):
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    dataset = Dataset(tmp_path / "prepared")
    ids = {track.id for track in dataset.tracks if track.source == synthetic.SYNTHETIC}
    assert ids == {"made/house/0", *(f"made/tones/{i}" for i in range(5))}
    for track in np.flatnonzero(dataset.synthetic):
        assert len(dataset.rows("heard", np.array([track]))) >= 1


def test_without_espeak_what_it_speaks_is_left_out_with_the_reason(
    corpus, tmp_path, quick, monkeypatch, capfd
):
    monkeypatch.setattr(synthetic, "SOUNDS", {"espeak": 2, "tones": 1})
    monkeypatch.setattr(speech.shutil, "which", lambda name: None)
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    ids = [track.id for track in Dataset(tmp_path / "prepared").tracks]
    assert "made/tones/0" in ids
    assert "made/espeak/0" not in ids
    said = "".join(capfd.readouterr())
    assert "left out 'made/espeak/0: " in said
    assert "espeak-ng" in said.split("made/espeak/0: ")[1]


def test_preparing_goes_on_where_it_stopped(corpus, tmp_path, small_shards, quick):
    folder = tmp_path / "prepared"
    prepare.prepare(corpus, folder, jobs=1)
    whole, digest = contents(folder), Dataset(folder).digest
    (folder / "shard-00001.json").unlink()
    (folder / "shard-00001.npy").write_bytes(b"half written")
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("shard-0000[0234].npy")}
    prepare.prepare(corpus, folder, jobs=1)
    assert contents(folder) == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert Dataset(folder).digest == digest


def test_the_number_of_processes_does_not_change_the_shards(tmp_path, few_synthetic):
    tracks = synthetic.synthetic_tracks(set())
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        plans = [(folder / f"shard-{i}.npy", tracks[i : i + 1]) for i in range(3)]
        assert list(parallel.run(prepare._write_shard, plans, jobs)) == [[], [], []]
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert len(contents(tmp_path / "1")) == 6


def test_a_file_that_is_no_audio_is_left_out_and_named(corpus, tmp_path, quick, capfd):
    bad = corpus / "house" / "album house 1" / "broken.mp3"
    bad.write_bytes(b"nothing to hear")
    prepare.prepare(corpus, tmp_path / "prepared", jobs=1)
    assert "broken.mp3: This is not audio" in "".join(capfd.readouterr())
    assert len(real(Dataset(tmp_path / "prepared"))) == 10
    refused = json.loads((tmp_path / "prepared/shard-00000.json").read_text())["refused"]
    assert list(refused) == ["house/album house 1/broken.mp3"]


@pytest.mark.parametrize(
    "change",
    [{"signature": (audio.signature() + 0.1).tolist()}, {"silence": {"silence_db": 20.0}}],
)
def test_another_front_ends_shards_are_refused(tmp_path, change):
    made_by = takes.numbers() | {"signature": audio.signature().tolist()}
    (tmp_path / takes.FRONT_END_FILE).write_text(json.dumps(made_by | change))
    with pytest.raises(takes.FrontEndMismatchError, match="prepare it anew"):
        Dataset(tmp_path)


def test_a_smaller_corpus_leaves_nothing_behind(corpus, tmp_path, small_shards, quick):
    folder = tmp_path / "prepared"
    for track in (corpus / "house" / "album house 0").iterdir():
        for number in range(5):
            (track.parent / f"more {number}.wav").write_bytes(track.read_bytes())
    prepare.prepare(corpus, folder, jobs=1)
    assert len(real(Dataset(folder))) == 15
    for track in corpus.glob("*/*/more*"):
        track.unlink()
    prepare.prepare(corpus, folder, jobs=1)
    assert len(real(Dataset(folder))) == 10
    n_tracks = sum(len(json.loads(path.read_text())["tracks"]) for path in folder.glob("shard-*n"))
    assert n_tracks == len(Dataset(folder).tracks)


def test_a_file_that_changed_is_prepared_again(corpus, tmp_path, quick):
    folder = tmp_path / "prepared"
    prepare.prepare(corpus, folder, jobs=1)
    before = contents(folder)
    changed = next(corpus.glob("house/*/track.wav"))
    changed.write_bytes(signals.wav(signals.groove(16, RATE, 140, 99), RATE))
    prepare.prepare(corpus, folder, jobs=1)
    assert contents(folder)["shard-00000.npy"] != before["shard-00000.npy"]


def test_a_folder_that_is_not_prepared_to_its_end_is_refused(corpus, tmp_path, quick, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    folder = tmp_path / "prepared"
    prepare.prepare(corpus, folder, jobs=1)
    monkeypatch.setattr(prepare, "_is_done", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(corpus, folder, jobs=1)
    with pytest.raises(FileNotFoundError, match="not to its end"):
        Dataset(folder)
