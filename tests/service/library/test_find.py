import os
import subprocess
from pathlib import Path

import pytest

from service.library.find import Library, MissingPathError, promises_sound


@pytest.fixture
def folder(tmp_path):
    for name in ("b.MP3", "a/c.opus", "a/cover.JPG", ".hidden/d.mp3", "a/._c.opus", "a/README"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(library, folder):
    return [str(path.relative_to(folder)) for path in library.candidates]


def test_every_file_that_may_be_sound_is_a_candidate(folder):
    library = Library([folder])
    assert names(library, folder) == ["a/README", "a/c.opus", "b.MP3"]
    assert library.no_sound == {"picture": 1}
    assert library.hidden == 2


@pytest.mark.parametrize(
    "name",
    [
        "x.m4b",
        "x.m4r",
        "x.mp2",
        "x.mkv",
        "x.mov",
        "x.m4v",
        "x.weba",
        "x.ogx",
        "x.spx",
        "x.wma",
        "x.caf",
        "x.ape",
        "x.unheard",
        "x",
    ],
)
def test_a_suffix_never_rules_a_recording_out(tmp_path, name):
    (tmp_path / name).touch()
    assert names(Library([tmp_path]), tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.jpg", "picture"), ("x.Cue", "playlist"), ("x.m3u", "playlist"), ("x.txt", "text"),
     ("x.nfo", "text"), ("x.log", "text"), ("x.lrc", "text"), ("x.pdf", "document"),
     ("x.mid", "score"), ("x.zip", "archive"), ("x.srt", "subtitle")],
)  # fmt: skip
def test_files_that_cannot_be_sound_are_counted_by_kind(tmp_path, name, kind):
    (tmp_path / name).touch()
    library = Library([tmp_path])
    assert library.candidates == []
    assert library.no_sound == {kind: 1}


def test_a_file_on_the_command_line_is_always_a_candidate(folder):
    named = [folder / "a/cover.JPG", folder / "a/._c.opus"]
    library = Library([*named, folder])
    assert set(named) < set(library.candidates)
    assert library.no_sound == {}
    assert not library.leave_out(named[0])


def test_a_duplicate_path_counts_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    once = Library([folder])
    twice = Library([folder / "a", folder, Path(), folder / "a/../b.MP3", Path("b.MP3")])
    assert twice.candidates == once.candidates
    assert (twice.no_sound, twice.hidden) == (once.no_sound, once.hidden)


def test_a_link_to_a_folder_is_counted_and_not_followed(folder):
    (folder / "a/again").symlink_to(folder)
    library = Library([folder])
    assert names(library, folder) == ["a/README", "a/c.opus", "b.MP3"]
    assert library.links == 1


def test_broken_links_are_candidates(tmp_path):
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert names(Library([tmp_path]), tmp_path) == ["gone", "one", "two"]
    assert Library([tmp_path / "one"]).candidates == [tmp_path / "one"]


def test_an_unreadable_folder_is_a_candidate(folder, monkeypatch):
    scandir = os.scandir

    def forbidding(path):
        if Path(path) == folder / "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    assert names(Library([folder]), folder) == ["a", "b.MP3"]


@pytest.fixture
def deep(tmp_path, monkeypatch):
    """Return nested folders: more than Python recurses, and too long for a path."""
    monkeypatch.chdir(tmp_path)
    for _ in range(1_100):
        Path("ddd").mkdir()
        os.chdir("ddd")
    yield tmp_path
    os.chdir(tmp_path)
    subprocess.run(["rm", "-r", "ddd"], check=True)  # shutil.rmtree recurses


def test_a_folder_too_deep_for_its_path_is_a_candidate(deep):
    (deepest,) = Library([deep]).candidates
    assert len(str(deepest)) > 4_000


def test_a_missing_path_is_refused(folder):
    with pytest.raises(MissingPathError, match="nothing at"):
        Library([folder, folder / "nowhere"])


def test_the_output_of_the_command_is_not_a_candidate(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    output, part = tmp_path / "x.csv", tmp_path / "x.csv.part"
    output.touch()
    part.touch()
    library = Library([tmp_path, output], exclude=[tmp_path / "link/x.csv", part])
    assert library.candidates == []
    assert library.no_sound == {}


@pytest.mark.parametrize(
    "start",
    [b"ID3\x04", b"OggS", b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFC", b"\0\0\0\x20ftypM4A ", b"caff",
     b"#!AMR\n", b"\x1aE\xdf\xa3", (b"G" + bytes(187)) * 3],
)  # fmt: skip
def test_the_first_bytes_of_a_file_can_promise_sound(tmp_path, start):
    path = tmp_path / "x"
    path.write_bytes(start + bytes(100))
    assert promises_sound(path)
    path.write_bytes(b"?" + start)
    assert not promises_sound(path)


def test_a_file_without_sound_is_left_out_unless_it_promises_sound(tmp_path):
    readme, song = tmp_path / "README", tmp_path / "song.mp3"
    readme.write_text("Music of mine.")
    song.write_text("Not music.")
    library = Library([tmp_path])
    assert library.leave_out(readme)
    assert not library.leave_out(song)
    assert library.no_sound == {"other": 1}
