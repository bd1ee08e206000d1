import torch

from service import audio
from training.models.statistics import BANDS, N_STATISTICS, statistics


def test_each_group_of_bands_has_a_mean_and_a_deviation():
    torch.manual_seed(0)
    log_mel = 10 * torch.randn(3, audio.N_MELS, 200) - 40
    found = statistics(log_mel)
    assert found.shape == (3, N_STATISTICS)
    width = audio.N_MELS // BANDS
    of_last = log_mel[2, -width:]
    torch.testing.assert_close(found[2, BANDS - 1], of_last.mean())
    torch.testing.assert_close(found[2, -1], of_last.std(dim=1, correction=0).mean())


def test_an_even_spectrogram_does_not_deviate():
    found = statistics(torch.full((1, audio.N_MELS, 50), -30.0))
    torch.testing.assert_close(found[0], torch.tensor([-30.0] * BANDS + [0.0] * BANDS))
