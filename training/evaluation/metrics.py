"""Computes figures from held-out predictions.

Conventions
-----------
* By *window*: each 15 s window is a case. By *clip*: each recording is a case, with the mean of its
  windows' predictions, as in the service.
* Emotions are compared with true values by rank correlation (Spearman), by the mean absolute error,
  and by the share of values in the 80 % interval; with proxies by rank correlation within one
  origin. A mood is compared with the mood of the labels; both divide their scales in the middle.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from service.card import (
    EMOTIONS,
    Emotion,
    EmotionFigures,
    Figure,
    GenreFigures,
    GenreRow,
    Measured,
    MoodFigures,
    VerdictRow,
)
from service.mood import HALF, Middle, mood_of
from service.verdict import VERDICTS
from training.data.corpus import SPOTIFY
from training.data.dataset import Dataset
from training.evaluation.held_out import HeldOut
from training.fit.calibrate import rank_correlation
from training.fit.predict import Predictions
from training.types import AnyFloats, Flags, Floats, Indices

MIN_CLIPS = 10  # of one origin, for a correlation
CHANCE_DRAWS = 500
RELIABILITY_BINS = 15

Summary = Callable[[list[float]], Figure]


def measure(
    dataset: Dataset,
    of_seeds: Sequence[HeldOut],
    accuracy_by_seconds: dict[str, float],
    figure: Summary,
) -> Measured:
    """Compute all figures of predictions for the same tracks, one for each seed.

    Parameters
    ----------
    dataset : Dataset
    of_seeds : sequence of HeldOut
    accuracy_by_seconds : dict of str to float
    figure : callable
        `figure_of_file` or `figure_of_folds`.
    """
    clips = [each.clips for each in of_seeds]
    return Measured(
        genre=_genre(dataset, of_seeds, accuracy_by_seconds, figure),
        emotion=list(_emotion(dataset, of_seeds, figure)),
        mood=list(mood_figures(dataset, clips, figure)),
        verdicts=_verdicts(dataset, of_seeds[0]),
    )


def figure_of_file(values: list[float]) -> Figure:
    """Aggregate a metric over the seeds; the first value is that of the exported model."""
    spread = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
    return Figure(
        value=round(values[0], 4),
        mean=round(float(np.mean(values)), 4),
        spread=spread,
        seeds=len(values),
    )


def figure_of_folds(values: list[float]) -> Figure:
    """Aggregate a metric over the folds; `value` is null: no single exported model was measured."""
    return figure_of_file(values).model_copy(update={"value": None})


def _genre(
    dataset: Dataset,
    of_seeds: Sequence[HeldOut],
    accuracy_by_seconds: dict[str, float],
    figure: Summary,
) -> GenreFigures:
    windows = [cases(dataset, each.windows, phone=False) for each in of_seeds]
    raw = [cases(dataset, each.clips, phone=False) for each in of_seeds]
    phone = [cases(dataset, each.clips, phone=True) for each in of_seeds]
    labels = np.unique(raw[0][0]).tolist()  # a genre without recordings has no figure

    def accuracy(pairs: list[tuple[Indices, Indices]]) -> Figure:
        return figure([float(accuracy_score(*pair)) for pair in pairs])

    def macro_f1(pairs: list[tuple[Indices, Indices]]) -> Figure:
        options = {"average": "macro", "labels": labels, "zero_division": 0}
        return figure([float(f1_score(*pair, **options)) for pair in pairs])

    def error(predictions: list[Predictions]) -> Figure:
        return figure([calibration_error(*top_genre(dataset, each)) for each in predictions])

    return GenreFigures(
        window_accuracy=accuracy(windows),
        window_macro_f1=macro_f1(windows),
        clip_accuracy=accuracy(raw),
        clip_macro_f1=macro_f1(raw),
        phone_accuracy=accuracy(phone),
        calibration_error=error([each.windows for each in of_seeds]),
        clip_calibration_error=error([each.clips for each in of_seeds]),
        unknown_auroc=_unknown_auroc(dataset, of_seeds, figure),
        music_auroc=_music_auroc(dataset, of_seeds, figure),
        per_genre=_per_genre(dataset, labels, *raw[0]),
        confusion=confusion_matrix(*raw[0], labels=range(len(dataset.genres))).tolist(),
        accuracy_by_seconds=accuracy_by_seconds,
    )


def cases(dataset: Dataset, predicted: Predictions, *, phone: bool) -> tuple[Indices, Indices]:
    """Return true and predicted genres of the cases of one take that have a genre."""
    chosen = dataset.is_genre[predicted.track] & (predicted.phone == phone)
    return dataset.label[predicted.track][chosen], predicted.genres.argmax(axis=1)[chosen]


def top_genre(dataset: Dataset, predicted: Predictions) -> tuple[Floats, Flags]:
    """Return the probability of the top genre, and whether it is right, for the take ``raw``."""
    chosen = dataset.is_genre[predicted.track] & ~predicted.phone
    true, answer = cases(dataset, predicted, phone=False)
    return predicted.genres.max(axis=1)[chosen], np.asarray(true == answer)


def calibration_error(probability: Floats, right: Flags) -> float:
    """Return the expected calibration error over `RELIABILITY_BINS` bins of equal width.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015.
    """
    places = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    gaps = np.bincount(places, probability - right, RELIABILITY_BINS)
    return float(np.abs(gaps).sum() / len(right))


def calibration_error_by_chance(probability: Floats) -> float:
    """Return the calibration error to expect if these probabilities were exactly right.

    The error is a sum of absolute values, so few recordings give a large one by chance alone.
    """
    rng = np.random.default_rng(0)
    draws = rng.random((CHANCE_DRAWS, len(probability))) < probability
    return float(np.mean([calibration_error(probability, right) for right in draws]))


def _unknown_auroc(dataset: Dataset, of_seeds: Sequence[HeldOut], figure: Summary) -> Figure | None:
    """Measure `known`: the genres against other music, take ``raw``."""
    clips = of_seeds[0].clips
    chosen = (dataset.label[clips.track] >= 0) & dataset.is_music[clips.track] & ~clips.phone
    genre = dataset.is_genre[clips.track][chosen]
    return _auroc(genre, [each.clips.known[chosen] for each in of_seeds], figure)


def _music_auroc(dataset: Dataset, of_seeds: Sequence[HeldOut], figure: Summary) -> Figure | None:
    """Measure `music`: recordings against synthetic sounds, both takes."""
    music = dataset.is_music[of_seeds[0].clips.track]
    return _auroc(music, [each.clips.music for each in of_seeds], figure)


def _auroc(positive: Flags, scores: list[Floats], figure: Summary) -> Figure | None:
    if positive.all() or not positive.any():
        return None
    return figure([float(roc_auc_score(positive, score)) for score in scores])


def _per_genre(
    dataset: Dataset, labels: list[int], true: Indices, predicted: Indices
) -> list[GenreRow]:
    table = precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    recorded = ~dataset.synthetic
    return [
        GenreRow(
            genre=dataset.genres[label],
            clips=int(clips),
            artists=len(set(dataset.groups[recorded & (dataset.label == label)])),
            precision=round(float(precision), 4),
            recall=round(float(recall), 4),
            f1=round(float(f1), 4),
        )
        for label, precision, recall, f1, clips in zip(labels, *table, strict=True)
    ]


def _emotion(
    dataset: Dataset, of_seeds: Sequence[HeldOut], figure: Summary
) -> Iterator[EmotionFigures]:
    """Compare with the true values, and with the proxies of each origin."""
    tracks, is_raw = of_seeds[0].clips.track, ~of_seeds[0].clips.phone
    for column, emotion in enumerate(EMOTIONS):
        for origin, labels in {SPOTIFY: dataset.emotion, **dataset.proxies}.items():
            values = labels[tracks, column]
            chosen = ~np.isnan(values) & is_raw
            if chosen.sum() < MIN_CLIPS:
                continue
            true, is_true = values[chosen], origin == SPOTIFY
            scores = [each.clips.emotion[chosen, column] for each in of_seeds]
            inside = [float(each.inside[chosen, column].mean()) for each in of_seeds]
            errors = [float(np.abs(each - true).mean()) for each in scores]
            yield EmotionFigures(
                emotion=emotion,
                origin=origin,
                clips=int(chosen.sum()),
                spearman=figure([rank_correlation(true, each) for each in scores]),
                absolute_error=figure(errors) if is_true else None,
                coverage=figure(inside) if is_true else None,
            )


def mood_figures(
    dataset: Dataset, of_seeds: Sequence[Predictions], figure: Summary
) -> Iterator[MoodFigures]:
    """Compare moods with those of labels that have both valence and energy, by their origin."""
    plane = [EMOTIONS.index("valence"), EMOTIONS.index("energy")]
    clips = of_seeds[0]
    known = percentiles(dataset, clips, plane)
    middle = known["valence"][50], known["energy"][50]
    for origin, values in {SPOTIFY: dataset.emotion, **dataset.proxies}.items():
        chosen = ~np.isnan(values[clips.track][:, plane]).any(axis=1) & ~clips.phone
        if chosen.sum() < MIN_CLIPS:
            continue
        borders = middle if origin == SPOTIFY else HALF  # proxies have scales of their own
        labels = _moods(values[clips.track[chosen]][:, plane], borders)
        right = [
            float((_moods(each.emotion[chosen][:, plane], middle) == labels).mean())
            for each in of_seeds
        ]
        yield MoodFigures(
            origin=origin,
            clips=len(labels),
            accuracy=figure(right),
            commonest=round(float(np.unique(labels, return_counts=True)[1].max() / len(labels)), 4),
        )


def _moods(plane: AnyFloats, middle: Middle) -> NDArray[np.str_]:
    """Return the moods of points of the plane; [shape=(n, 2)], valence and energy."""
    return np.array([mood_of(valence, energy, middle) for valence, energy in plane])


def _verdicts(dataset: Dataset, held_out: HeldOut) -> list[VerdictRow]:
    clips = held_out.clips
    genre, music = dataset.is_genre[clips.track], dataset.is_music[clips.track]
    other = music & (dataset.label[clips.track] >= 0) & ~genre
    right = clips.genres.argmax(axis=1) == dataset.label[clips.track]
    kinds = {"genres": genre & ~clips.phone, "genres, by phone": genre & clips.phone}
    kinds |= {"other music": other & ~clips.phone, "no music": ~music}
    return [
        _verdict_row(kind, held_out.verdicts[chosen], right[chosen] if "genres" in kind else None)
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


def percentiles(
    dataset: Dataset, clips: Predictions, emotions: Sequence[int]
) -> dict[Emotion, list[float]]:
    """Return percentiles 0 to 100 of some emotions: those of the reference, if there is one.

    Otherwise they are those of the scores for the music of the corpus, take ``raw``.
    """
    if dataset.reference:
        return {EMOTIONS[place]: dataset.reference[EMOTIONS[place]] for place in emotions}
    chosen = dataset.is_music[clips.track] & ~clips.phone
    scores = np.percentile(clips.emotion[chosen], np.arange(101), axis=0).round(4)
    return {EMOTIONS[place]: scores[:, place].tolist() for place in emotions}


def medians_by_genre(
    dataset: Dataset, clips: Predictions, emotions: Sequence[int]
) -> dict[str, dict[Emotion, float]]:
    """Return the median of some emotions over the clips of each genre, for the take ``raw``."""
    medians: dict[str, dict[Emotion, float]] = {}
    for label, genre in enumerate(dataset.genres):
        chosen = (dataset.label[clips.track] == label) & ~clips.phone
        if chosen.any():
            scores = np.median(clips.emotion[chosen], axis=0).round(4).tolist()
            medians[genre] = {EMOTIONS[place]: scores[place] for place in emotions}
    return medians
