"""The reference spectrogram, by librosa."""

import numpy as np

from service import audio
from training.data.lazy_librosa import librosa


def librosa_log_mel(window, **change):
    """Return the reference for `audio.log_mel` of one window, optionally with another parameter."""
    numbers = {
        "n_fft": audio.N_FFT, "hop_length": audio.HOP, "n_mels": audio.N_MELS,
        "fmin": audio.F_MIN, "fmax": audio.F_MAX, "pad_mode": "constant",
    }  # fmt: skip
    power = librosa.feature.melspectrogram(y=window, sr=audio.SAMPLE_RATE, **numbers | change)
    return librosa.power_to_db(power, ref=np.max, amin=1e-20, top_db=audio.SPAN_DB)
