"""What trained models say of tracks that they never heard."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.card import EMOTIONS
from service.verdict import decide_all
from training.data.dataset import Dataset
from training.data.splits import Split
from training.data.takes import TAKES
from training.fit.calibrate import Calibration
from training.fit.descriptor_cache import DescriptorCache
from training.fit.predict import Logits, Predictions, clips, windows
from training.fit.run import load, run_folder
from training.types import Flags, Floats, Indices

AUDIBLE_DBFS = 0.0  # no recording of a corpus is silent


@dataclass(frozen=True)
class HeldOut:
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

    clips: Predictions
    window_rows: Indices
    window_genres: Floats
    verdicts: Indices
    inside: Flags


def held_out_predictions(
    dataset: Dataset, described: DescriptorCache, runs: Path, parts: list[Split], seed: int
) -> HeldOut:
    """Have the models of a seed answer to the test parts of some divisions."""
    answers = []
    for split in parts:
        network, _, calibration = load(dataset, run_folder(runs, split, seed))
        heard = Logits.of(dataset, described, network, split.test)
        answers.append(_answers(dataset, heard, calibration))
    return HeldOut(
        clips=_joined([part.clips for part in answers]),
        window_rows=np.concatenate([part.window_rows for part in answers]),
        window_genres=np.concatenate([part.window_genres for part in answers]),
        verdicts=np.concatenate([part.verdicts for part in answers]),
        inside=np.concatenate([part.inside for part in answers]),
    )


def _joined(parts: list[Predictions]) -> Predictions:
    names = Predictions.__dataclass_fields__
    return Predictions(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _answers(dataset: Dataset, heard: Logits, calibration: Calibration) -> HeldOut:
    answered = clips(dataset, heard, calibration.temperature)
    genres, _, _ = windows(dataset, heard, calibration.temperature)
    as_heard = dataset.take_of[heard.rows] == TAKES.index("heard")
    widths = np.array([calibration.intervals.get(emotion, np.nan) for emotion in EMOTIONS])
    distance = np.abs(dataset.emotion[answered.track] - answered.own_scale)
    return HeldOut(
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
