import csv
import json

import numpy as np
import pytest

from training.data.corpus import CorpusError
from training.studies.teach import alternatives, measures, study
from training.studies.teach.clips import read_clips

GENRES = ("house", "jazz", "rap")
DIMENSIONS = 16


def vector(rng, *directions):
    values = sum(np.eye(DIMENSIONS)[each] for each in directions) + rng.normal(0, 0.08, DIMENSIONS)
    return (values / np.linalg.norm(values)).tolist()


@pytest.fixture
def corpus(tmp_path):
    """Clips of three genres, with a direction for each and for each subgenre, and other music."""
    rng = np.random.default_rng(0)
    rows, records = [], []
    for number in range(240):
        genre = GENRES[number % 3] if number < 210 else ""
        split = "test" if not genre else ("test", "valid", "train", "train")[number % 4]
        subgenre = ("deep", "hard")[number // 3 % 2] if genre == "house" else ""
        place = GENRES.index(genre) if genre else 3
        rows.append(
            {
                "clip_id": number, "file": f"{number}.opus", "track_id": number % 120,
                "genre": genre, "other": "" if genre else ("country", "mixed-jazz")[number % 2],
                "subgenre": subgenre, "artist_group": f"{split}{number // 9}-{place}",
                "split": split, "label_source": "the guide, genre node 'x'",
            }
        )  # fmt: skip
        shares = np.where(np.arange(3) == place, 0.8, 0.1)
        analysis = {
            "genres": [{"genre": name, "probability": share}
                       for name, share in zip(GENRES, shares.tolist(), strict=True)],
            "embedding": {"space": "s", "values": vector(rng, place, 4 + len(subgenre) % 4
                                                         + (subgenre == "hard"))},
        }  # fmt: skip
        records.append({"path": str(tmp_path / f"{number}.opus"), "analysis": analysis})
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "records.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))
    return tmp_path


@pytest.fixture
def clips(corpus):
    return read_clips(corpus, corpus / "records.jsonl")


def test_the_study_reports(corpus, monkeypatch):
    monkeypatch.setattr(study, "DRAWS", 2)
    monkeypatch.setattr(study, "NOVELTY_DRAWS", 1)
    page = corpus / "page.md"
    study.study(corpus, corpus / "records.jsonl", page)
    first = page.read_text()
    for heading in (
        "The nine genres, taught", "None of these", "Subgenres", "What else was tried", "Limits",
    ):  # fmt: skip
        assert f"\n## {heading}\n" in first
    assert "nan" not in first
    assert "| house | deep |" in first
    study.study(corpus, corpus / "records.jsonl", page)
    assert page.read_text() == first


def test_a_clip_without_an_embedding_is_refused(corpus):
    lines = (corpus / "records.jsonl").read_text().splitlines(keepends=True)
    (corpus / "records.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(CorpusError, match=r"1 clips of .* have no embedding"):
        read_clips(corpus, corpus / "records.jsonl")


def test_recordings_are_drawn_from_the_pool_and_from_two_artists(clips):
    pool = ~clips.test & (clips.genre >= 0)
    for seed in range(5):
        drawn = measures.draw(clips, pool, 4, np.random.default_rng(seed))
        assert pool[drawn].all()
        assert np.bincount(clips.genre[drawn]).tolist() == [4, 4, 4]
        assert len(np.unique(clips.track[drawn])) == 12
        for genre in range(3):
            assert len(np.unique(clips.artist[drawn][clips.genre[drawn] == genre])) > 1


def test_heads_are_measured_on_what_they_were_not_taught(clips, monkeypatch):
    taught, fit = [], measures.fit

    def spy(examples, count):
        taught.append(set(examples.group.tolist()))
        return fit(examples, count)

    monkeypatch.setattr(measures, "fit", spy)
    tested = set(clips.artist[clips.tested].tolist())
    places = measures.draw(clips, ~clips.test & (clips.genre >= 0), 5, np.random.default_rng(0))
    right = measures.taught(clips, places)
    assert right.accuracy > 0.95
    assert not taught[0] & tested
    measures.taught_unheard(clips, 5, np.random.default_rng(0))
    assert len(taught) == 1 + measures.FOLDS
    assert all(each < tested for each in taught[1:])


def test_a_genre_that_is_not_taught_is_refused(clips):
    places = measures.draw(clips, ~clips.test & (clips.genre >= 0), 10, np.random.default_rng(0))
    found = measures.left_out(clips, places, 0)
    assert found.auroc > 0.95
    assert found.refused > 0.9
    assert found.other > 0.9
    assert found.kept > 0.6


def test_alternatives_are_measured_on_validation(clips):
    for compared in (alternatives.scalings, alternatives.novelties):
        for figures in compared(clips, (5,), 2).values():
            assert len(figures) == 1
            assert figures[0] > 0.7


def test_an_area_counts_pairs():
    assert measures.auroc(np.array([0.1, 0.3]), np.array([0.2, 0.3])) == 2.5 / 4


def test_the_shipped_model_is_measured_on_the_same_clips(clips):
    right = measures.shipped(clips)
    assert right.accuracy == 1
    assert right.calibration == pytest.approx(0.2)
