import av
import mutagen
import numpy as np
import pytest

from service import audio
from service.library.tags import TagsError, tags_of, write_tags
from service.schemas import ANALYSIS, Analysis
from tools import signals

TAGS = {"genre": "house", "mood": "joyful", "energy": "0.553"}
HOLDING = {"mp3": "mp3", "m4a": "m4a", "flac": "flac", "opus": "opus", "vorbis": "ogg"}


def analysis(**changes):
    return Analysis.model_validate(ANALYSIS | changes)


@pytest.fixture(params=[*HOLDING, "wav"])
def path(request, tmp_path, clips):
    content = clips.get(request.param) or signals.wav(signals.groove(5), 48_000)
    path = tmp_path / f"clip.{HOLDING.get(request.param, 'wav')}"
    path.write_bytes(content)
    return path


def read(path):
    """Tags as FFmpeg reads them, which knows nothing of what wrote them."""
    with av.open(str(path)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    return {name.lower(): value for name, value in found.items()}


def test_tags_are_found_by_another_reader(path):
    assert write_tags(path, TAGS, replace=False) == list(TAGS)
    found = read(path)
    mood = found.get("mood") or found.get("tmoo")  # FFmpeg does not translate ID3's
    assert (found["genre"], mood, found["energy"]) == ("house", "joyful", "0.553")


def test_the_sound_stays_as_it_was(path):
    before = audio.decode(path.read_bytes()).waveform
    write_tags(path, TAGS, replace=True)
    np.testing.assert_array_equal(audio.decode(path.read_bytes()).waveform, before)


def test_what_is_there_is_left_alone_unless_told_otherwise(path):
    write_tags(path, {"genre": "Polka", "mood": "tense"}, replace=True)
    before = path.read_bytes()
    assert write_tags(path, {"genre": "house", "mood": "joyful"}, replace=False) == []
    assert path.read_bytes() == before
    assert write_tags(path, TAGS, replace=False) == ["energy"]
    assert read(path)["genre"] == "Polka"
    assert write_tags(path, TAGS, replace=True) == list(TAGS)
    assert read(path)["genre"] == "house"


@pytest.mark.parametrize("encoding", ["webm", "adts"])
def test_a_file_without_room_for_tags_is_refused_and_left_alone(tmp_path, clips, encoding):
    path = tmp_path / "clip"
    path.write_bytes(clips[encoding])
    with pytest.raises(TagsError):
        write_tags(path, TAGS, replace=True)
    assert path.read_bytes() == clips[encoding]


def test_a_file_that_is_gone_is_refused(tmp_path):
    with pytest.raises(TagsError, match="cannot be written"):
        write_tags(tmp_path / "gone.mp3", TAGS, replace=True)


def test_all_is_written_of_what_is_sure():
    said = tags_of(analysis())
    assert said["genre"] == "house"
    assert said["mood"] == ANALYSIS["mood"]
    assert said["energy"] == f"{ANALYSIS['energy']:.3f}"
    assert {"valence", "danceability"} <= said.keys()


@pytest.mark.parametrize("verdict", ["mixed", "unknown_genre"])
def test_no_genre_is_written_of_what_is_not_sure(verdict):
    said = tags_of(analysis(verdict=verdict))
    assert "genre" not in said
    assert "mood" in said


@pytest.mark.parametrize("verdict", ["silence", "not_music"])
def test_nothing_is_written_of_what_is_no_music(verdict):
    assert tags_of(analysis(verdict=verdict)) == {}


def test_an_emotion_that_is_not_known_is_not_written():
    unlearnt = {"emotion": {}, "valence": None, "energy": None, "danceability": None, "mood": None}
    assert tags_of(analysis(**unlearnt)) == {"genre": "house"}


def test_this_test_reads_what_mutagen_cannot(tmp_path, clips):
    path = tmp_path / "clip.webm"
    path.write_bytes(clips["webm"])
    assert mutagen.File(path) is None
