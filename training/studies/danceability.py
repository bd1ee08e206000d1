"""Fits the formula of `training.data.danceability`, and reports on it.

Conventions
-----------
* A *reference* is a proxy that the formula is fitted to: Spotify's own value for a few tracks, and
  the share of Emotify's listeners who chose joyful activation.
* Agreement is Spearman's rank correlation. All clips of an artist are in the same fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import norm, rankdata
from tqdm import tqdm

from service import audio
from training import parallel
from training.data.corpus import EMOTION_MANIFEST, MANIFEST, CorpusError, read_rows
from training.data.danceability import (
    DESCRIPTORS,
    FORMULA,
    LIMIT,
    Formula,
    Term,
    describe_window,
    save,
)
from training.evaluation.metrics import rank_correlation
from training.files import write_atomically
from training.markdown import table
from training.types import Flags, Floats

PENALTY = 1.0  # of the ridge regression: strong, since there are few clips
VOTES = 3.0  # n / (n + VOTES) is the reliability of n votes: 0.82 at Emotify's median of 14
REPEATS, FOLDS, RESAMPLES = 5, 5, 2_000
MIN_GENRE = 6  # clips of a genre for a median, or a rank correlation


@dataclass(frozen=True)
class Clips:
    """The clips of a corpus, with their descriptors and the columns of the manifests.

    Attributes
    ----------
    described, first, last : float64 [shape=(n_clips, len(DESCRIPTORS))]
        The mean over a clip's windows, its first and its last window.
    known : dict of str to array of str [shape=(n_clips,)]
        Columns of the manifests; empty if unknown.
    """

    described: Floats
    first: Floats
    last: Floats
    known: dict[str, NDArray[np.str_]]

    def numbers(self, column: str) -> Floats:
        """Return a column as numbers, NaN if unknown."""
        return np.array([float(text or "nan") for text in self.known[column]])

    def has(self, column: str) -> Flags:
        """Return which clips have a value."""
        return np.asarray(self.known[column] != "")


REFERENCES = {"Spotify": "spotify_danceability", "Joyful activation": "dance_proxy"}


def study(corpus: Path, page: Path, jobs: int | None = 1) -> None:
    """Fit the formula to a corpus, save it for `training.data.danceability`, and write a page.

    Parameters
    ----------
    corpus : Path
        With both manifests, and the columns of `REFERENCES`.
    page : Path
        Markdown; an existing page is replaced.
    jobs : int or None
        Number of processes; None for one per processor.

    Raises
    ------
    FileNotFoundError
        If an audio file is missing.
    CorpusError
        If the manifests are missing or have different clips, or no clip has one of `REFERENCES`.
    """
    clips = _clips(corpus, jobs)
    formula = fit(clips)
    save(formula)
    write_atomically(page, _report(clips, formula))


def _clips(corpus: Path, jobs: int | None) -> Clips:
    """Read the manifests, and compute the descriptors of every clip."""
    tracks, labels = (
        {row["clip_id"]: row for row in read_rows(corpus / name)}
        for name in (MANIFEST, EMOTION_MANIFEST)
    )
    if not tracks or tracks.keys() != labels.keys():
        raise CorpusError(
            f"{corpus} has no clips, or {MANIFEST} and {EMOTION_MANIFEST} have different ones."
        )
    rows = [tracks[clip] | labels[clip] for clip in sorted(tracks)]
    known = {column: np.array([row[column] for row in rows]) for column in rows[0]}
    if not all((known.get(column, np.array("")) != "").any() for column in REFERENCES.values()):
        raise CorpusError(f"{EMOTION_MANIFEST} lacks {' or '.join(REFERENCES.values())}.")
    paths = [corpus / row["file"] for row in rows]
    results = parallel.run(_measure, [(path,) for path in paths], jobs)
    measured = np.array(list(tqdm(results, total=len(paths), unit="clip")))
    return Clips(measured[:, 0], measured[:, 1], measured[:, 2], known)


def _measure(path: Path) -> Floats:
    """Return descriptors of a file: mean, first and last window; shape=(3, len(DESCRIPTORS))."""
    windows = audio.windows(audio.decode(path.read_bytes()).waveform)
    described = np.array([describe_window(window) for window in windows])
    return np.stack([described.mean(axis=0), described[0], described[-1]])


def fit(clips: Clips) -> Formula:
    """Fit the formula: weights to both references, centre and scale to all clips."""
    centres, scales = _spread(clips.described)
    rows = np.any([clips.has(column) for column in REFERENCES.values()], axis=0)
    columns = [DESCRIPTORS.index(name) for name in FORMULA]
    standard = _standard(clips)[:, columns]
    weights = _weights(clips, standard, rows)
    scores = standard @ weights
    middle, high = np.percentile(scores, [50, 95])
    terms = {
        name: Term(round(float(weight), 5), float(centres[column]), float(scales[column]))
        for name, column, weight in zip(FORMULA, columns, weights, strict=True)
    }
    return Formula(terms, float(middle), float((high - middle) / np.log(0.95 / 0.05)))


def _spread(values: Floats) -> tuple[Floats, Floats]:
    """Return the median and a robust standard deviation of each column."""
    low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
    return np.round(middle, 5), np.round((high - low) / 1.349 + 1e-5, 5)


def _standard(clips: Clips) -> Floats:
    """Return the descriptors in clipped deviations from the median of the corpus."""
    centres, scales = _spread(clips.described)
    return np.asarray(((clips.described - centres) / scales).clip(-LIMIT, LIMIT))


def _weights(clips: Clips, standard: Floats, rows: Flags) -> Floats:
    """Fit a ridge regression with non-negative weights to the ranks in each reference.

    Both references have the same weight, whatever their number of clips. A clip of Emotify is
    weighted by the reliability of its votes.

    Parameters
    ----------
    standard : float64 [shape=(n_clips, n_descriptors)]
    rows : bool [shape=(n_clips,)]
        The clips to fit to.

    Returns
    -------
    weights : float64 [shape=(n_descriptors,)]
    """
    n_descriptors = standard.shape[1]
    inputs, targets = [np.sqrt(PENALTY) * np.eye(n_descriptors)], [np.zeros(n_descriptors)]
    votes = clips.numbers("n_votes")
    for column in REFERENCES.values():
        chosen = rows & clips.has(column)
        share = np.where(np.isnan(votes), 1, votes / (votes + VOTES))[chosen]
        share = share / share.sum() / len(REFERENCES)
        values = clips.numbers(column)[chosen]
        normal = norm.ppf((rankdata(values) - 0.5) / len(values))
        for side, part in ((inputs, standard[chosen]), (targets, normal)):
            centred = part - np.average(part, axis=0, weights=share)
            side.append((centred.T * np.sqrt(share)).T)
    return np.asarray(nnls(np.concatenate(inputs), np.concatenate(targets))[0])


def _folds(clips: Clips, rows: Flags, seed: int, n_folds: int) -> NDArray[np.int_]:
    """Assign artists to folds, Spotify's first; return each clip's fold, -1 if not in rows."""
    groups = clips.known["artist_group"]
    numbers: dict[str, int] = {}
    generator = np.random.default_rng(seed)
    for chosen in (rows & clips.has(column) for column in REFERENCES.values()):
        names = [str(name) for name in np.unique(groups[chosen]) if str(name) not in numbers]
        places = generator.permutation(len(names)) % n_folds
        numbers |= dict(zip(names, places.tolist(), strict=True))
    return np.where(rows, [numbers.get(str(name), -1) for name in groups], -1)


def _held_out(clips: Clips, rows: Flags, columns: Sequence[int], seed: int, n_folds: int) -> Floats:
    """Score clips with weights that were fitted to other artists; NaN for other clips."""
    standard = _standard(clips)[:, list(columns)]
    folds = _folds(clips, rows, seed, n_folds)
    scores = np.full(len(standard), np.nan)
    for fold in range(n_folds):
        weights = _weights(clips, standard, rows & (folds != fold))
        scores[folds == fold] = standard[folds == fold] @ weights
    return scores


def _chosen_again(clips: Clips, rows: Flags, seed: int) -> Floats:
    """Score as `_held_out`, with other descriptors chosen in each fold."""
    standard = _standard(clips)
    folds = _folds(clips, rows, seed, FOLDS)
    scores = np.full(len(standard), np.nan)
    for fold in range(FOLDS):
        columns = _choose(clips, rows & (folds != fold), seed)
        part = standard[:, columns]
        weights = _weights(clips, part, rows & (folds != fold))
        scores[folds == fold] = part[folds == fold] @ weights
    return scores


def _choose(clips: Clips, rows: Flags, seed: int) -> list[int]:
    """Choose as many descriptors as the formula has, greedily."""
    columns: list[int] = []
    while len(columns) < len(FORMULA):
        others = [column for column in range(len(DESCRIPTORS)) if column not in columns]
        gains = [
            np.mean(_agreements(clips, _held_out(clips, rows, [*columns, other], seed, 4)))
            for other in others
        ]
        columns.append(others[int(np.argmax(gains))])
    return columns


def _agreements(clips: Clips, scores: Floats) -> list[float]:
    """Return the rank correlation with each of `REFERENCES`."""
    return [rank_correlation(scores, clips.numbers(column)) for column in REFERENCES.values()]


def _within_genres(clips: Clips, one: Floats, other: Floats) -> float:
    """Return the mean rank correlation within the genres that have `MIN_GENRE` known clips."""
    both = np.isfinite(one) & np.isfinite(other)
    genres = _genres(clips)
    names, counts = np.unique(genres[both], return_counts=True)
    inside = [both & (genres == name) for name in names[counts >= MIN_GENRE]]
    return float(np.mean([rank_correlation(one[rows], other[rows]) for rows in inside]))


def _genres(clips: Clips) -> NDArray[np.str_]:
    """Return each clip's genre, or its kind if it has no genre."""
    genres = clips.known["genre"]
    return np.where(genres != "", genres, clips.known["other"])


def _report(clips: Clips, formula: Formula) -> str:
    """Return the page."""
    evidence = {name: clips.numbers(column) for name, column in REFERENCES.items()}
    values = _values(clips.described, formula)
    sections = (
        _definition(formula),
        "## Agreement with the proxies\n\n" + _agreement(clips, values, evidence),
        "## The descriptors one by one\n\n" + _one_by_one(clips, formula, values, evidence),
        "## Plausibility\n\n" + _plausibility(clips, values),
        _LIMITS,
    )
    return "\n\n".join(sections) + "\n"


def _values(described: Floats, formula: Formula) -> Floats:
    """Return the danceability of rows of `DESCRIPTORS`."""
    return np.array(
        [formula.value(dict(zip(DESCRIPTORS, map(float, row), strict=True))) for row in described]
    )


def _definition(formula: Formula) -> str:
    rows = [
        (name, f"{term.weight:.3f}", f"{term.centre:.3g}", f"{term.scale:.2g}")
        for name, term in formula.terms.items()
    ]
    return (
        _INTRODUCTION
        + table(("Descriptor", "Weight", "Centre", "Scale"), rows)
        + f"\n\nThe sum is centred on {formula.centre:.3f} and divided by {formula.scale:.3f} "
        "before the logistic curve."
    )


def _agreement(clips: Clips, values: Floats, evidence: dict[str, Floats]) -> str:
    """Compare the held-out formula with simpler and more flexible ones."""
    rows = np.any([clips.has(column) for column in REFERENCES.values()], axis=0)
    columns = [DESCRIPTORS.index(name) for name in FORMULA]
    held_out = [_held_out(clips, rows, columns, seed, FOLDS) for seed in range(REPEATS)]
    chosen_again = [_chosen_again(clips, rows, seed) for seed in range(REPEATS)]
    methods = {
        "Essentia's DFA, in the corpus": [clips.numbers("danceability_dfa")],
        "This formula, weights from other artists": held_out,
        "Descriptors chosen again in every fold": chosen_again,
        "Equal weights, nothing fitted": [_standard(clips)[:, columns].sum(axis=1)],
        "This formula as it is, fitted on these clips": [values],
    }
    agreement = table(
        ("", *(f"{name} ({np.isfinite(known).sum()})" for name, known in evidence.items())),
        [
            (method, *(_mean_and_spread(scores, known) for known in evidence.values()))
            for method, scores in methods.items()
        ],
    )
    low, high = _interval(np.mean(held_out, axis=0), evidence["Spotify"])
    inside = [_within_genres(clips, scores, evidence["Joyful activation"]) for scores in held_out]
    return (
        f"{_AGREEMENT}{agreement}\n\n"
        "Held out, the 95 % bootstrap interval of the agreement with Spotify is "
        f"{low:.2f} to {high:.2f}; the agreement with joyful activation within Emotify's genres "
        f"is {np.mean(inside):.2f} on average."
    )


def _mean_and_spread(scores: Sequence[Floats], known: Floats) -> str:
    """Return the rank correlation over repeats as text; a dash if no clip was scored."""
    if not np.isfinite(scores[0] + known).any():
        return "\u2013"
    correlations = [rank_correlation(repeat, known) for repeat in scores]
    spread = f" \u00b1 {np.std(correlations):.2f}" if len(correlations) > 1 else ""
    return f"{np.mean(correlations):.2f}{spread}"


def _interval(scores: Floats, known: Floats) -> tuple[float, float]:
    """Return the bootstrap 95 % interval of a rank correlation over clips."""
    clips = np.flatnonzero(np.isfinite(scores) & np.isfinite(known))
    generator = np.random.default_rng(0)
    samples = generator.choice(clips, (RESAMPLES, len(clips)))
    low, high = np.percentile([rank_correlation(scores[s], known[s]) for s in samples], [2.5, 97.5])
    return float(low), float(high)


def _one_by_one(clips: Clips, formula: Formula, values: Floats, evidence: dict[str, Floats]) -> str:
    """Return the table of each descriptor's own agreement, and its stability within a clip."""
    halves = clips.numbers("seconds") > 1.9 * audio.WINDOW_SECONDS  # almost no overlap
    first, last = (_values(part[halves], formula) for part in (clips.first, clips.last))
    measured = [
        (name, clips.described[:, i], clips.first[halves, i], clips.last[halves, i])
        for i, name in enumerate(DESCRIPTORS)
    ]
    measured.append(("**danceability**", values, first, last))
    rows = [
        (
            name,
            *(f"{rank_correlation(whole, known):.2f}" for known in evidence.values()),
            f"{_within_genres(clips, whole, evidence['Joyful activation']):.2f}",
            f"{rank_correlation(one, other):.2f}",
        )
        for name, whole, one, other in measured
    ]
    header = ("", *evidence, "Joyful activation in genres", "First and last window")
    return _ONE_BY_ONE + table(header, rows)


def _plausibility(clips: Clips, values: Floats) -> str:
    """Return the tables of medians by genre, and of the correlation with the source's format."""
    genres = _genres(clips)
    names, counts = np.unique(genres, return_counts=True)
    medians = [
        (float(np.median(values[genres == name])), str(name), int(count))
        for name, count in zip(names, counts, strict=True)
        if count >= MIN_GENRE
    ]
    rows = [(name, f"{median:.2f}", count) for median, name, count in sorted(medians)[::-1]]
    source = clips.known["source"] == "4q_taffc"  # a source with all rates and many genres
    formats = [
        (what, f"{rank_correlation(values[source], clips.numbers(column)[source]):.2f}")
        for what, column in (("sample rate", "native_rate"), ("bit rate", "native_kbps"))
    ]
    return (
        table(("Genre", "Median", "Clips"), rows)
        + "\n\n"
        + _PLAUSIBILITY
        + table(("Format of the original", "Rank correlation in 4Q"), formats)
    )


_INTRODUCTION = """\
# Danceability: the label that networks are trained on

*Written by `python -m training danceability`; run it again rather than edit.*

Nobody has rated the corpus for danceability, so the label is a measurement: a fixed formula over
the audio. It was fitted to two proxies. **Spotify's danceability** is the scale that users know,
but it is itself the output of an unpublished model, for whole tracks, on few clips of a narrow
range. **Joyful activation** (Emotify) is a feeling that listeners chose, not dancing.

Descriptors are computed for each window of 15 s and averaged over a clip's windows. Their
deviations from the corpus's centre, in units of its scale, are limited to \u00b12.5, weighted and
added. A logistic curve maps the corpus's median to 0.5 and its 95th percentile to 0.95. The
docstring of `training.data.danceability` defines every descriptor and names its source.

* **regularity**: autocorrelation of onsets two, four, six and eight beats away, at the period
  between 75 and 167 bpm that maximises it, weighted by a preference for 115 bpm;
* **clarity**: the same one to four beats away;
* **strength**: mean rise of level at onsets, all bands;
* **drive**: the same between 130 and 1600 Hz;
* **balance**: level of all bands at their loudest, relative to the bands of 130 to 400 Hz, in which
  voices, strings and pianos are strong and drums are weak;
* **gaps**: how far the upper bands fall between onsets.

"""
_AGREEMENT = """\
Spearman's rank correlation; clips in brackets; \u00b1 is the standard deviation over five random
divisions into folds. All clips of an artist are in the same fold. \"Chosen again\" selects other
descriptors from the list below in each fold, which removes the bias of that selection.

"""
_ONE_BY_ONE = """\
Rank correlation of each candidate with each proxy, with joyful activation within each of Emotify's
genres (the mean), and of the first with the last window of the clips in which these two hardly
overlap. The list has all candidates: percussive share, event density, closeness to a preferred
tempo, entropy of the modulation spectrum, even loudness and detrended fluctuation improved the
agreement less, or measured the same as others.

"""
_PLAUSIBILITY = """\
If the label depended on the format of the original, networks would learn the codec. Within 4Q,
which has several rates:

"""
_LIMITS = """\
## Limits

* Few clips have Spotify's value: read the interval, not the second digit. Spotify's values are for
  whole tracks, the clips have 30 s, and most values are between 0.5 and 0.8.
* The definitions of the descriptors were chosen with these clips, and with a public table of
  Spotify's means by artist for other clips. The folds do not correct for that; the row \"chosen
  again\" does so in part.
* The formula is fitted to clips of train, valid and test. This does not affect a network's
  agreement with the label, but its agreement with the proxies on those clips.
* *Balance* measures timbre, not beat.
* Groove without drums (solo piano, voice), swing and changing metres score low: the formula
  measures an even beat.
* A recording shorter than a window is repeated to fill it, and the repetition is regular.
* Syncopation is not measured."""
