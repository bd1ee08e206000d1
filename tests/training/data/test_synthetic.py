import numpy as np
import pytest

from service import audio
from training.data import synthetic, takes
from training.data.synthetic import NOT_MUSIC, SYNTHETIC, synthetic_tracks
from training.synthesis.sounds import KINDS


def test_dance_music_is_for_genres_of_the_corpus():
    assert {track.genre for track in synthetic_tracks({"house", "jazz"})} == {"house", None}


def test_dance_music_is_only_for_training():
    tracks = synthetic_tracks({"house", "dubstep"})
    assert {track.subset for track in tracks if track.genre} == {"train"}


def test_every_kind_of_sound_is_in_every_subset():
    tracks = synthetic_tracks(set())
    for kind in KINDS:
        subsets = [track.subset for track in tracks if track.path.parent.name == kind]
        assert subsets.count("test") == subsets.count("valid") == len(subsets) / 5
    assert {track.other for track in tracks} == {NOT_MUSIC}
    assert {track.source for track in tracks} == {SYNTHETIC}


def test_each_track_is_a_group():
    tracks = synthetic_tracks({"house", "dubstep"})
    assert len({track.id for track in tracks}) == len(tracks)
    assert len({track.group for track in tracks}) == len(tracks)


@pytest.mark.parametrize(
    "name", ["synthetic/house/3", "synthetic/tones/0", "synthetic/formant speech/1"]
)
def test_a_track_is_reproducible(name, monkeypatch):
    monkeypatch.setattr(synthetic, "MUSIC_SECONDS", 5.0)
    monkeypatch.setattr(synthetic, "SOUND_SECONDS", 4.0)
    track = next(track for track in synthetic_tracks({"house"}) if track.id == name)
    waveform = synthetic.waveform(track)
    seconds = synthetic.MUSIC_SECONDS if track.genre else synthetic.SOUND_SECONDS
    assert len(waveform) == seconds * audio.SAMPLE_RATE
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, synthetic.waveform(track))


def test_two_tracks_of_a_kind_differ():
    one, other = [track for track in synthetic_tracks(set()) if "/tones/" in track.id][:2]
    assert not np.array_equal(synthetic.waveform(one), synthetic.waveform(other))


def test_the_sound_of_a_track_does_not_determine_its_phone(monkeypatch):
    """With one stream for both, the tempo of a song would determine the band of the microphone."""
    first = {"sound": [], "phone": []}

    def synthesise(genre, seconds, rng):
        first["sound"].append(rng.random())
        return np.ones(int(seconds * audio.SAMPLE_RATE), np.float32)

    def record(waveform, rng):
        first["phone"].append(rng.random())
        return waveform

    monkeypatch.setattr(synthetic, "synthesise", synthesise)
    monkeypatch.setattr(takes.phone, "record", record)
    for track in [t for t in synthetic_tracks({"dubstep"}) if t.genre]:
        takes.take_spectrograms(track, synthetic.waveform(track)[: 3 * audio.SAMPLE_RATE], "phone")
    sound, phone = map(np.array, first.values())
    assert not set(sound) & set(phone)
    assert abs(np.corrcoef(sound, phone)[0, 1]) < 0.3
