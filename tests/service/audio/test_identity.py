from functools import partial

import numpy as np
import pytest
import soxr

from service import audio
from service.audio import identity, spec, spectrogram
from tools.reference import librosa_log_mel
from training.data import lazy_librosa


class TestSignature:
    @pytest.fixture
    def signature(self):
        return audio.signature()

    def test_the_signature_is_stable(self, signature):
        assert signature.shape == (audio.N_MELS,)
        assert audio.skew(signature) == 0
        assert audio.skew(signature.tolist()) == 0

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SAMPLE_RATE", 22_000),
            ("N_SAMPLES", 14 * 22_050),
            ("N_FFT", 2_000),
            ("HOP", 734),
            ("N_MELS", 127),
            ("F_MIN", 21.0),
            ("F_MAX", 10_990.0),
            ("SPAN_DB", 79.9),
            ("QUIETEST_POWER", 1e-4),
        ],
    )
    def test_notices_another_number(self, signature, monkeypatch, name, value):
        monkeypatch.setattr(spec, name, value)
        assert audio.skew(signature) > audio.SKEW_TOLERANCE

    def test_notices_another_window(self, signature, monkeypatch):
        monkeypatch.setattr(spectrogram, "hann", lambda: np.hamming(audio.N_FFT).astype(np.float32))
        assert audio.skew(signature) > audio.SKEW_TOLERANCE

    @pytest.mark.parametrize(
        "change", [{"center": False}, {"pad_mode": "reflect"}, {"win_length": 1_024}]
    )
    def test_notices_another_transform(self, signature, monkeypatch, change):
        monkeypatch.setattr(
            identity, "log_mel", lambda windows: librosa_log_mel(windows[0], **change)[None]
        )
        assert audio.skew(signature) > audio.SKEW_TOLERANCE

    @pytest.mark.parametrize("change", [{"htk": True}, {"norm": None}])
    def test_notices_other_filters(self, signature, monkeypatch, change):
        filters = lazy_librosa.librosa.filters.mel(
            sr=audio.SAMPLE_RATE, n_fft=audio.N_FFT, n_mels=audio.N_MELS,
            fmin=audio.F_MIN, fmax=audio.F_MAX, **change,
        )  # fmt: skip
        monkeypatch.setattr(spectrogram, "mel_filters", lambda: filters)
        assert audio.skew(signature) > audio.SKEW_TOLERANCE

    def test_notices_another_resampler(self, signature, monkeypatch):
        monkeypatch.setattr(soxr, "ResampleStream", partial(soxr.ResampleStream, quality="QQ"))
        assert audio.skew(signature) > audio.SKEW_TOLERANCE

    def test_notices_another_rule_for_short_clips(self, signature, monkeypatch):
        def padded(waveform):
            return np.pad(waveform, (0, audio.N_SAMPLES - len(waveform)))[None]

        monkeypatch.setattr(identity, "windows", padded)
        assert audio.skew(signature) > audio.SKEW_TOLERANCE
