import os
import signal
from pathlib import PosixPath

import pytest

from service.library.analyze import analyze_all, analyze_file
from service.settings import LibrarySettings


class Deadly(PosixPath):
    """A file that crashes the decoder: whoever opens it dies of a segmentation fault."""

    def open(self, *arguments, **options):
        os.kill(os.getpid(), signal.SIGSEGV)


@pytest.fixture
def clip(tmp_path, clips):
    path = tmp_path / "clip.mp3"
    path.write_bytes(clips["mp3"])
    return path


def settings(clip, **changes):
    return LibrarySettings(paths=(clip,), jobs=1, **changes)


def slug(record):
    return record.problem["type"].removeprefix("urn:problem-type:fifteen:")


def test_an_analysis_is_the_services(clip, client):
    answer = client.post("/v1/analyze", files={"file": clip.read_bytes()}).json()
    said = analyze_file(clip, settings(clip))
    assert said.problem is None
    assert said.analysis | {"timings": {}} == answer | {"timings": {}}
    assert said.made.path == str(clip)
    assert said.made.model == answer["model"]["digest"]
    assert said.tags == []


def test_a_timeline_is_there_if_asked_for(clip):
    said = analyze_file(clip, settings(clip, timeline=True))
    assert len(said.analysis["timeline"]) == 1
    assert said.made.asked == ("timeline",)


def test_only_so_much_is_heard(clip):
    said = analyze_file(clip, settings(clip, max_seconds=3))
    assert said.analysis["audio"]["truncated"]


def test_tags_are_written_only_if_asked_for(clip):
    before = clip.read_bytes()
    analyze_file(clip, settings(clip))
    assert clip.read_bytes() == before
    said = analyze_file(clip, settings(clip, write_tags="missing"))
    assert "energy" in said.tags
    assert clip.read_bytes() != before
    assert said.made.size_bytes == len(clip.read_bytes())  # as it is now, not as it was


def test_what_is_no_audio_is_a_record_too(clip):
    clip.write_bytes(b"hello")
    said = analyze_file(clip, settings(clip))
    assert slug(said) == "not-audio"
    assert said.analysis is None


def test_what_is_gone_is_a_record_too(clip):
    clip.unlink()
    assert slug(analyze_file(clip, settings(clip))) == "unreadable-file"


def test_an_analysis_is_not_lost_with_its_tags(clip, clips):
    clip.write_bytes(clips["webm"])
    said = analyze_file(clip, settings(clip, write_tags="replace"))
    assert slug(said) == "tags-not-written"
    assert said.analysis["audio"]["container"] == "webm"


def test_a_crash_of_the_decoder_takes_nothing_with_it(clip):
    paths = [Deadly(clip.with_name("deadly")), clip, clip.with_name("gone")]
    said = {PosixPath(each.made.path).name: each for each in analyze_all(paths, settings(clip))}
    assert len(said) == len(paths)
    assert slug(said["deadly"]) == "decoder-crash"
    assert said["clip.mp3"].problem is None
    assert slug(said["gone"]) == "unreadable-file"
