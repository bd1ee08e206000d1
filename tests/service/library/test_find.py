import os
from pathlib import Path

import pytest

from service.library.find import MissingPathError, recordings


@pytest.fixture
def library(tmp_path):
    for name in ("b.MP3", "a/c.opus", "a/cover.jpg", ".hidden/d.mp3", "a/._c.opus"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_a_folder_gives_what_its_names_promise_in_order(library):
    assert recordings([library]) == [library / "a/c.opus", library / "b.MP3"]


def test_a_file_is_taken_whatever_its_name(library):
    assert recordings([library / "a/cover.jpg"]) == [library / "a/cover.jpg"]


def test_what_is_named_twice_is_taken_once(library, monkeypatch):
    monkeypatch.chdir(library)
    paths = [library, library / "a", library / "a/../b.MP3"]
    assert recordings(paths) == recordings([library])


def test_a_link_in_a_circle_ends(library):
    (library / "a/again").symlink_to(library)
    assert recordings([library]) == [library / "a/c.opus", library / "b.MP3"]


def test_a_folder_that_cannot_be_read_is_not_passed_over(library, monkeypatch):
    scandir = os.scandir

    def forbidding(path):
        if Path(path) == library / "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    assert recordings([library]) == [library / "a", library / "b.MP3"]


def test_a_path_without_anything_is_refused(library):
    with pytest.raises(MissingPathError, match="nothing at"):
        recordings([library, library / "nowhere"])
