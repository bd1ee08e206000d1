"""The mood of a recording: the name of its quadrant in the plane of valence and energy.

Russell, "A circumplex model of affect", Journal of Personality and Social Psychology, 1980.
"""

from typing import Literal

from service.card import Card

Mood = Literal["joyful", "tense", "serene", "melancholy"]

Middle = tuple[float, float]  # of valence and energy: the borders of the quadrants
HALF: Middle = (0.5, 0.5)


def middle_of(card: Card) -> Middle:
    """Return the medians of the reference of a model, or `HALF` if its card has none."""
    if not {"valence", "energy"} <= card.percentiles.keys():
        return HALF
    return card.percentiles["valence"][50], card.percentiles["energy"][50]


def mood_of(valence: float | None, energy: float | None, middle: Middle) -> Mood | None:
    """Return the quadrant of a recording, or None if one of the two scores is unknown.

    Parameters
    ----------
    valence, energy : float or None
        Scores in [0, 1]. A score that equals the middle counts as high.
    middle : tuple of float
    """
    if valence is None or energy is None:
        return None
    if energy >= middle[1]:
        return "joyful" if valence >= middle[0] else "tense"
    return "serene" if valence >= middle[0] else "melancholy"
