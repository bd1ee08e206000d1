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
    assert right / len(test_clips) == pytest.approx(stated, abs=1e-3)


LOSSLESS = ("wav", "aiff", "flac")
LOSSY = ("mp3", "opus", "webm", "m4a")


def test_seven_containers_give_one_answer(model, test_clips):
    """On the first test clip of each genre; how far a codec moves an answer is printed."""
    moves, agree = [], 0
    for genre in model.card.genres:
        clip = next(row for row in test_clips if row["genre"] == genre)
        waveform = audio.decode((CORPUS / clip["file"]).read_bytes()).waveform[: audio.N_SAMPLES]
        at_48_khz = soxr.resample(waveform, audio.SAMPLE_RATE, OPUS_RATE).clip(-1, 1)
        answers = {
            name: analyse(signals.encode(at_48_khz, OPUS_RATE, name), model)
            for name in (*LOSSLESS, *LOSSY)
        }
        expected = {each.genre: each.probability for each in answers["wav"].genres}
        of_clip = {
            name: max(abs(each.probability - expected[each.genre]) for each in answer.genres)
            for name, answer in answers.items()
        }
        print(clip["clip_id"], answers["wav"].genre, {n: round(m, 3) for n, m in of_clip.items()})
        assert all(of_clip[name] < 1e-3 for name in LOSSLESS)
        moves += [of_clip[name] for name in LOSSY]
        agree += sum(answers[name].genre == answers["wav"].genre for name in LOSSY)
    assert agree >= 0.9 * len(moves)
    assert np.median(moves) < 0.05
