"""The takes of a track: versions of its sound from which spectrograms are computed.

* ``trimmed``: silences longer than a second are removed; shorter rests stay. Train only.
* ``raw``: the sound as the service decodes it. Measure only.
* ``phone``: a simulated recording by a phone (`synthesis.phone`). Trains in one subset, measures in
  another.
"""

from typing import Literal, get_args

import numpy as np

from service import audio
from training.data import synthetic
from training.data.corpus import Track, random_stream
from training.data.lazy_librosa import librosa
from training.synthesis import phone

Take = Literal["trimmed", "raw", "phone"]
TAKES: tuple[Take, ...] = get_args(Take)
MEASURED_TAKES: tuple[Take, ...] = ("raw", "phone")

SILENCE_DB = 60.0  # below the loudest moment of a track
MAX_REST_SECONDS = 1.0
SILENCE_HOP = 512  # samples, 23 ms


def track_waveform(track: Track) -> audio.Waveform:
    """Decode or synthesise a track.

    Raises
    ------
    audio.AudioError
        If the file cannot be decoded.
    EspeakMissingError
        If the track needs espeak-ng, and espeak-ng is not installed.
    """
    if track.source == synthetic.SYNTHETIC:
        return synthetic.waveform(track)
    return audio.decode(track.path.read_bytes()).waveform


def take_spectrograms(track: Track, waveform: audio.Waveform, take: Take) -> audio.Spectrograms:
    """Return the spectrograms of one take of a track.

    Returns
    -------
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB

    Raises
    ------
    audio.AudioError
        If the waveform without its silences is too short.
    """
    if take == "trimmed":
        waveform = remove_silences(waveform)
    if take == "phone":
        waveform = phone.record(waveform, random_stream(track, "phone"))
    return audio.log_mel(audio.windows(waveform))


def remove_silences(waveform: audio.Waveform) -> audio.Waveform:
    """Remove silence at both ends, and inner silences longer than `MAX_REST_SECONDS`.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]

    Returns
    -------
    waveform : float32 [shape=(n_remaining,)]
        Empty if the whole waveform is digital silence.
    """
    if not waveform.any():
        return waveform[:0]
    loudest = waveform / np.abs(waveform).max()  # librosa ignores what is below 1e-5 of full scale
    sounding = librosa.effects.split(loudest, top_db=SILENCE_DB, hop_length=SILENCE_HOP)
    rests = sounding[1:, 0] - sounding[:-1, 1]
    cuts = np.flatnonzero(rests > MAX_REST_SECONDS * audio.SAMPLE_RATE)
    starts = sounding[np.r_[0, cuts + 1], 0]
    ends = sounding[np.r_[cuts, len(sounding) - 1], 1]
    return np.concatenate([waveform[a:b] for a, b in zip(starts, ends, strict=True)])
