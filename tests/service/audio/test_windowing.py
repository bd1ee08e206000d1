import numpy as np
import pytest

from service import audio
from tools import signals


def covered(n_samples):
    """Return how many seconds of a waveform its windows cover."""
    cut = audio.cut(np.ones(n_samples, np.float32))
    return cut.seconds(cut.sounding(audio.SILENT_DBFS))


def in_parts(*parts):
    """Return a waveform of silent and sounding parts; negative seconds are silent."""
    return np.concatenate(
        [np.full(round(abs(each) * audio.SAMPLE_RATE), each > 0, np.float32) for each in parts]
    )


class TestCut:
    @pytest.mark.parametrize(
        ("parts", "sounding", "seconds"),
        [
            ((15, -15), [True, False], 15),
            ((-15, 15), [False, True], 15),
            ((-30, 1, -14), [False, False, True], 15),
            ((-4,), [False], 0),
            ((4,), [True], 4),
            ((15, -5), [True, False], 15),  # all sound in the last window is also in the first
            ((-15, 5), [False, True], 5),
            ((10, -20), [True, False], 15),
            ((15, -2, 3), [True, True], 20),
            ((-15, 2), [False], 0),  # a remainder without a window
        ],
    )
    def test_nothing_counts_twice(self, parts, sounding, seconds):
        cut = audio.cut(in_parts(*parts))
        found = cut.sounding(-60)
        assert found.tolist() == sounding
        assert cut.seconds(found) == pytest.approx(seconds, abs=1e-4)

    @pytest.mark.parametrize(
        ("parts", "sounding"),
        [
            ((15, 0.1, -14.9), [True, False]),  # the smear of a codec
            ((15, 0.4, -14.6), [True, True]),
            ((-7, 0.01, -8, -15), [True, False]),  # one click is the only sound
        ],
    )
    def test_short_sound_counts_only_without_lasting_sound(self, parts, sounding):
        assert audio.cut(in_parts(*parts)).sounding(-60).tolist() == sounding

    def test_windows_have_their_positions(self):
        cut = audio.cut(in_parts(35))
        spans = [
            (start / audio.SAMPLE_RATE, end / audio.SAMPLE_RATE)
            for start, end in zip(cut.starts, cut.ends, strict=True)
        ]
        assert spans == [(0, 15), (15, 30), (20, 35)]

    def test_a_peak_that_equals_the_threshold_is_silence(self):
        cut = audio.cut(np.full(4 * audio.SAMPLE_RATE, 1e-3, np.float32))
        (peak,) = cut.peaks_dbfs
        assert peak == pytest.approx(-60)
        assert not cut.sounding(peak)
        assert cut.sounding(peak - 0.01)


class TestWindows:
    @pytest.mark.parametrize("seconds", [3, 3.7, 14.9, 15, 17.9, 18, 29, 30, 33, 47.3, 600])
    def test_windows_follow_one_another(self, seconds):
        n_samples = round(seconds * audio.SAMPLE_RATE)
        starts = audio.window_starts(n_samples)
        steps = np.diff(starts)
        assert starts[0] == 0
        assert (steps[:-1] == audio.N_SAMPLES).all()  # only the last may overlap
        assert (steps[-1:] <= audio.N_SAMPLES).all()
        left_out = n_samples - (starts[-1] + audio.N_SAMPLES)
        assert left_out < audio.MIN_SECONDS * audio.SAMPLE_RATE
        assert len(starts) == 1 or left_out <= 0 or steps[-1] == audio.N_SAMPLES
        assert covered(n_samples) <= seconds + 1e-4

    @pytest.mark.parametrize(
        ("seconds", "analysed"), [(4, 4), (15, 15), (17, 15), (18, 18), (32, 30), (33, 33)]
    )
    def test_a_short_remainder_is_left_out(self, seconds, analysed):
        assert covered(seconds * audio.SAMPLE_RATE) == analysed

    def test_windows_are_cut_where_they_start(self):
        waveform = np.arange(40 * audio.SAMPLE_RATE, dtype=np.float32)
        cut = audio.windows(waveform)
        assert cut.shape == (3, audio.N_SAMPLES)
        assert cut[:, 0].tolist() == audio.window_starts(len(waveform))
        assert cut[-1, -1] == waveform[-1]

    def test_a_short_clip_is_repeated(self):
        waveform = signals.groove(4, audio.SAMPLE_RATE)
        (window,) = audio.windows(waveform)
        assert len(window) == audio.N_SAMPLES
        assert (window == np.tile(waveform, 4)[: audio.N_SAMPLES]).all()

    @pytest.mark.parametrize("n_samples", [0, 1, 3 * audio.SAMPLE_RATE - 1])
    def test_a_recording_below_the_minimum_is_refused(self, n_samples):
        with pytest.raises(audio.ClipTooShortError, match="at least 3 s"):
            audio.windows(np.zeros(n_samples, np.float32))
