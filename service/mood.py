"""The mood of a recording in a word: its quarter of the plane of valence and energy.

Russell, "A circumplex model of affect", Journal of Personality and Social Psychology, 1980.
"""

from typing import Literal

Mood = Literal["joyful", "tense", "serene", "melancholy"]

MIDDLE = 0.5  # of both scales


def mood_of(valence: float | None, energy: float | None) -> Mood | None:
    """Name the quarter that a recording is in, None where a score of the two is not known.

    Parameters
    ----------
    valence, energy : float or None
        In [0, 1]; a score in the middle counts as high.
    """
    if valence is None or energy is None:
        return None
    if energy >= MIDDLE:
        return "joyful" if valence >= MIDDLE else "tense"
    return "serene" if valence >= MIDDLE else "melancholy"
