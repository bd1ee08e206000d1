"""Which parts of a recording tempo and key are measured on."""

import numpy as np

from service import audio

MOST_PARTS = 8  # two minutes: more would cost time and change little


def parts(waveform: audio.Waveform) -> list[audio.Waveform]:
    """Return the parts of a recording that tempo and key are measured on.

    A recording of less than 22.5 s has one: its middle 15 s, or all of it. A longer one has as many
    as fit, but no more than `MOST_PARTS`, at equal distances from its beginning to its end.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]

    Returns
    -------
    parts : list of float32 [shape=(n_part,)]
        Views of the waveform, of equal length.
    """
    spare = len(waveform) - audio.N_SAMPLES
    if spare <= 0:
        return [waveform]
    count = min(round(len(waveform) / audio.N_SAMPLES), MOST_PARTS)
    starts = np.linspace(0, spare, count) if count > 1 else [spare / 2]
    return [waveform[int(start) : int(start) + audio.N_SAMPLES] for start in starts]
