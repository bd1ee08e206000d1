import numpy as np
import pytest

from service.taxonomy import MODELS_OWN, Taxonomy, TaxonomyError, read_taxonomy

GENRES = ["blues", "dubstep", "house", "jazz"]
SCORES = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], np.float32)


def test_without_a_taxonomy_genres_and_scores_stay_the_same():
    assert MODELS_OWN.rename(GENRES) == GENRES
    assert np.array_equal(MODELS_OWN.merge(GENRES, SCORES), SCORES)


def test_probabilities_of_genres_with_the_same_name_add_up():
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
    ("content", "message"),
    [
        (None, "is not a taxonomy: .*No such file"),
        (b"house", "is not a taxonomy"),
        (b"\xff", "is not a taxonomy"),
        (b"house = 1", "is not a taxonomy"),
        (b'huose = "House"', "renames huose, which is not a genre of any model"),
    ],
)
def test_an_invalid_file_is_refused_in_one_line(file, content, message):
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TaxonomyError, match=message) as refusal:
        read_taxonomy(file, set(GENRES))
    assert "\n" not in str(refusal.value)
