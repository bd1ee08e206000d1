import pytest

from service.mood import mood_of


@pytest.mark.parametrize(
    ("valence", "energy", "mood"),
    [
        (0.9, 0.9, "joyful"),
        (0.1, 0.9, "tense"),
        (0.9, 0.1, "serene"),
        (0.1, 0.1, "melancholy"),
        (0.6, 0.5, "joyful"),
        (0.55, 0.5, "tense"),
        (0.6, 0.45, "serene"),
        (None, 0.9, None),
        (0.9, None, None),
    ],
)
def test_each_quadrant_has_a_mood(valence, energy, mood):
    assert mood_of(valence, energy, (0.6, 0.5)) == mood
