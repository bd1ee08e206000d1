"""Figures of held-out predictions; pure functions."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from service.card import (
    EMOTIONS,
    EmotionFigures,
    Figure,
    GenreFigures,
    GenreRow,
    Measured,
    MoodFigures,
    VerdictRow,
)
from service.mood import mood_of
from service.verdict import VERDICTS
from training.data.corpus import REFERENCE
from training.data.dataset import Dataset
from training.evaluation.held_out import HeldOut
from training.types import Flags, Floats, Indices

FEWEST_CLIPS = 10  # of one origin, to compute a correlation at all


RELIABILITY_BINS = 15


Summary = Callable[[list[float]], Figure]


def measure(
    dataset: Dataset, answers: list[HeldOut], heard: dict[str, float], figure: Summary
) -> Measured:
    """Measure answers to the same recordings, one for each seed."""
    return Measured(
        genre=_genre(dataset, answers, heard, figure),
        emotion=list(_emotion(dataset, answers, figure)),
        mood=list(_mood(dataset, answers, figure)),
        verdicts=_verdicts(dataset, answers[0]),
    )


def figure_of_file(values: list[float]) -> Figure:
    """Sum up one measurement over the seeds, the one in the file first."""
    spread = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
    return Figure(
        value=round(values[0], 4),
        mean=round(float(np.mean(values)), 4),
        spread=spread,
        seeds=len(values),
    )


def figure_without_file(values: list[float]) -> Figure:
    """Sum up one measurement over the folds, which no model in a file answered alone."""
    return figure_of_file(values).model_copy(update={"value": None})


def _genre(
    dataset: Dataset, answers: list[HeldOut], heard: dict[str, float], figure: Summary
) -> GenreFigures:
    cases = [window_cases(dataset, a) for a in answers]
    clean = [clip_cases(dataset, a, phone=False) for a in answers]
    phone = [clip_cases(dataset, a, phone=True) for a in answers]
    labels = np.unique(clean[0][0]).tolist()  # a genre without recordings has no figure

    def macro_f1(true: Indices, answered: Indices) -> float:
        return float(f1_score(true, answered, average="macro", labels=labels, zero_division=0))

    return GenreFigures(
        window_accuracy=figure([float(accuracy_score(*case)) for case in cases]),
        window_macro_f1=figure([macro_f1(*case) for case in cases]),
        clip_accuracy=figure([float(accuracy_score(*case)) for case in clean]),
        clip_macro_f1=figure([macro_f1(*case) for case in clean]),
        phone_accuracy=figure([float(accuracy_score(*case)) for case in phone]),
        calibration_error=figure([calibration_error(*window_top(dataset, a)) for a in answers]),
        clip_calibration_error=figure([calibration_error(*top(dataset, a)) for a in answers]),
        unknown_auroc=_unknown_auroc(dataset, answers, figure),
        music_auroc=_music_auroc(dataset, answers, figure),
        per_genre=_per_genre(dataset, labels, *clean[0]),
        accuracy_by_seconds=heard,
    )


def window_cases(dataset: Dataset, answers: HeldOut) -> tuple[Indices, Indices]:
    """Return true and answered genres of the windows, as heard, of what has a genre."""
    tracks = dataset.track_of[answers.window_rows]
    chosen = dataset.is_genre[tracks]
    return dataset.label[tracks][chosen], answers.window_genres.argmax(axis=1)[chosen]


def clip_cases(dataset: Dataset, answers: HeldOut, *, phone: bool) -> tuple[Indices, Indices]:
    """Return true and answered genres of the recordings of one take that have a genre."""
    clips = answers.clips
    chosen = dataset.is_genre[clips.track] & (clips.phone == phone)
    return dataset.label[clips.track][chosen], clips.genres.argmax(axis=1)[chosen]


def top(dataset: Dataset, answers: HeldOut) -> tuple[Floats, Flags]:
    """Return the top genre's probability, and whether it is right, of recordings as heard."""
    clips = answers.clips
    chosen = dataset.is_genre[clips.track] & ~clips.phone
    right = clips.genres.argmax(axis=1) == dataset.label[clips.track]
    return clips.genres.max(axis=1)[chosen], np.asarray(right[chosen])


def window_top(dataset: Dataset, answers: HeldOut) -> tuple[Floats, Flags]:
    """Return the top genre's probability, and whether it is right, of windows as heard."""
    chosen = dataset.is_genre[dataset.track_of[answers.window_rows]]
    true, answered = window_cases(dataset, answers)
    return answers.window_genres[chosen].max(axis=1), np.asarray(true == answered)


def calibration_error(probability: Floats, right: Flags) -> float:
    """Return the expected calibration error over `RELIABILITY_BINS` bins of equal width.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015.
    """
    places = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    gaps = np.bincount(places, probability - right, RELIABILITY_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _unknown_auroc(dataset: Dataset, answers: list[HeldOut], figure: Summary) -> Figure | None:
    """Measure `known`: recordings of the genres against other music, as heard."""
    clips = answers[0].clips
    chosen = (dataset.label[clips.track] >= 0) & dataset.is_music[clips.track] & ~clips.phone
    genre = dataset.is_genre[clips.track][chosen]
    return _auroc(genre, [a.clips.known[chosen] for a in answers], figure)


def _music_auroc(dataset: Dataset, answers: list[HeldOut], figure: Summary) -> Figure | None:
    """Measure `music`: recordings against made sounds, both as heard and by phone."""
    music = dataset.is_music[answers[0].clips.track]
    return _auroc(music, [a.clips.music for a in answers], figure)


def _auroc(positive: Flags, scores: list[Floats], figure: Summary) -> Figure | None:
    if positive.all() or not positive.any():
        return None
    return figure([float(roc_auc_score(positive, score)) for score in scores])


def _per_genre(
    dataset: Dataset, labels: list[int], true: Indices, answered: Indices
) -> list[GenreRow]:
    table = precision_recall_fscore_support(true, answered, labels=labels, zero_division=0)
    real = ~dataset.synthetic
    return [
        GenreRow(
            genre=dataset.genres[label],
            clips=int(clips),
            artists=len(set(dataset.groups[real & (dataset.label == label)])),
            precision=round(float(precision), 4),
            recall=round(float(recall), 4),
            f1=round(float(f1), 4),
        )
        for label, precision, recall, f1, clips in zip(labels, *table, strict=True)
    ]


def _emotion(dataset: Dataset, answers: list[HeldOut], figure: Summary) -> Iterator[EmotionFigures]:
    """Compare with the labels of each origin, then with the values that training never sees."""
    tracks, as_heard = answers[0].clips.track, ~answers[0].clips.phone
    for column, emotion in enumerate(EMOTIONS):
        for code, origin in enumerate([*dataset.origins, REFERENCE]):
            seen = origin != REFERENCE
            values = (dataset.emotion if seen else dataset.reference)[tracks, column]
            chosen = ~np.isnan(values) & as_heard
            if seen:
                chosen &= dataset.origin[tracks, column] == code
            if chosen.sum() < FEWEST_CLIPS:
                continue
            ranks = [_spearman(values[chosen], a.clips.emotion[chosen, column]) for a in answers]
            inside = [float(a.inside[chosen, column].mean()) for a in answers]
            yield EmotionFigures(
                emotion=emotion,
                origin=origin,
                clips=int(chosen.sum()),
                spearman=figure(ranks),
                coverage=figure(inside) if seen else None,
            )


def _mood(dataset: Dataset, answers: list[HeldOut], figure: Summary) -> Iterator[MoodFigures]:
    """Compare moods with those of labels that have both valence and energy, by their origin."""
    plane = [EMOTIONS.index("valence"), EMOTIONS.index("energy")]
    clips = answers[0].clips
    origins = dataset.origin[clips.track][:, plane]
    labelled = ~np.isnan(dataset.emotion[clips.track][:, plane]).any(axis=1) & ~clips.phone
    for code, origin in enumerate(dataset.origins):
        chosen = labelled & (origins == code).all(axis=1)
        if chosen.sum() < FEWEST_CLIPS:
            continue
        labels = _moods(dataset.emotion[clips.track[chosen]][:, plane])
        right = [
            float((_moods(a.clips.emotion[chosen][:, plane]) == labels).mean()) for a in answers
        ]
        yield MoodFigures(
            origin=origin,
            clips=len(labels),
            accuracy=figure(right),
            commonest=round(float(np.unique(labels, return_counts=True)[1].max() / len(labels)), 4),
        )


def _moods(plane: Floats) -> NDArray[np.str_]:
    """Name the moods of points of the plane; [shape=(n, 2)], valence and energy."""
    return np.array([mood_of(valence, energy) for valence, energy in plane])


def _spearman(labels: Floats, answers: Floats) -> float:
    """Return the rank correlation; 0 where all answers, or all labels, are the same."""
    if np.ptp(labels) == 0 or np.ptp(answers) == 0:
        return 0.0
    return float(spearmanr(labels, answers)[0])


def _verdicts(dataset: Dataset, answers: HeldOut) -> list[VerdictRow]:
    clips = answers.clips
    genre, music = dataset.is_genre[clips.track], dataset.is_music[clips.track]
    other = music & (dataset.label[clips.track] >= 0) & ~genre
    right = clips.genres.argmax(axis=1) == dataset.label[clips.track]
    kinds = {"genres": genre & ~clips.phone, "genres, by phone": genre & clips.phone}
    kinds |= {"other music": other & ~clips.phone, "no music": ~music}
    return [
        _verdict_row(kind, answers.verdicts[chosen], right[chosen] if "genres" in kind else None)
        for kind, chosen in kinds.items()
        if chosen.any()
    ]


def _verdict_row(kind: str, verdicts: Indices, right: Flags | None) -> VerdictRow:
    counts = np.bincount(verdicts, minlength=len(VERDICTS))
    shares = (counts / len(verdicts)).round(4).tolist()
    confident = verdicts == VERDICTS.index("confident")
    accuracy = None
    if right is not None and confident.any():
        accuracy = round(float(right[confident].mean()), 4)
    return VerdictRow(
        kind=kind,
        clips=len(verdicts),
        verdicts=dict(zip(VERDICTS, shares, strict=True)),
        confident_accuracy=accuracy,
    )


def percentiles(dataset: Dataset, answers: HeldOut) -> dict[str, list[float]]:
    """Return each learnt emotion's scores at the percentiles 0 to 100 of held-out recordings."""
    clips = answers.clips
    heard = dataset.is_music[clips.track] & ~clips.phone
    scores = np.percentile(clips.emotion[heard], np.arange(101), axis=0).round(4)
    return {EMOTIONS[place]: scores[:, place].tolist() for place in dataset.learned}


def accuracy_on(dataset: Dataset, answers: HeldOut, tracks: Indices) -> float:
    """Return the accuracy on some tracks, raw take, by clip."""
    clips = answers.clips
    chosen = dataset.is_genre[clips.track] & ~clips.phone & np.isin(clips.track, tracks)
    right = clips.genres.argmax(axis=1) == dataset.label[clips.track]
    return round(float(right[chosen].mean()), 4)
