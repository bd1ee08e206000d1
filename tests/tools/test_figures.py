import pytest

from service.model import load_models
from service.settings import Settings
from tools.figures import ROOT, markdown, request_milliseconds

PERFORMANCE = """\
Machine. Version 3 of the shipped model.

| figure | measured | wanted | |
| --- | --- | --- | --- |
| memory under that load, at the most | 321 MB | at most 400 | reached |

When ready it held 123 MB.

| format | decode | together | request |
| --- | --- | --- | --- |
| mp3 | 15.5 | 21.2 | 11.4 |
| webm | 33.2 | 39.1 | 43.6 |

The rest.
"""


@pytest.fixture
def card():
    return load_models(Settings().models)[Settings().model].card


def changed(card, **figures):
    """Return the card with other figures for the genres over the folds."""
    genre = card.figures.folds.genre.model_copy(update=figures)
    folds = card.figures.folds.model_copy(update={"genre": genre})
    return card.model_copy(update={"figures": card.figures.model_copy(update={"folds": folds})})


def test_the_figures_come_from_the_card(card):
    accuracy = card.figures.folds.genre.clip_accuracy.model_copy(update={"mean": 0.1234})
    page = markdown(changed(card, clip_accuracy=accuracy), 7_654_321, PERFORMANCE)
    assert "0.12 |" in page
    assert "| 7.7 MB |" in page


def test_the_weakest_genre_is_named(card):
    rows = [row.model_copy(update={"f1": 0.9}) for row in card.figures.folds.genre.per_genre]
    rows[4] = rows[4].model_copy(update={"f1": 0.111})
    page = markdown(changed(card, per_genre=rows), 1, PERFORMANCE)
    assert f"{rows[4].genre}: F1 0.11" in " ".join(page.split())


def test_cost_and_memory_come_from_the_benchmark(card):
    page = markdown(card, 1, PERFORMANCE)
    assert "| 11 to 44 ms |" in page
    assert "| 123 MB and 321 MB |" in page


def test_a_cost_of_another_version_is_marked(card):
    same = PERFORMANCE.replace("Version 3", f"Version {card.version}")
    assert "(version" not in markdown(card, 1, same)
    other = markdown(card, 1, PERFORMANCE.replace("Version 3", "Version 0"))
    assert other.count("(version 0)") == 2


def test_memory_after_long_recordings_is_shown_where_it_was_measured(card):
    row = "| memory at rest after 4,000 mixed requests, up to ten minutes long | 345 MB | |\n"
    assert "| 345 MB |" in markdown(card, 1, PERFORMANCE.replace("| memory", row + "| memory", 1))
    assert "at rest" not in markdown(card, 1, PERFORMANCE)


def test_a_measurement_by_outsiders_is_shown_for_its_version_only(card):
    shipped = markdown(card.model_copy(update={"version": "4"}), 1, PERFORMANCE)
    another = markdown(card.model_copy(update={"version": "0"}), 1, PERFORMANCE)
    assert "201 clips" in " ".join(shipped.split())
    assert "201 clips" not in another
    assert all("Expect less on your own music" in page for page in (shipped, another))


def test_a_benchmark_without_a_figure_is_an_error(card):
    with pytest.raises(LookupError, match="memory"):
        markdown(card, 1, PERFORMANCE.replace("321 MB", "-"))


def test_the_committed_benchmark_can_be_read():
    page = (ROOT / "docs/PERFORMANCE.md").read_text()
    assert all(0 < each < 1_000 for each in request_milliseconds(page))
