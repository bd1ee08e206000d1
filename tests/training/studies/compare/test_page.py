import re
from dataclasses import replace

import pytest

from service.model import Model
from training.studies.compare import page, results
from training.studies.compare.page import (
    CONCLUSIONS,
    SHIPPED,
    UNWRITTEN,
    figure,
    spread,
    write_page,
)
from training.studies.compare.results import Result
from training.studies.compare.rows import ROWS, SECTIONS
from training.studies.compare.sample import Epoch


@pytest.fixture
def work(tmp_path):
    """Results of a few rows: one of each kind of figure."""
    measured = Result(
        "digest",
        accuracy=[0.5, 0.7],
        macro_f1=[0.25, 0.35],
        seconds=[40.0, 50.0],
        classes=["house", "jazz"],
        confusion=[[3, 1], [0, 4]],
        history=[Epoch(2.0, 1.5, 0.5), Epoch(1.0, 1.25, 0.75)],
    )
    scales = Result("digest", seconds=[1.0], spearman={"valence": [0.25], "energy": [0.625]})
    clusters = Result("digest", seconds=[0.5], elbow=[3.0, 1.0, 0.5], notes=["half is jazz"])
    refused = Result("digest", reason="too few recordings of punk: 1 in train")
    for row in ROWS:
        result = {
            "genres": measured,
            "genres, valence, energy, danceability": scales,
            "pop-punk, pop or hardcore": refused,
        }.get(row.task.name)
        if row.name == "k-means":
            result = clusters
        if result:
            results.write(row, tmp_path, result)
    return tmp_path


def lines_of(path):
    return [line for line in path.read_text().splitlines() if line.startswith("|")]


def test_the_table_has_every_row(clips, work):
    lines = lines_of(write_page(clips, work, work / "docs"))
    assert len({line.count("|") for line in lines}) == 1
    assert [line for line in lines if line.startswith("| **")][:-1] == [
        line for line in lines if re.match(r"\| \*\*\d", line)
    ]
    assert sum(1 for line in lines if re.match(r"\| \*\*\d", line)) == len(SECTIONS)
    assert "| mel | LSTM | genres | 0.60 ± 0.14 | 0.30 ± 0.07 | 45 s | 2 |" in lines
    multitask = next(line for line in lines if "LSTM, multitask" in line)
    assert multitask.endswith("|  | valence 0.25; energy 0.62 | 1 s | 1 |")
    assert any("not measured: too few recordings of punk: 1 in train |" in each for each in lines)


def test_notes_and_pictures_are_below_the_table(clips, work):
    written = write_page(clips, work, work / "docs")
    text = written.read_text()
    assert "attributes, k-means: half is jazz." in text
    for name in page.PICTURES:
        assert f"](comparison-{name}.png)" in text
        assert (written.parent / f"comparison-{name}.png").stat().st_size > 1_000


def test_the_text_of_a_person_is_preserved(clips, work):
    written = write_page(clips, work, work / "docs")
    assert written.read_text().endswith(f"{CONCLUSIONS}\n\n{UNWRITTEN}\n")
    written.write_text(written.read_text().replace(UNWRITTEN, "Much.\n\nAnd more."))
    write_page(clips, work, work / "docs")
    assert written.read_text().endswith(f"{CONCLUSIONS}\n\nMuch.\n\nAnd more.\n")


def test_the_row_of_the_shipped_model_needs_the_corpus_of_its_card(clips):
    card = Model(SHIPPED).card
    assert "another corpus" in " ".join(page.shipped_row(card, clips))
    own = [
        replace(clips[0], genre=genre, subset=side)
        for genre, sides in card.data.genres.items()
        for side, count in sides.items()
        for _ in range(count)
    ]
    cells = page.shipped_row(card, own)
    accuracy = card.figures.test.genre.window_accuracy
    assert cells[3] == figure(accuracy.mean, accuracy.spread)
    assert re.search(r"; valence \d\.\d\d( ± \d\.\d\d)?; energy ", cells[4])


def test_figures_are_printed_with_their_spread():
    assert (spread([]), spread([0.5]), spread([0.5, 0.7])) == ("", "0.50", "0.60 ± 0.14")


def test_the_best_row_of_a_section_has_separate_artists():
    def result(macro_f1):
        return Result("digest", macro_f1=[macro_f1])

    by_task = {"genres": 0.5, "dominant feeling": 0.25}
    done = [(row, result(by_task.get(row.task.name, 0.9))) for row in ROWS]
    assert {row.task.name for row, _ in page.best_rows(done)} == by_task.keys()
    assert [row.section for row, _ in page.best_rows(done)] == [1, 2, 3, 4, 5, 6]
