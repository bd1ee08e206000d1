"""Measures a row: trains its model, and compares its predictions with the labels.

Classes are compared by window, as in `service.card`. Scales are compared by recording, with the
mean score of its windows, by rank correlation (Spearman).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedGroupKFold

from training.data.corpus import SUBSETS
from training.studies.compare import classical, labels, neural
from training.studies.compare.clips import Clip
from training.studies.compare.labels import FOLDS, Labels
from training.studies.compare.results import Result
from training.studies.compare.rows import Row
from training.studies.compare.sample import (
    UNKNOWN,
    Budget,
    Model,
    Prediction,
    Sample,
    TooFewError,
    Trial,
)
from training.studies.compare.store import Store, digest
from training.types import Indices


def digest_of(row: Row, store: Store, budget: Budget) -> str:
    """Return a digest of everything that the result of a row depends on."""
    features = [store.name_of(name) for name in (*row.features, *row.task.needs)]
    model = [row.task.name, row.task.folds, row.seeds, repr(row.model), str(budget)]
    known = [str(clip) for clip in store.clips if row.task.applies_to(clip)]
    code = [Path(str(each.__file__)).read_text() for each in (classical, labels, neural)]
    return digest(features, model, known, code)


def measure(row: Row, store: Store, budget: Budget) -> Result:
    """Train and measure a row's model from each of its seeds.

    Parameters
    ----------
    row : Row
    store : Store
        With the features of the row and of its task.
    budget : Budget

    Returns
    -------
    result : Result
        With the reason, if the corpus does not suffice for the row.
    """
    made_from = digest_of(row, store, budget)
    try:
        known = row.task.label(store.clips, store, budget)
        sample, clip_of = _sample(row, store, known)
        result = Result(made_from, classes=list(known.classes))
        for seed in range(min(row.seeds, budget.seeds)):
            parts = _divisions(row, store.clips, sample, clip_of, seed)
            _add(result, known, [_predict(row.model, sides, seed, budget) for sides in parts])
    except TooFewError as error:
        return Result(made_from, reason=str(error))
    return result


@dataclass(frozen=True)
class _Sides:
    """Train, valid and test cases, and the recordings of the test cases."""

    train: Sample
    valid: Sample
    test: Sample
    clip_of: Indices


@dataclass(frozen=True)
class _Outcome:
    """The predictions for the test cases of one division, and the processor time in seconds."""

    sides: _Sides
    predicted: Prediction
    seconds: float


def _sample(row: Row, store: Store, known: Labels) -> tuple[Sample, Indices]:
    """Return all cases that have a label or a score, and their recordings."""
    concerned = [place for place, clip in enumerate(store.clips) if row.task.applies_to(clip)]
    inputs, clip_of = store.cases(row.features, concerned)
    sample = Sample(tuple(inputs), known.label[clip_of], known.scores[clip_of], known.classes)
    usable = (sample.label != UNKNOWN) | ~np.isnan(sample.scores).all(axis=1)
    return sample.at(usable), clip_of[usable]


def _divisions(
    row: Row, clips: Sequence[Clip], sample: Sample, clip_of: Indices, seed: int
) -> Iterator[_Sides]:
    """Divide a sample by the split of the corpus, or into folds that depend on the seed."""
    if not row.task.folds:
        side = np.array([clips[place].subset for place in clip_of])
        train, valid, test = (sample.at(side == each) for each in SUBSETS)
        yield _Sides(train, valid, test, clip_of[side == "test"])
        return
    by_artist = row.task.folds == "artist"
    group = [clips[place].group if by_artist else clips[place].id for place in clip_of]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    nothing = np.empty(0, np.int64)
    for train, test in folds.split(clip_of, sample.label, group):
        yield _Sides(sample.at(train), sample.at(nothing), sample.at(test), clip_of[test])


def _predict(model: Model, sides: _Sides, seed: int, budget: Budget) -> _Outcome:
    start = process_time()
    predicted = model(Trial(sides.train, sides.valid, sides.test, seed, budget))
    return _Outcome(sides, predicted, process_time() - start)


def _add(result: Result, known: Labels, outcomes: Sequence[_Outcome]) -> None:
    """Add the figures of a seed; confusion, history and notes are those of the first seed."""
    first, predictions = not result.seconds, [each.predicted for each in outcomes]
    result.seconds.append(round(sum(each.seconds for each in outcomes), 2))
    if all(predicted.label is not None for predicted in predictions):
        _add_classes(result, outcomes, first=first)
    if all(predicted.scores is not None for predicted in predictions):
        _add_scores(result, known, outcomes)
    if first:
        result.history.extend(predictions[-1].history)
        result.elbow.extend(predictions[-1].elbow)
        result.notes.extend(predicted.note for predicted in predictions if predicted.note)


def _add_classes(result: Result, outcomes: Sequence[_Outcome], *, first: bool) -> None:
    true = np.concatenate([each.sides.test.label for each in outcomes])
    answers = np.concatenate([np.asarray(each.predicted.label) for each in outcomes])
    true, answers = true[true != UNKNOWN], answers[true != UNKNOWN]
    present = np.unique(true).tolist()
    result.accuracy.append(float(accuracy_score(true, answers)))
    macro_f1 = f1_score(true, answers, labels=present, average="macro", zero_division=0)
    result.macro_f1.append(float(macro_f1))
    if first:
        places = list(range(len(result.classes)))
        result.confusion.extend(confusion_matrix(true, answers, labels=places).tolist())


def _add_scores(result: Result, known: Labels, outcomes: Sequence[_Outcome]) -> None:
    clip_of = np.concatenate([each.sides.clip_of for each in outcomes])
    answers = np.concatenate([np.asarray(each.predicted.scores) for each in outcomes])
    clips = np.unique(clip_of)
    by_clip = np.stack([answers[clip_of == place].mean(axis=0) for place in clips])
    for column, scale in enumerate(known.scales):
        true = known.scores[clips, column]
        there = ~np.isnan(true)
        rank = float(spearmanr(true[there], by_clip[there, column]).statistic)
        result.spearman.setdefault(scale, []).append(rank)
