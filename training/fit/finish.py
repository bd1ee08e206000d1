"""Finishes a trained student: measures the scales of its audio-features and projects its features.

The network is heard once, on the take ``raw`` of every recording. Test tracks measure, and nothing
is fitted to them.

* An emotion has true values: quantiles of the student's outputs are matched with theirs.
* Another audio-feature has those of its teacher only, which is a network, too. Its figures say how
  close the student comes to the teacher, not how right both are.
* The projection keeps the principal components of the features.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit
from tqdm import tqdm

from service.card import EMOTIONS, MAX_DIMENSIONS, TAUGHT, Emotion, Taught
from training.data.dataset import Dataset
from training.data.teachers import AUDIO_FEATURE_COLUMNS, AUDIO_FEATURES, LOGITS, Targets
from training.fit.calibrate import interval_width, rank_correlation
from training.fit.config import StudentConfig
from training.fit.student_file import (
    EmotionScale,
    Projection,
    StudentError,
    TaughtScale,
    TrainedStudent,
    load_student,
    save_student,
)
from training.models.base import device
from training.models.student import Student
from training.types import AnyFloats, Flags, Floats, Indices

BATCH = 32
MIN_TRUE_VALUES = 30  # tracks, for a scale
N_QUANTILES = 21


@dataclass(frozen=True)
class _Heard:
    """What the student hears in the take ``raw`` of recordings.

    Attributes
    ----------
    rows : int64 [shape=(n,)]
        Of the dataset, ascending.
    tracks : int64 [shape=(n,)]
    is_test : bool [shape=(n,)]
    features : float32 [shape=(n, n_features)]
    outputs : float32 [shape=(n, n_columns)]
        Of the audio-features, in the order of `AUDIO_FEATURE_COLUMNS`; none if no teacher has them.
    """

    rows: Indices
    tracks: Indices
    is_test: Flags
    features: AnyFloats
    outputs: AnyFloats


def finish(
    dataset: Dataset, targets: Targets, network: Student, config: StudentConfig
) -> TrainedStudent:
    """Return a trained student with its scales and its projection.

    Parameters
    ----------
    dataset : Dataset
    targets : Targets
        What it was trained on.
    network : Student
        In evaluation mode.
    config : StudentConfig
    """
    kinds = {kind: (columns.start, columns.stop) for kind, columns in targets.kinds.items()}
    found = [columns for kind, columns in targets.kinds.items() if kind.endswith(AUDIO_FEATURES)]
    columns = found[0] if found else slice(0, 0)
    heard = _hear(dataset, network, columns)
    return TrainedStudent(
        network,
        kinds,
        _scales(dataset, heard, columns) if found else {},
        config,
        taught=_taught(targets, heard, columns) if found else {},
        projection=project(heard.features[~heard.is_test]),
    )


def finish_file(dataset: Dataset, targets: Targets, path: Path) -> Path:
    """Compute scales and projection of a saved student again; its weights stay.

    Parameters
    ----------
    dataset : Dataset
    targets : Targets
        What it was trained on.
    path : Path
        Written again.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StudentError
        If the file is not that of a student, or the student has other targets.
    """
    trained = load_student(path)
    kinds = {kind: (columns.start, columns.stop) for kind, columns in targets.kinds.items()}
    if kinds != trained.kinds:
        raise StudentError(f"{path} was not trained on the outputs of these teachers.")
    save_student(finish(dataset, targets, trained.network, trained.config), path)
    return path


@torch.no_grad()
def _hear(dataset: Dataset, network: Student, columns: slice) -> _Heard:
    """Compute features, and the outputs of some columns, of all recordings."""
    rows = dataset.rows("raw", np.flatnonzero(~dataset.synthetic))
    features, outputs = [], []
    for start in tqdm(range(0, len(rows), BATCH), desc="finish", unit="batch"):
        windows = dataset.spectrograms(rows[start : start + BATCH])
        found = network.features(torch.from_numpy(windows).to(device()))
        features.append(found.cpu().numpy())
        outputs.append(network.to_targets(found)[:, columns].cpu().numpy())
    tracks = dataset.track_of[rows]
    is_test = np.array([track.subset == "test" for track in dataset.tracks])[tracks]
    return _Heard(rows, tracks, is_test, np.concatenate(features), np.concatenate(outputs))


def _scales(dataset: Dataset, heard: _Heard, columns: slice) -> dict[Emotion, EmotionScale]:
    """Match the quantiles of the student's outputs with those of the true values, outside test."""
    scales: dict[Emotion, EmotionScale] = {}
    for place, emotion in enumerate(EMOTIONS):
        true = dataset.emotion[heard.tracks, place]
        known = ~np.isnan(true) & ~heard.is_test
        if len(np.unique(heard.tracks[known])) < MIN_TRUE_VALUES:
            continue
        column = AUDIO_FEATURE_COLUMNS.index(emotion)
        scores, values = _quantiles(heard.outputs[known, column], true[known])
        error = np.abs(np.interp(heard.outputs[known, column], scores, values) - true[known])
        scales[emotion] = EmotionScale(
            columns.start + column, scores, values, width=interval_width(error)
        )
    return scales


def _taught(targets: Targets, heard: _Heard, columns: slice) -> dict[Taught, TaughtScale]:
    """Match the quantiles of the student's outputs with those of its teacher, outside test."""
    is_raw = np.isin(targets.rows, heard.rows)
    places = np.searchsorted(heard.rows, targets.rows[is_raw])
    teacher = targets.original(columns)[is_raw].astype(np.float64)
    known = ~np.isnan(teacher).any(axis=1)
    places, teacher = places[known], teacher[known]
    is_test, tracks = heard.is_test[places], heard.tracks[places]
    taught: dict[Taught, TaughtScale] = {}
    if is_test.all() or not is_test.any():  # nothing to fit to, or nothing to measure on
        return taught
    for feature in TAUGHT:
        column = AUDIO_FEATURE_COLUMNS.index(feature)
        output, values = heard.outputs[places, column], _share(feature, teacher[:, column])
        knots = _quantiles(output[~is_test], values[~is_test])
        student = _by_track(np.interp(output, *knots)[is_test], tracks[is_test])
        of_teacher = _by_track(values[is_test], tracks[is_test])
        taught[feature] = TaughtScale(
            columns.start + column,
            *knots,
            clips=len(student),
            spearman=rank_correlation(student, of_teacher),
            absolute_error=float(np.abs(student - of_teacher).mean()),
        )
    return taught


def _share(feature: str, outputs: Floats) -> Floats:
    """Return what a teacher's outputs mean, from 0 to 1."""
    return np.asarray(expit(outputs) if feature in LOGITS else np.clip(outputs, 0, 1))


def _quantiles(scores: AnyFloats, values: AnyFloats) -> tuple[list[float], list[float]]:
    """Return corresponding quantiles; the scores strictly ascend."""
    shares = np.linspace(0, 1, N_QUANTILES)
    heard, first = np.unique(np.quantile(scores, shares), return_index=True)
    return heard.tolist(), np.quantile(values, shares)[first].tolist()


def _by_track(values: Floats, tracks: Indices) -> Floats:
    """Return the mean over the windows of each track."""
    _, places = np.unique(tracks, return_inverse=True)
    return np.asarray(np.bincount(places, values) / np.bincount(places))


def project(features: AnyFloats) -> Projection:
    """Return the projection of features to at most `MAX_DIMENSIONS` principal components.

    Parameters
    ----------
    features : float32 [shape=(n, n_features)]
    """
    centre = features.mean(axis=0, dtype=np.float64)
    centred = features - centre
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(features))  # ascending
    components = vectors[:, ::-1][:, :MAX_DIMENSIONS]
    length = np.sqrt(variances[::-1][:MAX_DIMENSIONS].sum())
    return Projection(
        centre.astype(np.float32), (components / max(length, 1e-9)).astype(np.float32)
    )
