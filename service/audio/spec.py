"""The front-end's numbers, and its terms.

Conventions
-----------
* A *waveform* is mono float32, full scale [-1, 1], at `SAMPLE_RATE`.
* A *window* is a waveform of exactly `N_SAMPLES` samples: the models' unit of input. A *short
  window* has fewer, and at least `N_SHORT_SAMPLES`; some models take it.
* A *frame* is one column of a spectrogram, a *mel band* one row.
* Time is in seconds, frequency in hertz, level in decibels.
"""

import math

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 22_050  # Hz
WINDOW_SECONDS = 15
MIN_SECONDS = 3  # a shorter recording is refused; a shorter remainder is left out
SHORT_SECONDS = 6  # a short window has as much, repeated if need be: docs/DECISIONS.md says why

N_FFT = 2_048  # samples, 93 ms
HOP = 735  # samples: 30 frames a second exactly
N_MELS = 128
F_MIN, F_MAX = 20.0, 11_000.0  # Hz; phones and 32 kbit/s codecs keep little above
SPAN_DB = 80.0  # the loudest point of a window is 0 dB; the floor is SPAN_DB below it
QUIETEST_POWER = 1e-10  # power of a mel band that counts as silence
KNEE_HZ, HZ_PER_MEL = 1_000.0, 200 / 3  # the mel scale is linear below the knee
MEL_STEP = math.log(6.4) / 27  # step of the logarithm of frequency above the knee

N_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE  # 330 750
N_FRAMES = 1 + N_SAMPLES // HOP  # 451: frames are centred, the first on 0 s, the last on 15 s
N_SHORT_SAMPLES = SHORT_SECONDS * SAMPLE_RATE
N_SHORT_FRAMES = 1 + N_SHORT_SAMPLES // HOP

SILENT_DBFS = -120.0  # the level reported for digital silence

Waveform = NDArray[np.float32]
Windows = NDArray[np.float32]
Spectrograms = NDArray[np.float32]


def front_end() -> dict[str, float]:
    """Return every number that shapes a spectrogram, for a model file's metadata."""
    return {
        "sample_rate": SAMPLE_RATE,
        "window_seconds": WINDOW_SECONDS,
        "n_fft": N_FFT,
        "hop": HOP,
        "n_mels": N_MELS,
        "n_frames": N_FRAMES,
        "f_min": F_MIN,
        "f_max": F_MAX,
        "span_db": SPAN_DB,
    }
