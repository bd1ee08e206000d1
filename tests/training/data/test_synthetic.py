import numpy as np
import pytest

from service import audio
from training.data import synthetic
from training.synthesis.sounds import KINDS

N_SOUNDS = 340


def test_dance_music_is_made_for_genres_that_the_corpus_has():
    tracks = synthetic.synthetic_tracks({"house", "jazz"})
    assert {track.genre for track in tracks} == {"house", None}
    assert sum(track.genre == "house" for track in tracks) == 40
    assert sum(track.genre is None for track in tracks) == N_SOUNDS


def test_synthesised_music_only_trains():
    tracks = synthetic.synthetic_tracks({"house", "dubstep"})
    assert {track.subset for track in tracks if track.genre} == {"train"}


def test_every_kind_of_sound_is_in_every_part():
    tracks = synthetic.synthetic_tracks(set())
    for kind in KINDS:
        splits = [track.subset for track in tracks if track.path.parent.name == kind]
        assert splits.count("test") == splits.count("valid") == len(splits) / 5
    assert {track.other for track in tracks} == {synthetic.NOT_MUSIC}
    assert {track.source for track in tracks} == {synthetic.SYNTHETIC}


def test_each_is_a_group_of_its_own():
    tracks = synthetic.synthetic_tracks({"house", "dubstep"})
    assert len({track.id for track in tracks}) == len({track.group for track in tracks})
    assert len({track.group for track in tracks}) == len(tracks)


@pytest.mark.parametrize("name", ["made/house/3", "made/tones/0", "made/formant speech/1"])
def test_a_track_is_the_same_whenever_it_is_made(name):
    track = next(track for track in synthetic.synthetic_tracks({"house"}) if track.id == name)
    waveform = synthetic.waveform(track)
    seconds = synthetic.MUSIC_SECONDS if track.genre else synthetic.SOUND_SECONDS
    assert len(waveform) == seconds * audio.SAMPLE_RATE
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, synthetic.waveform(track))


def test_two_tracks_of_a_kind_differ():
    one, other = [track for track in synthetic.synthetic_tracks(set()) if "/tones/" in track.id][:2]
    assert not np.array_equal(synthetic.waveform(one), synthetic.waveform(other))
