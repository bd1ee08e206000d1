import pytest

from service.library.find import MissingPathError
from service.mcp.folders import Folders, OutsideError


@pytest.fixture
def places(tmp_path):
    """Two named folders and a secret outside, with links from inside to all sorts of places."""
    for name in ("music", "more", "music-private"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret").touch()
    (tmp_path / "music" / "song").touch()
    for name, target in {
        "out": "../secret",
        "up": "..",
        "sibling": "../more",
        "circle": "circle",
        "nothing": "../missing",
    }.items():
        (tmp_path / "music" / name).symlink_to(target)
    return tmp_path


@pytest.fixture
def folders(places):
    return Folders([places / "music", places / "more"])


@pytest.mark.parametrize(
    "path", ["song", "./song", "sibling/../more/new", "not there", "up/more/x"]
)
def test_a_path_inside_is_returned_without_links(folders, places, path):
    real = folders.real(path)
    assert real == (places / "music" / path).resolve()
    assert folders.holds(places / "music" / path)


@pytest.mark.parametrize(
    "path",
    [
        "..", "../secret", "out", "up/secret", "nothing", "/etc/passwd", "../music-private/x",
        "more/../../secret", "circle", "a\0b",
    ],
)  # fmt: skip
def test_a_path_that_leads_outside_is_refused(folders, places, path):
    with pytest.raises(OutsideError, match=r"outside the folders|is not a path"):
        folders.real(path)
    assert not folders.holds(places / "music" / path)


def test_the_error_names_the_folders_and_not_what_a_link_leads_to(folders, places):
    with pytest.raises(OutsideError) as caught:
        folders.real("out")
    assert str(places / "music") in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_itself_a_link_can_be_named(places):
    (places / "link").symlink_to("music")
    assert Folders([places / "link"]).real("song") == (places / "music" / "song").resolve()


@pytest.mark.parametrize("name", ["missing", "secret"])
def test_a_folder_that_is_not_there_is_an_error(places, name):
    with pytest.raises(MissingPathError, match="There is no folder at"):
        Folders([places / name])
