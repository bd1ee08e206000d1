"""What trained models say of tracks that they never heard."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.card import EMOTIONS
from service.verdict import decide_all
from training.calibrate import Calibration, Clips, Floats, Heard, clips, windows
from training.described import Described
from training.divisions import Division
from training.prepare import TAKES
from training.prepared import Flags, Prepared, Rows
from training.runs import load, run_folder

AUDIBLE_DBFS = 0.0  # no recording of a corpus is silent


@dataclass(frozen=True)
class Answers:
    """What the models of one seed say of held-out tracks.

    Attributes
    ----------
    clips : Clips
    window_rows : int64 [shape=(n_windows,)]
        Rows of the take ``heard``.
    window_genres : float64 [shape=(n_windows, n_genres)]
    verdicts : int64 [shape=(n_clips,)]
        Places in `verdict.VERDICTS`.
    inside : bool [shape=(n_clips, 3)]
        Whether the label is in the emotion's interval.
    """

    clips: Clips
    window_rows: Rows
    window_genres: Floats
    verdicts: NDArray[np.int64]
    inside: Flags


def answers_of(
    prepared: Prepared, described: Described, runs: Path, parts: list[Division], seed: int
) -> Answers:
    """Have the models of a seed answer to the test parts of some divisions."""
    answers = []
    for division in parts:
        network, _, calibration = load(prepared, run_folder(runs, division, seed))
        heard = Heard.of(prepared, described, network, division.test)
        answers.append(_answers(prepared, heard, calibration))
    return Answers(
        clips=_joined([part.clips for part in answers]),
        window_rows=np.concatenate([part.window_rows for part in answers]),
        window_genres=np.concatenate([part.window_genres for part in answers]),
        verdicts=np.concatenate([part.verdicts for part in answers]),
        inside=np.concatenate([part.inside for part in answers]),
    )


def _joined(parts: list[Clips]) -> Clips:
    names = Clips.__dataclass_fields__
    return Clips(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _answers(prepared: Prepared, heard: Heard, calibration: Calibration) -> Answers:
    answered = clips(prepared, heard, calibration.temperature)
    genres, _, _ = windows(prepared, heard, calibration.temperature)
    as_heard = prepared.take_of[heard.rows] == TAKES.index("heard")
    widths = np.array([calibration.intervals.get(emotion, np.nan) for emotion in EMOTIONS])
    distance = np.abs(prepared.emotion[answered.track] - answered.own_scale)
    return Answers(
        clips=answered,
        window_rows=heard.rows[as_heard],
        window_genres=genres[as_heard],
        verdicts=decide_all(
            AUDIBLE_DBFS,
            answered.music,
            answered.known,
            answered.genres,
            calibration.thresholds,
        ),
        inside=distance <= widths,
    )
