"""Statistics of a spectrogram: how loud its bands are, and how much they vary."""

import torch
from torch import Tensor

from service import audio

BANDS = 32  # groups of neighbouring mel bands
N_STATISTICS = 2 * BANDS


def statistics(log_mel: Tensor) -> Tensor:
    """Return mean and standard deviation over time of each group of bands, dB.

    Parameters
    ----------
    log_mel : float32 [shape=(n, audio.N_MELS, n_frames)], dB

    Returns
    -------
    statistics : float32 [shape=(n, N_STATISTICS)]
        The means, then the deviations, each averaged over the bands of a group.
    """
    moments = torch.stack([log_mel.mean(-1), log_mel.std(-1, correction=0)], dim=1)
    grouped = moments.reshape(-1, N_STATISTICS, audio.N_MELS // BANDS)
    return grouped.mean(-1)
