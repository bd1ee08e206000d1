"""Chroma -> keys and their probabilities.

Each of the 24 keys is compared with a published profile of its mode. One more possibility is that
there is no key. Only the scale of the scores, and the score of none, are fitted: they make
probabilities of them. Music in another key gets the same answer, transposed.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from service.music.chroma import PITCH_CLASSES, Chroma
from service.music.fitted import key_weights

Mode = Literal["major", "minor"]

MODES: tuple[Mode, ...] = get_args(Mode)
N_KEYS = 2 * PITCH_CLASSES

PROFILES = np.array(
    [
        [1.00, 0.00, 0.42, 0.00, 0.53, 0.37, 0.00, 0.77, 0.00, 0.38, 0.21, 0.30],
        [1.00, 0.00, 0.36, 0.39, 0.00, 0.38, 0.00, 0.74, 0.27, 0.00, 0.42, 0.23],
    ]
)
"""How strong the pitch classes of each mode are, from the tonic on; [shape=(len(MODES), 12)].

By Faraldo, Jorda and Herrera: A multi-profile method for key estimation in EDM (2017).
"""

MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@dataclass(frozen=True)
class Key:
    """One key and its probability.

    Attributes
    ----------
    tonic : int
        Pitch class, 0 for C.
    mode : str
    """

    tonic: int
    mode: Mode
    probability: float

    @property
    def name(self) -> str:
        """The tonic as it is usually spelled: Bb for B flat, C# for C sharp."""
        return (MAJOR if self.mode == "major" else MINOR)[self.tonic]


def pitch_class(name: str) -> int:
    """Return the pitch class of a tonic by its name, 0 for C."""
    return MAJOR.index(name) if name in MAJOR else MINOR.index(name)


def keys(chroma: Chroma) -> tuple[list[Key], float]:
    """Return every key, the most probable first, and the probability that there is none.

    They sum to 1. Silence has no key.
    """
    if not chroma.levels.any():
        return [], 1.0
    scores = key_features(chroma) @ key_weights()
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities[:-1], kind="stable")
    found = [
        Key(int(index) % PITCH_CLASSES, MODES[index // PITCH_CLASSES], float(probabilities[index]))
        for index in order
    ]
    return found, float(probabilities[-1])


def key_features(chroma: Chroma) -> NDArray[np.float64]:
    """Describe the keys and, in the last row, the possibility that there is none.

    Returns
    -------
    features : float64 [shape=(N_KEYS + 1, 3)]
        Twelve major keys from C on, then twelve minor ones: the correlation of the chroma with the
        profile. The last row has a constant, and how flat the chroma is.
    """
    centred = chroma.levels - chroma.levels.mean()
    centred /= max(float(np.linalg.norm(centred)), 1e-12)
    features = np.zeros((N_KEYS + 1, 3))
    features[:N_KEYS, 0] = _profiles() @ centred
    features[N_KEYS, 1:] = 1, chroma.levels.mean()
    return features


@cache
def _profiles() -> NDArray[np.float64]:
    """Return the profile of each key, from C on, with mean 0 and norm 1; [shape=(N_KEYS, 12)]."""
    profiles = PROFILES - PROFILES.mean(axis=-1, keepdims=True)
    profiles /= np.linalg.norm(profiles, axis=-1, keepdims=True)
    return np.concatenate(
        [[np.roll(profile, tonic) for tonic in range(PITCH_CLASSES)] for profile in profiles]
    )
