"""``python -m tools.benchmarks.bare``: the service without tempo, key and loudness."""

import sys

from service import __main__ as service
from service import analysis
from service.audio import decoding
from service.audio.loudness import Loudness
from service.schemas import Features, LoudnessFound


class NoMeter:
    """Takes the place of `loudness.Meter`, and measures nothing."""

    def add(self, block, rate, layout):
        """Ignore a block."""

    def loudness(self, max_seconds):
        return Loudness(None, 0.0)


def nothing(recording, verdict):
    """Take the place of `features.describe`."""
    return {
        "tempo": None,
        "key": None,
        "loudness": LoudnessFound(integrated_lufs=None, true_peak_dbtp=0),
        "features": Features(tempo=0, key=-1, mode=1, loudness=-60, duration_ms=0),
    }


if __name__ == "__main__":
    decoding.Meter = NoMeter
    analysis.describe = nothing
    sys.exit(service.main())
