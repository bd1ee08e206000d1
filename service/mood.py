"""The mood of a recording: the name of its quadrant in the plane of valence and energy.

Russell, "A circumplex model of affect", Journal of Personality and Social Psychology, 1980.
"""

from typing import Literal

Mood = Literal["joyful", "tense", "serene", "melancholy"]

MIDDLE = 0.5  # of both scales


def mood_of(valence: float | None, energy: float | None) -> Mood | None:
    """Return the quadrant of a recording, or None if one of the two scores is unknown.

    Parameters
    ----------
    valence, energy : float or None
        Scores in [0, 1]. A score of exactly 0.5 counts as high.
    """
    if valence is None or energy is None:
        return None
    if energy >= MIDDLE:
        return "joyful" if valence >= MIDDLE else "tense"
    return "serene" if valence >= MIDDLE else "melancholy"
