"""What is wrong with a recording and may spoil the answer, so that a person can do better.

What the numbers were chosen on is in docs/DECISIONS.md.
"""

import numpy as np

from service import audio
from service.schemas import Warned

CLIPPED = 0.05  # share of samples at full scale
VERY_QUIET_DBFS = -40.0  # peak
TELEPHONE_HZ = 4_300.0  # a telephone's band ends at 4 kHz
NARROW_DB = -75.0  # loudest that a narrow-band recording gets beyond it, in most frames
_MOST = 95  # percent


def warnings_of(recording: audio.Recording, spectrograms: audio.Spectrograms) -> list[Warned]:
    """Say what is wrong with a recording.

    Parameters
    ----------
    recording : audio.Recording
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
        Its own, as `audio.log_mel` returns them.
    """
    peak = recording.peak_dbfs
    wrong = []
    if recording.at_full_scale > CLIPPED:
        wrong.append(
            Warned(
                type="clipped",
                detail=f"{recording.at_full_scale:.0%} of the samples are at full scale: "
                "record at a lower level, or farther away.",
            )
        )
    if audio.SILENT_DBFS < peak < VERY_QUIET_DBFS:
        wrong.append(
            Warned(
                type="very_quiet",
                detail=f"The loudest sample is at {peak:.0f} dBFS: record at a higher level, "
                "or nearer.",
            )
        )
    if peak > audio.SILENT_DBFS and beyond_telephone(spectrograms) < NARROW_DB:
        wrong.append(
            Warned(
                type="narrow_band",
                detail="Nothing is heard above 4 kHz, as over a telephone: turn off the noise "
                "suppression or the voice mode of the recorder.",
            )
        )
    return wrong


def beyond_telephone(spectrograms: audio.Spectrograms) -> float:
    """Return how loud it gets beyond a telephone's band in one frame of 20, dB.

    Parameters
    ----------
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
    """
    loudest = spectrograms[:, audio.mel_edges()[1:-1] > TELEPHONE_HZ].max(axis=1)
    return float(np.percentile(loudest, _MOST))
