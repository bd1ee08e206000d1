import numpy as np
import pytest

from service.taxonomy import MODELS_OWN, Taxonomy, TaxonomyError, read_taxonomy

GENRES = ["blues", "dubstep", "house", "jazz"]
SCORES = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], np.float32)


def test_nothing_changes_without_one():
    assert MODELS_OWN.rename(GENRES) == GENRES
    assert np.array_equal(MODELS_OWN.merge(GENRES, SCORES), SCORES)


def test_probabilities_under_one_name_add_up():
    taxonomy = Taxonomy({"house": "Electronic", "dubstep": "Electronic", "blues": "jazz"})
    assert taxonomy.rename(GENRES) == ["jazz", "Electronic"]
    expected = [[0.5, 0.5], [0.5, 0.5]]
    assert taxonomy.merge(GENRES, SCORES) == pytest.approx(np.array(expected))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "genres.toml"


def test_a_file_is_read(file):
    file.write_text('house = "Électronique"\n"blues" = "Blues"\n')
    assert read_taxonomy(file, set(GENRES)).names == {"house": "Électronique", "blues": "Blues"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is no taxonomy: .*No such file"),
        (b"house", "is no taxonomy"),
        (b"\xff", "is no taxonomy"),
        (b"house = 1", "is no taxonomy"),
        (b'huose = "House"', "names huose, which is a genre of no model"),
    ],
)
def test_one_that_cannot_be_used_is_refused_in_one_line(file, content, says):
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TaxonomyError, match=says) as refusal:
        read_taxonomy(file, set(GENRES))
    assert "\n" not in str(refusal.value)
