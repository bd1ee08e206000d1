import numpy as np
import pytest

from service import audio
from service.audio import spec, spectrogram
from tools import signals
from tools.reference import librosa_log_mel
from training.data import lazy_librosa


class TestConstants:
    def test_windows_divide_into_frames_exactly(self):
        assert audio.SAMPLE_RATE % audio.HOP == 0
        assert audio.N_SAMPLES % audio.HOP == 0

    def test_every_mel_band_has_a_filter(self):
        assert (audio.mel_filters().sum(axis=1) > 0).all()


class TestLogMel:
    @pytest.mark.parametrize("name", ["groove", "noise", "sine"])
    def test_the_spectrogram_equals_that_of_librosa(self, name):
        window = {
            "groove": signals.groove(15, audio.SAMPLE_RATE),
            "noise": np.random.default_rng(0).normal(0, 0.1, audio.N_SAMPLES).astype(np.float32),
            "sine": signals.sine(15, 440),
        }[name]
        difference = audio.log_mel(window[None])[0] - librosa_log_mel(window)
        assert np.abs(difference).max() < 0.01  # dB

    @pytest.mark.parametrize("hops", [90, 91, 200, 446, 447, 450, 451])
    def test_frames_of_a_repeated_recording_are_the_same_if_computed_once(self, hops):
        sound = np.random.default_rng(0).normal(0, 0.1, hops * audio.HOP).astype(np.float32)
        window = np.resize(sound, (1, audio.N_SAMPLES))
        once = audio.LogMel().update(window[0], min(len(sound), audio.N_SAMPLES))
        assert np.array_equal(once, audio.log_mel(window)[0])

    @pytest.mark.parametrize("seconds", [[3, 6, 10, 15], [3.99, 7.01, 7.02, 14.999, 15], [15, 15]])
    @pytest.mark.parametrize("shortest", [audio.N_SHORT_SAMPLES, audio.N_SAMPLES])
    def test_a_window_that_grows_has_the_spectrogram_of_each_length(self, seconds, shortest):
        sound = signals.groove(15, audio.SAMPLE_RATE)
        grown = audio.LogMel()
        for heard in (round(each * audio.SAMPLE_RATE) for each in seconds):
            (window,) = audio.cut(sound[:heard], shortest).windows
            assert np.array_equal(grown.update(window, heard), audio.log_mel(window[None])[0])

    def test_a_window_that_grows_is_transformed_once(self, monkeypatch):
        transformed = []
        power = spectrogram._mel_power
        monkeypatch.setattr(
            spectrogram,
            "_mel_power",
            lambda frames: transformed.append(len(frames)) or power(frames),
        )
        sound, grown = signals.groove(15, audio.SAMPLE_RATE), audio.LogMel()
        for second in range(6, 16):
            grown.update(sound[: second * audio.SAMPLE_RATE], second * audio.SAMPLE_RATE)
        at_the_edges = 10 * (spectrogram.GROUP + spectrogram.EDGE)
        assert audio.N_FRAMES <= sum(transformed) <= audio.N_FRAMES + at_the_edges

    def test_short_windows_equal_those_of_librosa(self):
        window = signals.groove(7, audio.SAMPLE_RATE)
        (short,) = audio.log_mel(window[None])
        assert short.shape == (audio.N_MELS, 7 * audio.SAMPLE_RATE // audio.HOP + 1)
        assert np.abs(short - librosa_log_mel(window)).max() < 0.01  # dB

    def test_the_bands_equal_those_of_librosa(self):
        theirs = lazy_librosa.librosa.mel_frequencies(
            audio.N_MELS + 2, fmin=audio.F_MIN, fmax=audio.F_MAX
        )
        assert np.allclose(audio.mel_edges(), theirs)

    @pytest.mark.parametrize(("f_min", "f_max"), [(1_200.0, 8_000.0), (0.0, 900.0)])
    def test_bands_on_one_side_of_the_knee(self, monkeypatch, f_min, f_max):
        monkeypatch.setattr(spec, "F_MIN", f_min)
        monkeypatch.setattr(spec, "F_MAX", f_max)
        theirs = lazy_librosa.librosa.mel_frequencies(audio.N_MELS + 2, fmin=f_min, fmax=f_max)
        assert np.allclose(audio.mel_edges(), theirs)

    def test_shape_and_range(self):
        windows = np.stack([signals.groove(15, audio.SAMPLE_RATE, seed=seed) for seed in range(2)])
        spectrograms = audio.log_mel(windows)
        assert spectrograms.shape == (2, audio.N_MELS, audio.N_FRAMES)
        assert spectrograms.dtype == np.float32
        assert spectrograms.max(axis=(1, 2)).tolist() == [0, 0]
        assert spectrograms.min() >= -audio.SPAN_DB

    def test_a_window_does_not_depend_on_its_batch(self):
        windows = np.stack([signals.sine(15), 0.01 * signals.groove(15, audio.SAMPLE_RATE)])
        together = audio.log_mel(windows)
        alone = np.concatenate([audio.log_mel(window[None]) for window in windows])
        assert np.allclose(together, alone, atol=1e-3)

    def test_silence_is_at_the_floor(self):
        assert (audio.log_mel(np.zeros((1, audio.N_SAMPLES), np.float32)) == -80).all()

    @pytest.mark.parametrize("gain", [0.01, 0.1, 3, 100])
    def test_the_level_of_a_recording_does_not_matter(self, gain):
        window = signals.groove(15, audio.SAMPLE_RATE)[None]
        difference = audio.log_mel(gain * window) - audio.log_mel(window)
        assert np.abs(difference).max() < 0.01  # dB

    @pytest.mark.parametrize("hz", [100, 440, 1_000, 5_000])
    def test_a_sine_is_loudest_in_its_band(self, hz):
        (levels,) = audio.log_mel(signals.sine(15, hz)[None])
        nearest = np.abs(audio.mel_edges()[1:-1] - hz).argmin()
        assert abs(levels.mean(axis=1).argmax() - nearest) <= 2

    def test_frames_are_centred_on_their_time(self):
        click = np.zeros((1, audio.N_SAMPLES), np.float32)
        click[0, 100 * audio.HOP] = 1
        assert audio.log_mel(click)[0].mean(axis=0).argmax() == 100
