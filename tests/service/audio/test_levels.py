import numpy as np
import pytest

from service import audio
from tools import signals


class TestLevels:
    def test_levels_of_a_sine(self):
        peak, rms = audio.levels(0.5 * signals.sine(3))
        assert peak == pytest.approx(-6.02, abs=0.01)
        assert rms == pytest.approx(-9.03, abs=0.01)

    def test_levels_of_silence(self):
        assert audio.levels(np.zeros(100, np.float32)) == (audio.SILENT_DBFS, audio.SILENT_DBFS)
