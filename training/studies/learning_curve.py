"""Measures the gain from teachers, and from more recordings.

The same classifier, a logistic regression, reads different inputs: statistics of the spectrogram,
which no network learned; the outputs of each teacher; the features of the student. Each is trained
on a share of the artists of each class, and predicts the validation part of its fold. Emotions are
predicted by a ridge regression, on all artists with Spotify's values. Test is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from service.card import EMOTIONS
from training.data import splits
from training.data.dataset import Dataset
from training.data.splits import Fold
from training.data.teachers import AUDIO_FEATURE_COLUMNS, AUDIO_FEATURES, Targets
from training.files import write_atomically
from training.fit.calibrate import rank_correlation
from training.fit.feature_cache import FeatureCache
from training.fit.train import run_trainings
from training.markdown import table
from training.types import AnyFloats, Indices

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the groups of each class
SEEDS = 3
STRENGTH = 0.01  # C of the logistic regression
RIDGES = tuple(np.logspace(1, 5, 9))
STATISTICS = "statistics of the spectrogram"
STUDENT = "student"

INTRODUCTION = """\
# The gain from teachers, and from more recordings

*Written by `python -m training learning-curve`; run it again rather than edit.*

The same classifier reads different inputs of one 15 s window: statistics of each band of the
spectrogram, without any network; the outputs of each teacher; the features of the student, which
learned from the teachers. It is trained on a share of the artists of each genre, and predicts
recordings of other artists, none of which is in test. Mean ± spread over {seeds} seeds.
The last column is the gain of the last doubling of the artists, with its standard error.

The classifier is a logistic regression, so that inputs are compared and not classifiers; the heads
of the shipped model are better than that. The student learned from these recordings without their
labels, and the teachers may have learned from some of them with other labels."""


@dataclass(frozen=True)
class Inputs:
    """What a classifier reads, by name.

    Attributes
    ----------
    rows : int64 [shape=(n,)]
        Rows of the dataset, take ``raw``.
    values : dict of str to float32 [shape=(n, n_values)]
    heard : float32 [shape=(n, len(EMOTIONS))] or None
        The emotions that a teacher gives, if one does.
    """

    rows: Indices
    values: dict[str, AnyFloats]
    heard: AnyFloats | None


def study(dataset: Dataset, inputs: Inputs, page: Path, *, n_folds: int, jobs: int | None) -> None:
    """Train on every input and share from every seed, and write a page.

    Parameters
    ----------
    dataset : Dataset
    inputs : Inputs
    page : Path
        Markdown; an existing page is replaced.
    n_folds : int
    jobs : int or None
        Number of processes; None for one per processor.
    """
    plans = [(plan,) for plan in product(inputs.values, SHARES, range(SEEDS))]
    pairs = iter(
        run_trainings(partial(_predict, dataset, inputs, n_folds), plans, jobs, "learning curve")
    )
    by_input = {
        name: [[next(pairs) for _ in range(SEEDS)] for _ in SHARES] for name in inputs.values
    }
    parts = [
        INTRODUCTION.format(seeds=SEEDS),
        "## By input",
        _by_input(by_input),
        "## By genre",
        "F1 of the student's features, with the numbers of recordings and artists outside test.",
        _by_genre(dataset, by_input[STUDENT]),
        "## Emotion",
        "Rank correlation with Spotify's values of recordings outside test. A ridge regression\n"
        "reads the inputs; the last row has a teacher's own values.",
        _emotions(dataset, inputs, n_folds),
        "## Source",
        "Bandwidth and loudness depend on the source of a recording, and the source on the genre.\n"
        "Balanced accuracy of a classifier that predicts the source of a recording of one of the\n"
        f"nine genres, over sources with at least {splits.MIN_SOURCE_TRACKS} of them: the lower,\n"
        "the less an input says about the source.",
        _sources(dataset, inputs, n_folds),
    ]
    write_atomically(page, "\n\n".join(parts) + "\n")


def read_inputs(dataset: Dataset, targets: Targets, cache: FeatureCache) -> Inputs:
    """Return the inputs of all rows of the take ``raw`` that every teacher heard."""
    complete = targets.rows[~np.isnan(targets.values).any(axis=1)]
    rows = np.intersect1d(complete, dataset.rows("raw", np.arange(len(dataset.tracks))))
    places = np.searchsorted(targets.rows, rows)
    values = {STATISTICS: band_statistics(dataset, rows)}
    heard = None
    for kind, columns in targets.kinds.items():
        name = kind.partition(".")[2].replace("_", " ")
        values[name] = targets.values[places, columns]
        if kind.endswith(AUDIO_FEATURES):
            own = targets.original(columns)[places]
            heard = own[:, [AUDIO_FEATURE_COLUMNS.index(emotion) for emotion in EMOTIONS]]
    values[STUDENT] = cache.features(rows).numpy()
    return Inputs(rows, values, heard)


def band_statistics(dataset: Dataset, rows: Indices) -> AnyFloats:
    """Return mean, deviation and mean change of each band; float32 [shape=(n, 3 * n_mels)]."""
    found = []
    for row in rows:
        (spectrogram,) = dataset.spectrograms(np.array([row]))
        change = np.abs(np.diff(spectrogram, axis=1)).mean(axis=1)
        found.append(np.concatenate([spectrogram.mean(1), spectrogram.std(1), change]))
    return np.stack(found).astype(np.float32)


def _predict(
    dataset: Dataset, inputs: Inputs, n_folds: int, plan: tuple[str, float, int]
) -> tuple[Indices, Indices]:
    """Return true and predicted genres of the validation windows of all folds."""
    name, share, seed = plan
    true, predicted = [], []
    rng = np.random.default_rng(seed)
    track = dataset.track_of[inputs.rows]
    values = inputs.values[name]
    for fold in _folds(dataset, n_folds, seed):
        of_genres = fold.train[dataset.is_genre[fold.train]]
        train = np.isin(track, share_of_groups(dataset, of_genres, share, rng))
        valid = np.isin(track, fold.valid[dataset.is_genre[fold.valid]])
        classifier = _classifier().fit(values[train], dataset.label[track[train]])
        true.append(dataset.label[track[valid]])
        predicted.append(classifier.predict(values[valid]))
    return np.concatenate(true), np.concatenate(predicted)


def _classifier() -> Pipeline:
    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2_000),
    )


def _folds(dataset: Dataset, count: int, seed: int) -> list[Fold]:
    develop = splits.fixed_split(dataset).develop
    return list(splits.member_folds(dataset, develop, count, seed))


def share_of_groups(
    dataset: Dataset, tracks: Indices, share: float, rng: np.random.Generator
) -> Indices:
    """Return the tracks of a random share of the groups of each class, and of at least one."""
    chosen: set[str] = set()
    for label in np.unique(dataset.label[tracks]):
        groups = np.unique(dataset.groups[tracks[dataset.label[tracks] == label]])
        chosen |= set(rng.permutation(groups)[: max(round(share * len(groups)), 1)])
    return tracks[np.isin(dataset.groups[tracks], list(chosen))]


def _by_input(by_input: dict[str, list[list[tuple[Indices, Indices]]]]) -> str:
    """Return the table of macro F1, mean and spread over the seeds, and of accuracy."""
    rows = []
    for name, by_share in by_input.items():
        f1 = [[_f1(pair, "macro", None) for pair in seeds] for seeds in by_share]
        accuracy = np.mean([accuracy_score(*pair) for pair in by_share[-1]])
        rows.append([*_row(name, f1), f"{accuracy:.2f}"])
    header = ["macro F1, one window", *(f"{share:.3g}" for share in SHARES), "last doubling"]
    return table([*header, "accuracy with all"], rows)


def _by_genre(dataset: Dataset, by_share: Sequence[Sequence[tuple[Indices, Indices]]]) -> str:
    """Return the table of the F1 of each genre, mean and spread over the seeds."""
    rows = []
    for label in range(len(dataset.genres)):
        values = [[_f1(pair, None, [label]) for pair in seeds] for seeds in by_share]
        rows.append(_row(_genre_with_counts(dataset, label), values))
    return table(["one window", *(f"{share:.3g}" for share in SHARES), "last doubling"], rows)


def _f1(pair: tuple[Indices, Indices], average: str | None, labels: list[int] | None) -> float:
    return float(np.mean(f1_score(*pair, average=average, labels=labels, zero_division=0)))


def _genre_with_counts(dataset: Dataset, label: int) -> str:
    develop = splits.fixed_split(dataset).develop
    recorded = develop[(dataset.label[develop] == label) & ~dataset.synthetic[develop]]
    return f"{dataset.genres[label]} ({len(recorded)}, {len(set(dataset.groups[recorded]))})"


def _row(name: str, values: list[list[float]]) -> list[str]:
    cells = [f"{np.mean(each):.2f} ± {np.std(each, ddof=1):.2f}" for each in values]
    gain = np.mean(values[-1]) - np.mean(values[-2])
    error = np.sqrt((np.var(values[-1], ddof=1) + np.var(values[-2], ddof=1)) / SEEDS)
    return [name, *cells, f"{gain:+.2f} ± {error:.2f}"]


def _emotions(dataset: Dataset, inputs: Inputs, n_folds: int) -> str:
    """Return the table of rank correlations with true emotions, by recording."""
    folds = _folds(dataset, n_folds, seed=0)
    track = dataset.track_of[inputs.rows]
    rows = []
    for name, values in inputs.values.items():
        predicted = np.full((len(track), len(EMOTIONS)), np.nan)
        for fold in folds:
            valid = np.isin(track, fold.valid)
            for column in range(len(EMOTIONS)):
                known = ~np.isnan(dataset.emotion[track, column]) & np.isin(track, fold.train)
                if known.any():
                    model = make_pipeline(StandardScaler(), RidgeCV(RIDGES))
                    model.fit(values[known], dataset.emotion[track[known], column])
                    predicted[valid, column] = model.predict(values[valid])
        rows.append([name, *_correlations(dataset, track, predicted)])
    if inputs.heard is not None:
        outside = np.isin(track, np.concatenate([fold.valid for fold in folds]))
        heard = np.where(outside[:, None], inputs.heard, np.nan)
        rows.append(["a teacher's own values", *_correlations(dataset, track, heard)])
    return table(["input", *EMOTIONS], rows)


def _sources(dataset: Dataset, inputs: Inputs, n_folds: int) -> str:
    """Return the table of how well a classifier predicts the source of a recording."""
    track = dataset.track_of[inputs.rows]
    source = np.array([each.source for each in dataset.tracks])
    names, counts = np.unique(source[dataset.is_genre & ~dataset.synthetic], return_counts=True)
    large = names[counts >= splits.MIN_SOURCE_TRACKS]
    usable = np.flatnonzero(dataset.is_genre & np.isin(source, large))
    rows = [["chance", f"{1 / len(large):.2f}"]]
    for name, values in inputs.values.items():
        true, predicted = [], []
        for fold in _folds(dataset, n_folds, seed=0):
            train, valid = (
                np.isin(track, np.intersect1d(part, usable)) for part in (fold.train, fold.valid)
            )
            classifier = _classifier().fit(values[train], source[track[train]])
            true.append(source[track[valid]])
            predicted.append(classifier.predict(values[valid]))
        found = balanced_accuracy_score(np.concatenate(true), np.concatenate(predicted))
        rows.append([name, f"{found:.2f}"])
    return table(["input", "source found"], rows)


def _correlations(dataset: Dataset, track: Indices, predicted: AnyFloats) -> list[str]:
    tracks, place = np.unique(track, return_inverse=True)
    by_track = np.full((len(tracks), len(EMOTIONS)), np.nan)
    for number in range(len(tracks)):
        by_track[number] = predicted[place == number].mean(axis=0)
    return [
        f"{rank_correlation(dataset.emotion[tracks, column], by_track[:, column]):.2f}"
        for column in range(len(EMOTIONS))
    ]
