"""Tempogram -> tempi and their probabilities.

About seventeen candidates, among them halves, doubles and thirds of one another, are ranked by a
small network over what the tempogram has at the multiples and fractions of their periods. One more
possibility is that there is no steady beat.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.music.fitted import tempo_ranker
from service.music.tempogram import RATE, RATE_POINTS, Tempogram

Floats = NDArray[np.floating]

MIN_BPM, MAX_BPM = 34.0, 320.0
STEPS = 48  # grid points an octave
GRID = 30 * 2 ** (np.arange(4 * STEPS + 1) / STEPS)  # bpm
POSSIBLE = frozenset(np.flatnonzero((GRID >= MIN_BPM) & (GRID <= MAX_BPM)).tolist())
APART = 2  # grid points between two candidates, at least 3 %
USUAL_BPM, OCTAVES = 110.0, 1.2  # centre and spread of the usual tempi
PERIODS = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4, 6, 8])
RATES = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 4 / 3, 3 / 2, 2, 3, 4, 6, 8])
BY_LAG, BY_BOTH, RELATED = 10, 6, 6  # peaks of the saliences, and those whose relatives are added
RELATIVES = [round(STEPS * math.log2(it)) for it in (2, 1 / 2, 3, 1 / 3, 3 / 2, 2 / 3)]  # steps
RETURNED = 5
FINE = np.linspace(0.98, 1.02, 81)  # steps of 0.05 %
FINE_PERIODS = np.array([1, 2, 4, 8])


@dataclass(frozen=True)
class Tempo:
    """The tempi of a recording.

    Attributes
    ----------
    bpm, probabilities : float64 [shape=(n_candidates,)]
        The most probable first: `RETURNED` of them, and the half and the double of the first, if
        they are candidates.
    none : float
        Probability that there is no steady beat.
    """

    bpm: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    none: float


def tempi(tempogram: Tempogram) -> Tempo:
    """Return the tempi of a recording and their probabilities."""
    saliences = _saliences(tempogram)
    places = _candidates(*saliences)
    if not len(places):
        return Tempo(np.empty(0), np.empty(0), 1.0)
    probabilities = tempo_ranker().probabilities(_features(tempogram, places, *saliences))
    order = np.argsort(-probabilities[:-1], kind="stable")
    octaves = np.abs(np.abs(places[order] - places[order[0]]) - STEPS) <= APART
    kept = order[octaves | (np.arange(len(order)) < RETURNED)]
    bpm = _refined(tempogram, GRID[places[kept]])
    return Tempo(bpm, probabilities[kept], float(probabilities[-1]))


def candidates(tempogram: Tempogram) -> NDArray[np.intp]:
    """Return the places in `GRID` of possible tempi; none for silence."""
    return _candidates(*_saliences(tempogram))


def _candidates(by_lag: Floats, by_both: Floats) -> NDArray[np.intp]:
    """Return the candidates, by the two saliences."""
    found: list[int] = []

    def add(place: int) -> None:
        if place in POSSIBLE and all(abs(place - it) > APART for it in found):
            found.append(place)

    for place in [*_peaks(by_lag, BY_LAG), *_peaks(by_both, BY_BOTH)]:
        add(place)
    for place in found[:RELATED]:
        for steps in RELATIVES:
            near = place + steps
            if APART <= near < len(GRID) - APART:
                around = by_lag[near - APART : near + APART + 1]
                add(near - APART + int(np.argmax(around)))
    return np.array(found, np.intp)


def bpm_of(places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the tempi of candidates, to the nearest step of `GRID`."""
    return np.asarray(GRID[places])


def tempo_features(tempogram: Tempogram, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Describe candidates.

    Parameters
    ----------
    tempogram : Tempogram
    places : int [shape=(n_candidates,)]
        From `candidates`.

    Returns
    -------
    features : float32 [shape=(n_candidates, n_features)]
    """
    return _features(tempogram, places, *_saliences(tempogram))


def _features(
    tempogram: Tempogram, places: NDArray[np.intp], by_lag: Floats, by_both: Floats
) -> NDArray[np.float32]:
    """Describe candidates, by the tempogram and the two saliences."""
    bpm, count = GRID[places], len(places)
    at_periods = _at(tempogram.by_lag, 60 / bpm * RATE * PERIODS[:, None])
    at_rates = _at(tempogram.by_rate, bpm / 60 * RATE_POINTS / RATE * RATES[:, None])
    octave = np.log2(bpm / USUAL_BPM)
    columns = [
        *at_periods.reshape(-1, count),
        *np.log1p(at_rates).reshape(-1, count),
        octave,
        octave**2,
        by_lag[places] / max(by_lag[places].max(), 1e-9),
        by_both[places] / max(by_both[places].max(), 1e-9),
        np.full(count, by_lag.max()),
        np.full(count, by_both.max()),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _saliences(tempogram: Tempogram) -> tuple[Floats, Floats]:
    """Return how salient each tempo of `GRID` is: by lag, and by lag and rate together."""
    multiples = np.array([1, 2, 3, 4])[:, None]
    at = np.maximum(_at(tempogram.by_lag[:1], 60 / GRID * RATE * multiples)[0], -1)
    usual = np.exp(-0.5 * (np.log2(GRID / USUAL_BPM) / OCTAVES) ** 2)
    strength = _at(tempogram.by_rate[:1], GRID / 60 * RATE_POINTS / RATE)[0]
    by_both = np.maximum(at[[0, 1, 3]].mean(axis=0), 0) * strength
    return np.maximum(at.mean(axis=0), 0) * usual, by_both


def _at(curves: NDArray[np.float32], places: Floats) -> NDArray[np.float32]:
    """Interpolate curves linearly; [shape=(n_curves, *places.shape)]."""
    places = np.clip(places, 0, curves.shape[1] - 2)
    below = places.astype(np.intp)
    share = (places - below).astype(np.float32)
    return np.asarray(curves[:, below] * (1 - share) + curves[:, below + 1] * share)


def _peaks(curve: Floats, most: int) -> list[int]:
    """Return the places of the highest peaks, the highest first."""
    middle = curve[1:-1]
    peaks = 1 + np.flatnonzero((middle >= curve[:-2]) & (middle > curve[2:]) & (middle > 0))
    return [int(place) for place in peaks[np.argsort(-curve[peaks], kind="stable")][:most]]


def _refined(tempogram: Tempogram, bpm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the tempo near each that fits best at its first, second, fourth and eighth beat."""
    near = bpm[:, None] * FINE
    lags = 60 / near * RATE * FINE_PERIODS[:, None, None]
    fit = _at(tempogram.by_lag[:1], np.minimum(lags, tempogram.by_lag.shape[1]))[0].sum(axis=0)
    return np.asarray(near[np.arange(len(near)), fit.argmax(axis=1)])
