"""Check the shipped model against its card, through the service, on the labelled corpus."""

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soxr

from service import audio
from service.analysis import analyze
from service.model import load_models
from service.quality import CLIPPED, FLAT_TOPPED, NARROW_DB, VERY_QUIET_DBFS, beyond_telephone
from service.settings import MODELS
from service.verdict import VERDICTS
from tools import signals
from training.data.corpus import corpus_digest, read_corpus

CORPUS = Path(os.environ.get("FIFTEEN_CORPUS", Path(__file__).parents[3] / "shared/corpus"))
OPUS_RATE = 48_000

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CORPUS / "tracks.csv").exists(),
        reason=f"no labelled corpus in {CORPUS}: the shipped model's figures were NOT checked",
    ),
]


@pytest.fixture(scope="module")
def model():
    return load_models(MODELS)["fifteen"]


@pytest.fixture(scope="module")
def card(model):
    """Return the card of the model, if its figures were measured on this corpus."""
    if model.card.corpus != corpus_digest(read_corpus(CORPUS)):
        pytest.skip(
            f"the card was measured on another corpus ({model.card.corpus or 'it names none'}): "
            f"its figures were NOT checked on {CORPUS}"
        )
    return model.card


@pytest.fixture(scope="module")
def test_clips():
    with (CORPUS / "tracks.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == "test" and row["genre"]]


@pytest.fixture(scope="module")
def answers(model, test_clips):
    """Return the analysis of each test clip."""
    return [analyze((CORPUS / clip["file"]).read_bytes(), model) for clip in test_clips]


def test_repeating_a_short_clip_is_no_worse_than_padding_it(model, test_clips):
    """The rule for short clips is checked on 5 s of each clip."""
    right = {"repeated": 0, "padded": 0}
    for clip in test_clips:
        waveform = audio.decode((CORPUS / clip["file"]).read_bytes()).waveform
        short = waveform[: 5 * audio.SAMPLE_RATE]
        padded = np.pad(short, (0, audio.N_SAMPLES - len(short)))[None]
        for rule, windows in (("repeated", audio.windows(short)), ("padded", padded)):
            best = model.score(audio.log_mel(windows)).genres[0].argmax()
            right[rule] += model.card.genres[best] == clip["genre"]
    print(f"5 s of {len(test_clips)} test clips, answered rightly: {right}")
    assert right["repeated"] >= right["padded"]


def test_the_accuracy_equals_that_on_the_card(card, test_clips, answers):
    right = [a.genre == clip["genre"] for a, clip in zip(answers, test_clips, strict=True)]
    stated = card.figures.test.genre.clip_accuracy.value
    assert np.mean(right) == pytest.approx(stated, abs=1e-3)


def test_every_genre_is_as_good_as_on_the_card(card, test_clips, answers):
    true = np.array([clip["genre"] for clip in test_clips])
    predicted = np.array([answer.genre for answer in answers])
    rows = card.figures.test.genre.per_genre
    assert [row.genre for row in rows] == card.genres
    for row in rows:
        right = np.sum((predicted == true) & (true == row.genre))
        assert row.clips == np.sum(true == row.genre)
        assert row.recall * row.clips == pytest.approx(right, abs=0.1), row.genre
        assert row.precision * np.sum(predicted == row.genre) == pytest.approx(right, abs=0.1), (
            row.genre
        )


def test_the_verdicts_equal_those_on_the_card(card, test_clips, answers):
    (row,) = (row for row in card.figures.test.verdicts if row.kind == "genres")
    counts = Counter(answer.verdict for answer in answers)
    assert row.clips == len(answers)
    for verdict in VERDICTS:
        share = counts[verdict] / len(answers)
        assert share == pytest.approx(row.verdicts.get(verdict, 0), abs=1e-3), verdict
    confident = [
        answer.genre == clip["genre"]
        for answer, clip in zip(answers, test_clips, strict=True)
        if answer.verdict == "confident"
    ]
    assert np.mean(confident) == pytest.approx(row.confident_accuracy, abs=1e-3)


SURE = 0.9  # probability from which an answer should not depend on the container
LOSSLESS = ("wav", "aiff", "flac", "caf")
LOSSY = ("mp3", "opus", "webm", "m4a", "vorbis")


def test_nine_containers_have_the_same_analysis(model, test_clips):
    """Two test clips of each genre are encoded; the largest changes of scores are printed."""
    moves, of_sure, agree = [], [], 0
    for genre in model.card.genres:
        for clip in [row for row in test_clips if row["genre"] == genre][:2]:
            answers = in_containers(model, CORPUS / clip["file"])
            expected = {each.genre: each.probability for each in answers["wav"].genres}
            of_clip = {
                name: max(abs(each.probability - expected[each.genre]) for each in answer.genres)
                for name, answer in answers.items()
            }
            print(
                clip["clip_id"], answers["wav"].genre, {n: round(m, 3) for n, m in of_clip.items()}
            )
            assert all(of_clip[name] < 1e-3 for name in LOSSLESS)
            moves += [of_clip[name] for name in LOSSY]
            if max(expected.values()) >= SURE:
                of_sure += [of_clip[name] for name in LOSSY]
            agree += sum(answers[name].genre == answers["wav"].genre for name in LOSSY)
    assert agree >= 0.9 * len(moves)
    assert np.median(moves) < 0.01
    assert len(of_sure) >= len(moves) / 3
    assert max(of_sure) < 0.05


def in_containers(model, path):
    """Return the analysis of the first window of a recording in each container."""
    waveform = audio.decode(path.read_bytes()).waveform[: audio.N_SAMPLES]
    at_48_khz = soxr.resample(waveform, audio.SAMPLE_RATE, OPUS_RATE).clip(-1, 1)
    return {
        name: analyze(signals.encode(at_48_khz, OPUS_RATE, name), model)
        for name in (*LOSSLESS, *LOSSY)
    }


def test_few_recordings_cause_warnings_and_all_telephone_recordings_do(test_clips):
    """The limits of `service.quality` separate telephone recordings from nearly all others."""
    loud, peaks, wide, narrow = [], [], [], []
    for clip in test_clips:
        recording = audio.decode((CORPUS / clip["file"]).read_bytes())
        loud.append(recording.at_full_scale > CLIPPED or recording.flat_topped > FLAT_TOPPED)
        peaks.append(recording.peak_dbfs)
        telephone = soxr.resample(recording.waveform, audio.SAMPLE_RATE, 8_000)
        telephone = soxr.resample(telephone, 8_000, audio.SAMPLE_RATE)
        for waveform, found in ((recording.waveform, wide), (telephone, narrow)):
            found.append(beyond_telephone(audio.log_mel(audio.windows(waveform))))
    print(
        f"{len(test_clips)} test clips: {np.mean(loud):.1%} clipped; lowest "
        f"peak {min(peaks):.0f} dBFS; beyond a telephone's band at least {min(wide):.0f} dB, "
        f"resampled as for one at most {max(narrow):.0f} dB"
    )
    assert np.mean(loud) < 0.05
    assert min(peaks) > VERY_QUIET_DBFS
    assert max(narrow) < NARROW_DB
    assert np.mean(np.array(wide) < NARROW_DB) < 0.05
