"""Measures a row: its model learns from one side of the corpus, or of each fold, and is asked.

Classes are compared by window, as `service.card` has them; scales by recording, whose windows'
scores are averaged, by ranks (Spearman).
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
    Answer,
    Budget,
    Model,
    Sample,
    TooFewError,
    Trial,
)
from training.studies.compare.store import Store, digest
from training.types import Indices


def made_of(row: Row, store: Store, budget: Budget) -> str:
    """Digest what the result of a row depends on."""
    features = [store.name_of(name) for name in (*row.features, *row.task.needs)]
    asked = [row.task.name, row.task.folds, row.seeds, repr(row.model), str(budget)]
    known = [str(clip) for clip in store.clips if row.task.concerns(clip)]
    code = [Path(str(each.__file__)).read_text() for each in (classical, labels, neural)]
    return digest(features, asked, known, code)


def measure(row: Row, store: Store, budget: Budget) -> Result:
    """Have a row's model learn and answer, from each of its seeds.

    Parameters
    ----------
    row : Row
    store : Store
        With the features of the row and of its task.
    budget : Budget

    Returns
    -------
    result : Result
        With the reason, where the corpus cannot carry the row.
    """
    made = made_of(row, store, budget)
    try:
        known = row.task.label(store.clips, store, budget)
        sample, clip_of = _sample(row, store, known)
        result = Result(made, classes=list(known.classes))
        for seed in range(min(row.seeds, budget.seeds)):
            parts = _parts(row, store.clips, sample, clip_of, seed)
            _add(result, known, [_asked(row.model, part, seed, budget) for part in parts])
    except TooFewError as error:
        return Result(made, reason=str(error))
    return result


@dataclass(frozen=True)
class _Part:
    """Sides of a sample, and the recordings of the cases that are asked about."""

    train: Sample
    valid: Sample
    test: Sample
    clip_of: Indices


@dataclass(frozen=True)
class _Asked:
    """A part, what was answered to it, and how many seconds of a processor that took."""

    part: _Part
    answer: Answer
    seconds: float


def _sample(row: Row, store: Store, known: Labels) -> tuple[Sample, Indices]:
    """Return all cases that have a label or a number, and their recordings."""
    concerned = [place for place, clip in enumerate(store.clips) if row.task.concerns(clip)]
    inputs, clip_of = store.cases(row.features, concerned)
    sample = Sample(tuple(inputs), known.label[clip_of], known.numbers[clip_of], known.classes)
    usable = (sample.label != UNKNOWN) | ~np.isnan(sample.numbers).all(axis=1)
    return sample.at(usable), clip_of[usable]


def _parts(
    row: Row, clips: Sequence[Clip], sample: Sample, clip_of: Indices, seed: int
) -> Iterator[_Part]:
    """Divide a sample by the corpus's split, or into folds, other ones with each seed."""
    if not row.task.folds:
        side = np.array([clips[place].subset for place in clip_of])
        train, valid, test = (sample.at(side == each) for each in SUBSETS)
        yield _Part(train, valid, test, clip_of[side == "test"])
        return
    by_artist = row.task.folds == "artist"
    group = [clips[place].group if by_artist else clips[place].id for place in clip_of]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    nothing = np.empty(0, np.int64)
    for train, test in folds.split(clip_of, sample.label, group):
        yield _Part(sample.at(train), sample.at(nothing), sample.at(test), clip_of[test])


def _asked(model: Model, part: _Part, seed: int, budget: Budget) -> _Asked:
    start = process_time()
    answer = model(Trial(part.train, part.valid, part.test, seed, budget))
    return _Asked(part, answer, process_time() - start)


def _add(result: Result, known: Labels, asked: Sequence[_Asked]) -> None:
    """Add what a seed came to; what has one place is that of the first seed."""
    first, answers = not result.seconds, [each.answer for each in asked]
    result.seconds.append(round(sum(each.seconds for each in asked), 2))
    if all(answer.label is not None for answer in answers):
        _add_classes(result, asked, first=first)
    if all(answer.numbers is not None for answer in answers):
        _add_numbers(result, known, asked)
    if first:
        result.history.extend(answers[-1].history)
        result.elbow.extend(answers[-1].elbow)
        result.notes.extend(answer.note for answer in answers if answer.note)


def _add_classes(result: Result, asked: Sequence[_Asked], *, first: bool) -> None:
    true = np.concatenate([each.part.test.label for each in asked])
    said = np.concatenate([np.asarray(each.answer.label) for each in asked])
    true, said = true[true != UNKNOWN], said[true != UNKNOWN]
    present = np.unique(true).tolist()
    result.accuracy.append(float(accuracy_score(true, said)))
    macro_f1 = f1_score(true, said, labels=present, average="macro", zero_division=0)
    result.macro_f1.append(float(macro_f1))
    if first:
        places = list(range(len(result.classes)))
        result.confusion.extend(confusion_matrix(true, said, labels=places).tolist())


def _add_numbers(result: Result, known: Labels, asked: Sequence[_Asked]) -> None:
    clip_of = np.concatenate([each.part.clip_of for each in asked])
    said = np.concatenate([np.asarray(each.answer.numbers) for each in asked])
    clips = np.unique(clip_of)
    by_clip = np.stack([said[clip_of == place].mean(axis=0) for place in clips])
    for column, scale in enumerate(known.scales):
        true = known.numbers[clips, column]
        there = ~np.isnan(true)
        rank = float(spearmanr(true[there], by_clip[there, column]).statistic)
        result.spearman.setdefault(scale, []).append(rank)
