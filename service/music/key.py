"""Chroma -> keys and their probabilities.

Each of the 24 keys is compared with two published profiles of its mode. One more possibility is
that there is no key. The weights are fitted and the same for every tonic, so that music in another
key gets the same answer, transposed.
"""

from dataclasses import dataclass
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
        [  # Temperley, Music and Probability (2007), from the Kostka-Payne corpus
            [0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400],
            [0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330],
        ],
        [  # Faraldo and others, A multi-profile method for key estimation in EDM (2017)
            [1.00, 0.00, 0.42, 0.00, 0.53, 0.37, 0.00, 0.77, 0.00, 0.38, 0.21, 0.30],
            [1.00, 0.00, 0.36, 0.39, 0.00, 0.38, 0.00, 0.74, 0.27, 0.00, 0.42, 0.23],
        ],
    ]
)
"""Profiles from the tonic on; [shape=(n_profiles, len(MODES), 12)]."""

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
    features : float64 [shape=(N_KEYS + 1, n_features)]
        Twelve major keys from C on, then twelve minor ones: for each mode the correlation with the
        profiles and a constant. The last row has a constant and how flat the chroma is.
    """
    n_profiles = len(PROFILES)
    features = np.zeros((N_KEYS + 1, len(MODES) * n_profiles + 3))
    centred = chroma.levels - chroma.levels.mean()
    centred /= max(float(np.linalg.norm(centred)), 1e-12)
    profiles = PROFILES - PROFILES.mean(axis=-1, keepdims=True)
    profiles /= np.linalg.norm(profiles, axis=-1, keepdims=True)
    rolled = np.stack([np.roll(centred, -tonic) for tonic in range(PITCH_CLASSES)])
    for mode in range(len(MODES)):
        rows = slice(mode * PITCH_CLASSES, (mode + 1) * PITCH_CLASSES)
        features[rows, mode * n_profiles : (mode + 1) * n_profiles] = rolled @ profiles[:, mode].T
    features[PITCH_CLASSES:N_KEYS, -3] = 1
    features[N_KEYS, -2:] = 1, chroma.levels.mean()
    return features
