"""The verdict: how far an answer can be trusted. One rule computes it from the scores.

`service.analysis` applies the rule; training chooses its thresholds and measures its verdicts.

Conventions
-----------
* The scores of a recording are means over its windows.
* A score equal to its threshold passes. A peak equal to the silence threshold is silence.
* `VERDICTS` has the order of tables, the best first; the rule tests them from last to first.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.card import Thresholds

Verdict = Literal["confident", "mixed", "unknown_genre", "not_music", "silence"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MUSIC: frozenset[Verdict] = frozenset({"confident", "mixed", "unknown_genre"})
"""The verdicts on music. With another one there is no tempo, no key and no tag."""


def decide(
    peak_dbfs: float, music: float, known: float, genres: ArrayLike, thresholds: Thresholds
) -> Verdict:
    """Return the verdict on one recording; `decide_all` has the rule.

    Parameters
    ----------
    peak_dbfs : float
        dBFS, as `audio.levels` measures it.
    music, known : float
        Probabilities.
    genres : float [shape=(n_genres,)]
        Probabilities, in any order.
    thresholds : Thresholds
    """
    return VERDICTS[int(decide_all(peak_dbfs, music, known, genres, thresholds))]


def decide_all(
    peak_dbfs: ArrayLike,
    music: ArrayLike,
    known: ArrayLike,
    genres: ArrayLike,
    thresholds: Thresholds,
) -> NDArray[np.int64]:
    """Return the verdicts on many recordings.

    The first of these that applies: silence, if the peak is too low; not music, if `music` is too
    low; unknown genre, if `known` is too low; mixed, if the margin between the two most probable
    genres is too small; confident.

    Parameters
    ----------
    peak_dbfs : float [shape=(...)], dBFS
    music, known : float [shape=(...)]
        Probabilities.
    genres : float [shape=(..., n_genres)]
        Probabilities, in any order.
    thresholds : Thresholds

    Returns
    -------
    verdicts : int64 [shape=(...)]
        Indices into `VERDICTS`.
    """
    conditions: dict[Verdict, NDArray[np.bool_]] = {
        "silence": _exact(peak_dbfs) <= thresholds.silence_dbfs,
        "not_music": _exact(music) < thresholds.music,
        "unknown_genre": _exact(known) < thresholds.known,
        "mixed": margins(genres) < thresholds.margin,
    }
    indices = [VERDICTS.index(verdict) for verdict in conditions]
    return np.select(list(conditions.values()), indices, VERDICTS.index("confident"))


def margins(genres: ArrayLike) -> NDArray[np.float64]:
    """Return the difference between the two highest probabilities.

    Parameters
    ----------
    genres : float [shape=(..., n_genres)]
        Probabilities, in any order.

    Returns
    -------
    margins : float64 [shape=(...)]
        If there is only one genre, its probability.
    """
    with_zero = np.insert(_exact(genres), 0, 0.0, axis=-1)  # in case of a single genre
    ranked = np.sort(with_zero, axis=-1)
    return np.asarray(ranked[..., -1] - ranked[..., -2])


def _exact(values: ArrayLike) -> NDArray[np.float64]:
    """Convert to float64, because NumPy would round a threshold to float32 to compare it."""
    return np.asarray(values, dtype=np.float64)


def reason(verdict: Verdict, ranked: Sequence[str]) -> str:
    """Explain a verdict in a sentence for people.

    Parameters
    ----------
    verdict : Verdict
    ranked : sequence of str
        Genre names, the most probable first.
    """
    return {
        "confident": f"This sounds like {ranked[0]}.",
        "mixed": f"This sounds like {' or '.join(ranked[:2])}.",
        "unknown_genre": "This sounds like music outside the genres that this model knows.",
        "not_music": "This does not sound like music.",
        "silence": "The recording is silent, or nearly silent.",
    }[verdict]
