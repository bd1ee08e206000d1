"""What an answer is worth: the one rule that turns scores into a verdict, and its words.

`service.analysis` tells people by it; training chooses the thresholds for it and measures what it
tells.

Conventions
-----------
* Scores are those of a recording: means over its windows.
* A score that equals its threshold passes. A peak that equals the threshold of silence is silence.
* Verdicts are in the order of tables; the rule asks for them from the last to the first.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.card import Thresholds

Verdict = Literal["confident", "mixed", "unknown_genre", "not_music", "silence"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def decide(
    peak_dbfs: float, music: float, known: float, genres: ArrayLike, thresholds: Thresholds
) -> Verdict:
    """Return the verdict on one recording, by the rule of `decide_all`.

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

    Silence where nothing is loud; else no music where `music` is too small; else an unknown genre
    where `known` is; else mixed where the first genre does not lead the second by enough; else
    confident.

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
        Places in `VERDICTS`.
    """
    found: dict[Verdict, NDArray[np.bool_]] = {
        "silence": _exact(peak_dbfs) <= thresholds.silence_dbfs,
        "not_music": _exact(music) < thresholds.music,
        "unknown_genre": _exact(known) < thresholds.known,
        "mixed": margins(genres) < thresholds.margin,
    }
    places = [VERDICTS.index(verdict) for verdict in found]
    return np.select(list(found.values()), places, VERDICTS.index("confident"))


def margins(genres: ArrayLike) -> NDArray[np.float64]:
    """Return how far the most probable genre leads the second.

    Parameters
    ----------
    genres : float [shape=(..., n_genres)]
        Probabilities, in any order.

    Returns
    -------
    margins : float64 [shape=(...)]
        The probability itself where there is but one genre.
    """
    ranked = np.sort(np.insert(_exact(genres), 0, 0.0, axis=-1), axis=-1)  # 0: there may be one
    return np.asarray(ranked[..., -1] - ranked[..., -2])


def _exact(values: ArrayLike) -> NDArray[np.float64]:
    """Widen, lest NumPy round a threshold to float32 before it compares."""
    return np.asarray(values, dtype=np.float64)


def reason(verdict: Verdict, ranked: Sequence[str]) -> str:
    """Say a verdict in a sentence for a person.

    Parameters
    ----------
    verdict : Verdict
    ranked : sequence of str
        Names of the genres, the most probable first.
    """
    return {
        "confident": f"This sounds like {ranked[0]}.",
        "mixed": f"Between {' and '.join(ranked[:2])}.",
        "unknown_genre": "This sounds like music outside the genres that this model knows.",
        "not_music": "This does not sound like music.",
        "silence": "There is nothing to hear: the recording is silent, or nearly.",
    }[verdict]
