import csv
import json

import numpy as np
import pytest

from service import audio
from tests.training.data.test_danceability import AT_RANDOM, RNG, four_on_the_floor, hits
from tools import signals
from training.data import danceability
from training.data.corpus import CorpusError
from training.studies import danceability as danceability_study


@pytest.fixture
def corpus(tmp_path):
    """Sixteen clips of 3 s; those with a beat have the higher labels of two kinds."""
    (tmp_path / "audio").mkdir()
    tracks, labels = [], []
    for number in range(16):
        beat = number % 2
        times = np.arange(0, 3, 0.5) if beat else np.sort(RNG.uniform(0, 3, 6))
        file = f"audio/{number}.wav"
        waveform = hits(times, 3, seed=number)
        (tmp_path / file).write_bytes(signals.wav(waveform, audio.SAMPLE_RATE))
        value = beat / 2 + number / 100
        spotify = number < 8
        tracks.append(
            {
                "clip_id": str(number), "file": file, "artist": f"The Artist {number}",
                "artist_group": str(number), "genre": "house" if beat else "", "other": "noise",
                "source": "4q_taffc", "native_rate": 22050 + number, "native_kbps": 64 + number,
                "seconds": 30,
            }
        )  # fmt: skip
        labels.append(
            {
                "clip_id": str(number), "danceability_dfa": number,
                "spotify_danceability": value if spotify else "",
                "dance_proxy": "" if spotify else value, "n_votes": "" if spotify else 14,
            }
        )  # fmt: skip
    for name, rows in (("tracks.csv", tracks), ("emotion.csv", labels)):
        with (tmp_path / name).open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def test_the_study_finds_the_descriptors_that_labels_depend_on(corpus, monkeypatch):
    monkeypatch.setattr(danceability, "COEFFICIENTS", corpus / "danceability.json")
    monkeypatch.setattr(danceability_study, "REPEATS", 1)
    monkeypatch.setattr(danceability_study, "MIN_GENRE", 3)
    monkeypatch.setattr(danceability_study, "RESAMPLES", 50)
    try:
        danceability_study.study(corpus, corpus / "report.md", jobs=1)
        beat = danceability.danceability(four_on_the_floor())
        assert beat > danceability.danceability(AT_RANDOM)
    finally:
        danceability.fitted_formula.cache_clear()
    terms = json.loads((corpus / "danceability.json").read_text())["terms"]
    assert terms["clarity"]["weight"] > 0
    report = (corpus / "report.md").read_text()
    assert "| house | " in report
    assert "nan" not in report


def test_a_corpus_without_a_proxy_is_an_error(corpus):
    labels = (corpus / "emotion.csv").read_text()
    (corpus / "emotion.csv").write_text(labels.replace("dance_proxy", "another"))
    with pytest.raises(CorpusError, match="dance_proxy"):
        danceability_study.study(corpus, corpus / "report.md")
