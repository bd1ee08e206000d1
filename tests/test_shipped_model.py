"""Holds the shipped model to its card, through the service's own path, on the labelled corpus."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soxr

from service import audio
from service.analysis import analyse
from service.model import load_models
from service.settings import MODELS
from tests import signals

CORPUS = Path(os.environ.get("FIFTEEN_CORPUS", Path(__file__).parents[2] / "shared/corpus"))
OPUS_RATE = 48_000

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not (CORPUS / "tracks.csv").exists(),
        reason=f"no labelled corpus in {CORPUS}: the shipped model's figures were NOT checked",
    ),
]


@pytest.fixture(scope="module")
def model():
    return load_models(MODELS)["seed"]


def labelled_clips(split):
    with (CORPUS / "tracks.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split and row["genre"]]


@pytest.fixture(scope="module")
def test_clips():
    return labelled_clips("test")


def test_repeating_a_short_clip_is_no_worse_than_padding_it(model):
    """The evidence for the rule of short clips, on validation, 5 s of each clip."""
    clips = labelled_clips("valid")
    right = {"repeated": 0, "padded": 0}
    for clip in clips:
        waveform = audio.decode((CORPUS / clip["file"]).read_bytes()).waveform
        short = waveform[: 5 * audio.SAMPLE_RATE]
        padded = np.pad(short, (0, audio.N_SAMPLES - len(short)))[None]
        for rule, windows in (("repeated", audio.windows(short)), ("padded", padded)):
            best = model.score(audio.log_mel(windows)).genres[0].argmax()
            right[rule] += model.card.genres[best] == clip["genre"]
    print(f"5 s of {len(clips)} clips of validation, answered rightly: {right}")
    assert right["repeated"] >= right["padded"]


def test_the_accuracy_is_the_one_on_the_card(model, test_clips):
    right = 0
    for clip in test_clips:
        answer = analyse((CORPUS / clip["file"]).read_bytes(), model)
        right += answer.genre == clip["genre"]
    stated = model.card.figures.genre.clip_accuracy.value
    # Training removes silences and the service does not: a clip or two may differ.
    assert right / len(test_clips) == pytest.approx(stated, abs=2.5 / len(test_clips))


def test_no_container_changes_the_answer(model, test_clips):
    for genre in ("classical", "jazz", "metal", "rap"):
        clip = next(row for row in test_clips if row["genre"] == genre)
        waveform = audio.decode((CORPUS / clip["file"]).read_bytes()).waveform[: audio.N_SAMPLES]
        at_48_khz = soxr.resample(waveform, audio.SAMPLE_RATE, OPUS_RATE).clip(-1, 1)
        expected = analyse(signals.wav(at_48_khz, OPUS_RATE), model)
        probabilities = {each.genre: each.probability for each in expected.genres}
        for encoding in signals.ENCODINGS:
            answer = analyse(signals.encode(at_48_khz, OPUS_RATE, encoding), model)
            assert answer.genre == expected.genre, encoding
            for each in answer.genres:
                assert each.probability == pytest.approx(probabilities[each.genre], abs=0.05)
