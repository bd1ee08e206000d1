"""Chooses and weighs the formula of `training.data.danceability`, and writes down its evidence.

Conventions
-----------
* A *reference* is a proxy that the formula is fitted to: Spotify's own figure for a few tracks, and
  the share of Emotify's listeners who ticked joyful activation.
* Agreement is Spearman's rank correlation. An artist is never on both sides of a fold.
"""

import csv
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import norm, rankdata, spearmanr
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from service import audio
from training.data.corpus import EMOTION_MANIFEST, MANIFEST, CorpusError
from training.data.danceability import (
    DESCRIPTORS,
    FORMULA,
    LIMIT,
    Formula,
    Term,
    describe_window,
    save,
)
from training.types import Flags, Floats

PENALTY = 1.0  # of the ridge: strong, since there are few clips to fit
VOTES = 3.0  # n / (n + VOTES) is the reliability of n votes: 0.82 at Emotify's median of 14
REPEATS, FOLDS, RESAMPLES = 5, 5, 2_000
MIN_GENRE = 6  # clips of a genre for a median, or a rank correlation


@dataclass(frozen=True)
class Clips:
    """The clips of a corpus: what was measured, and what is known of them.

    Attributes
    ----------
    described, first, last : float64 [shape=(n_clips, len(DESCRIPTORS))]
        The mean over a clip's windows, its first and its last window.
    known : dict of str to array of str [shape=(n_clips,)]
        Columns of the manifests; empty where not known.
    """

    described: Floats
    first: Floats
    last: Floats
    known: dict[str, NDArray[np.str_]]

    def numbers(self, column: str) -> Floats:
        """Return a column as numbers, NaN where not known."""
        return np.array([float(text or "nan") for text in self.known[column]])

    def has(self, column: str) -> Flags:
        """Say where a column is known."""
        return np.asarray(self.known[column] != "")


REFERENCES = {"Spotify": "spotify_danceability", "Joyful activation": "dance_proxy"}


def study(corpus: Path, report: Path, jobs: int = 1) -> None:
    """Measure a corpus, weigh the descriptors, and make it the one in use, and write a report.

    Parameters
    ----------
    corpus : Path
        With both manifests, and the columns that `REFERENCES` names.
    report : Path
        Markdown, written anew.
    jobs : int
        Processes.

    Raises
    ------
    FileNotFoundError
        If a manifest or an audio file is missing.
    CorpusError
        If the manifests differ in their clips, or no clip has one of `REFERENCES`.
    """
    clips = _clips(corpus, jobs)
    formula = fit(clips)
    save(formula)
    report.write_text(_report(clips, formula), encoding="utf-8")


def _clips(corpus: Path, jobs: int) -> Clips:
    """Read the manifests and measure every clip."""
    tracks, labels = (_rows(corpus / name) for name in (MANIFEST, EMOTION_MANIFEST))
    if tracks.keys() != labels.keys():
        raise CorpusError(f"{MANIFEST} and {EMOTION_MANIFEST} do not name the same clips.")
    rows = [tracks[clip] | labels[clip] for clip in sorted(tracks)]
    known = {column: np.array([row[column] for row in rows]) for column in rows[0]}
    if not all((known.get(column, np.array("")) != "").any() for column in REFERENCES.values()):
        raise CorpusError(f"{EMOTION_MANIFEST} lacks {' or '.join(REFERENCES.values())}.")
    paths = [corpus / row["file"] for row in rows]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=threadpool_limits, initargs=(1,)) as pool:
        progress = tqdm(pool.map(_measure, paths, chunksize=8), total=len(paths), unit="clip")
        measured = np.array(list(progress))
    return Clips(measured[:, 0], measured[:, 1], measured[:, 2], known)


def _rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["clip_id"]: row for row in csv.DictReader(file)}


def _measure(path: Path) -> Floats:
    """Describe a file: mean, first window, last window; shape=(3, len(DESCRIPTORS))."""
    windows = audio.windows(audio.decode(path.read_bytes()).waveform)
    described = np.array([describe_window(window) for window in windows])
    return np.stack([described.mean(axis=0), described[0], described[-1]])


def fit(clips: Clips) -> Formula:
    """Find the formula: weights from both references, the rest from all clips."""
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
    """Median and robust standard deviation (of a normal distribution) of each column."""
    low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
    return np.round(middle, 5), np.round((high - low) / 1.349 + 1e-5, 5)


def _standard(clips: Clips) -> Floats:
    """Descriptors in deviations from the corpus's median, limited."""
    centres, scales = _spread(clips.described)
    return np.asarray(((clips.described - centres) / scales).clip(-LIMIT, LIMIT))


def _weights(clips: Clips, standard: Floats, rows: Flags) -> Floats:
    """Ridge regression with weights of at least 0, on the ranks within each reference.

    Both references count alike, however many clips they have. A clip of Emotify counts by the
    reliability of its votes.

    Parameters
    ----------
    standard : float64 [shape=(n_clips, n_descriptors)]
    rows : bool [shape=(n_clips,)]
        The clips to learn from.

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
    """Spread artists over folds, Spotify's first; the number of each clip's, -1 if not in rows."""
    groups = clips.known["artist_group"]
    numbers: dict[str, int] = {}
    generator = np.random.default_rng(seed)
    for chosen in (rows & clips.has(column) for column in REFERENCES.values()):
        names = [str(name) for name in np.unique(groups[chosen]) if str(name) not in numbers]
        places = generator.permutation(len(names)) % n_folds
        numbers |= dict(zip(names, places.tolist(), strict=True))
    return np.where(rows, [numbers.get(str(name), -1) for name in groups], -1)


def _held_out(clips: Clips, rows: Flags, columns: Sequence[int], seed: int, n_folds: int) -> Floats:
    """Score each of some clips by weights from other artists; NaN elsewhere."""
    standard = _standard(clips)[:, list(columns)]
    folds = _folds(clips, rows, seed, n_folds)
    scores = np.full(len(standard), np.nan)
    for fold in range(n_folds):
        weights = _weights(clips, standard, rows & (folds != fold))
        scores[folds == fold] = standard[folds == fold] @ weights
    return scores


def _chosen_again(clips: Clips, rows: Flags, seed: int) -> Floats:
    """Score as `_held_out`, where each fold also chooses its own descriptors."""
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
    """Add the descriptor that helps most, until there are as many as in the formula."""
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
    return [_spearman(scores, clips.numbers(column)) for column in REFERENCES.values()]


def _spearman(one: Floats, other: Floats) -> float:
    """Rank correlation where both are known; 0 if either is constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return 0.0
    return float(spearmanr(one[both], other[both])[0])


def _within_genres(clips: Clips, one: Floats, other: Floats) -> float:
    """Mean rank correlation inside the genres with `MIN_GENRE` clips where both are known."""
    both = np.isfinite(one) & np.isfinite(other)
    genres = _genres(clips)
    names, counts = np.unique(genres[both], return_counts=True)
    inside = [both & (genres == name) for name in names[counts >= MIN_GENRE]]
    return float(np.mean([_spearman(one[rows], other[rows]) for rows in inside]))


def _genres(clips: Clips) -> NDArray[np.str_]:
    """Return each clip's genre, or what it is instead."""
    genres = clips.known["genre"]
    return np.where(genres != "", genres, clips.known["other"])


def _report(clips: Clips, formula: Formula) -> str:
    """Write the evidence as Markdown."""
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
    """Turn rows of `DESCRIPTORS` into danceability."""
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
        + _table(("Descriptor", "Weight", "Centre", "Scale"), rows)
        + f"\n\nThe sum is centred on {formula.centre:.3f} and divided by {formula.scale:.3f} "
        "before the logistic curve."
    )


def _agreement(clips: Clips, values: Floats, evidence: dict[str, Floats]) -> str:
    """Compare the formula, held out, with simpler and freer choices."""
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
    table = _table(
        ("", *(f"{name} ({np.isfinite(known).sum()})" for name, known in evidence.items())),
        [
            (method, *(_mean_and_spread(scores, known) for known in evidence.values()))
            for method, scores in methods.items()
        ],
    )
    low, high = _interval(np.mean(held_out, axis=0), evidence["Spotify"])
    inside = [_within_genres(clips, scores, evidence["Joyful activation"]) for scores in held_out]
    return (
        f"{_AGREEMENT}{table}\n\n"
        "Held out, the agreement with Spotify has a 95 % bootstrap interval of "
        f"{low:.2f} to {high:.2f}; the agreement with joyful activation inside Emotify's genres "
        f"is {np.mean(inside):.2f} on average."
    )


def _mean_and_spread(scores: Sequence[Floats], known: Floats) -> str:
    """Format the rank correlation over repeats; a dash where no clip was scored."""
    if not np.isfinite(scores[0] + known).any():
        return "\u2013"
    correlations = [_spearman(repeat, known) for repeat in scores]
    spread = f" \u00b1 {np.std(correlations):.2f}" if len(correlations) > 1 else ""
    return f"{np.mean(correlations):.2f}{spread}"


def _interval(scores: Floats, known: Floats) -> tuple[float, float]:
    """Bootstrap 95 % interval of a rank correlation, resampling clips."""
    clips = np.flatnonzero(np.isfinite(scores) & np.isfinite(known))
    generator = np.random.default_rng(0)
    samples = generator.choice(clips, (RESAMPLES, len(clips)))
    low, high = np.percentile([_spearman(scores[s], known[s]) for s in samples], [2.5, 97.5])
    return float(low), float(high)


def _one_by_one(clips: Clips, formula: Formula, values: Floats, evidence: dict[str, Floats]) -> str:
    """Show what each descriptor is worth alone, and whether it is the same throughout a clip."""
    halves = clips.numbers("seconds") > 1.9 * audio.WINDOW_SECONDS  # nearly without overlap
    first, last = (_values(part[halves], formula) for part in (clips.first, clips.last))
    measured = [
        (name, clips.described[:, i], clips.first[halves, i], clips.last[halves, i])
        for i, name in enumerate(DESCRIPTORS)
    ]
    measured.append(("**danceability**", values, first, last))
    rows = [
        (
            name,
            *(f"{_spearman(whole, known):.2f}" for known in evidence.values()),
            f"{_within_genres(clips, whole, evidence['Joyful activation']):.2f}",
            f"{_spearman(one, other):.2f}",
        )
        for name, whole, one, other in measured
    ]
    header = ("", *evidence, "Joyful activation in genres", "First and last window")
    return _ONE_BY_ONE + _table(header, rows)


def _plausibility(clips: Clips, values: Floats) -> str:
    """Show the median by genre, and what the format of the source has to do with it."""
    genres = _genres(clips)
    names, counts = np.unique(genres, return_counts=True)
    medians = [
        (float(np.median(values[genres == name])), str(name), int(count))
        for name, count in zip(names, counts, strict=True)
        if count >= MIN_GENRE
    ]
    rows = [(name, f"{median:.2f}", count) for median, name, count in sorted(medians)[::-1]]
    source = clips.known["source"] == "4q_taffc"  # one source of all rates and many genres
    formats = [
        (what, f"{_spearman(values[source], clips.numbers(column)[source]):.2f}")
        for what, column in (("sample rate", "native_rate"), ("bit rate", "native_kbps"))
    ]
    return (
        _table(("Genre", "Median", "Clips"), rows)
        + "\n\n"
        + _PLAUSIBILITY
        + _table(("Format of the original", "Rank correlation in 4Q"), formats)
    )


def _table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


_INTRODUCTION = """\
# Danceability: what the network learns

*Written by `python -m training danceability`; run it again rather than edit.*

Nobody has rated the corpus for danceability, so the target is a measurement: a fixed formula over
audio alone. Its two judges are proxies. **Spotify's danceability** is the scale that users come
from, but it is itself the output of an unpublished model, for whole tracks, on few clips of a
narrow range. **Joyful activation** (Emotify) is a feeling that listeners ticked, not dancing.

Each window of 15 s is described, descriptors are averaged over a clip's windows, taken as
deviations from the corpus's centre in units of its scale, limited to \u00b12.5, weighted and
added. A logistic curve makes 0.5 of the corpus's median and 0.95 of its 95th percentile. The
module's text defines every descriptor and names its source.

* **regularity**: autocorrelation of onsets two, four, six and eight beats away, at the period
  within 75 to 167 bpm where that and a preference for 115 bpm are highest together;
* **clarity**: the same one to four beats away;
* **strength**: mean rise of level at onsets, all bands;
* **drive**: the same between 130 and 1600 Hz;
* **balance**: how far all bands at their loudest are above those of 130 to 400 Hz, where voices,
  strings and pianos have their body and drums have little;
* **gaps**: how far the upper bands fall between onsets.

"""
_AGREEMENT = """\
Spearman's rank correlation; clips in brackets; \u00b1 is the standard deviation over five ways to
make the folds. An artist is never on both sides of a fold. \"Chosen again\" lets each fold pick
its own descriptors from the list below, which is what honesty about that choice costs.

"""
_ONE_BY_ONE = """\
Rank correlation of each candidate with each proxy, with joyful activation inside each of
Emotify's genres (the mean), and of the first with the last window of those clips that are long
enough for two that hardly overlap. The list names what
was tried and can be computed again: percussive share, event density, nearness to a preferred
tempo, entropy of the modulation spectrum, even loudness and detrended fluctuation were of less
help, or measured the same as others.

"""
_PLAUSIBILITY = """\
A target that follows the format of the original would be learnt from the codec. Inside 4Q, which
has several rates:

"""
_LIMITS = """\
## Limits

* The clips with Spotify's figure are few: read the interval, not the second digit. They are whole
  tracks' figures against 30 s, and most lie between 0.5 and 0.8.
* The forms of the descriptors were chosen while looking at these clips, and at a public table of
  Spotify's means by artist for other clips. The folds do not undo that; the row \"chosen again\"
  does so in part.
* The formula is fitted on clips of all three splits. A network's agreement with the target is not
  touched by that, its agreement with the proxies on those clips is.
* *Balance* is a matter of timbre, not of beat.
* Groove without drums (solo piano, voice) scores low, swing and changing metres too: the formula
  hears an even beat.
* A recording shorter than a window is repeated to fill it, and the repetition itself is regular.
* Syncopation is not measured."""
