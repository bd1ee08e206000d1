import csv

import numpy as np
import pytest

from service.music import fitted
from tests.service.music.sounds import RATE, cadence, clicks
from tools import signals
from training.data.corpus import CorpusError
from training.studies.tempo_key import clips, fit, study
from training.studies.tempo_key.measures import key_score, relative_major, tempo_right

COLUMNS = ("clip_id", "genre", "artist_group", "tempo", "key", "key_tom_relmajor")


@pytest.fixture
def corpus(tmp_path):
    """Eight clips of clicks over a cadence, by four artists."""
    tracks, truth = [], []
    for number in range(8):
        bpm, tonic, mode = 80 + 10 * number, number, ("major", "minor")[number % 2]
        chords = np.resize(cadence(tonic, mode), 16 * RATE)
        sound = 0.5 * chords + clicks(bpm, 16, seed=number)
        (tmp_path / f"{number}.wav").write_bytes(signals.wav(sound, RATE))
        tracks.append({"clip_id": str(number), "file": f"{number}.wav"})
        key = tonic + 12 * (mode == "minor")
        known = number not in (2, 3)
        signature = relative_major(np.array([key]))[0]
        genre = "classical" if number < 3 else "rock"
        row = (number, genre, number // 2, bpm, key if known else "", signature)
        truth.append(dict(zip(COLUMNS, row, strict=True)))
    for name, rows in (("tracks.csv", tracks), ("tempo_key.csv", truth)):
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def test_the_study_fits_and_reports(corpus, tmp_path, monkeypatch):
    saved = tmp_path / "fitted.npz"
    monkeypatch.setattr(fitted, "FILE", saved)
    for module, name, value in (
        (study, "SPLITS", 1), (study, "EVERY", 3), (study, "TIMED", 1), (fit, "EPOCHS", 2),
        (clips, "SOUNDS_PER_KIND", 2), (clips, "KINDS", clips.KINDS[:2]),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    study.study(corpus, tmp_path / "page.md", jobs=1)
    page = (tmp_path / "page.md").read_text()
    for heading in ("Tempo", "Key", "No beat, no key", "Loudness", "Time", "Limits"):
        assert f"\n## {heading}\n" in page
    assert "nan" not in page
    assert fitted.key_weights().shape == (3,)
    first = saved.read_bytes()
    study.study(corpus, tmp_path / "page.md", jobs=1)
    assert saved.read_bytes() == first
    fitted.tempo_ranker.cache_clear()
    fitted.key_weights.cache_clear()


def test_a_corpus_without_truth_is_refused(corpus):
    (corpus / "tempo_key.csv").unlink()
    with pytest.raises(CorpusError, match=r"tempo_key\.csv"):
        clips.read_clips(corpus, 1)


def test_a_tempo_is_right_within_four_percent():
    truth = np.full(5, 100.0)
    bpm = np.array([103.9, 104.1, 49, 297, np.nan])
    assert tempo_right(bpm, truth).tolist() == [1, 0, 0, 0, 0]
    assert tempo_right(bpm, truth, (1, 2, 3, 1 / 2, 1 / 3)).tolist() == [1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("ours", "truth", "score"),
    [(0, 0, 1), (7, 0, 0.5), (5, 0, 0.5), (9 + 12, 0, 0.3), (12, 0, 0.2), (0, 9 + 12, 0.3),
     (9, 9 + 12, 0.2), (4 + 12, 9 + 12, 0.5), (2, 0, 0), (2, 9 + 12, 0)],
)  # fmt: skip
def test_mirex_scores_near_misses(ours, truth, score):
    assert key_score(np.array([ours]), np.array([truth])).tolist() == [score]


def test_no_artist_is_in_both_halves(corpus):
    rows = clips.read_clips(corpus, 1)
    half = clips.halves(rows, np.random.default_rng(0))
    groups = [{clip.group for clip, its in zip(rows, half, strict=True) if its == side}
              for side in (0, 1)]  # fmt: skip
    assert all(groups)
    assert not groups[0] & groups[1]
