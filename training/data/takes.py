"""The takes of a track: what is cut, decoded or simulated before the front-end."""

import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from service import audio
from training.data import synthetic
from training.data.corpus import Track
from training.data.lazy_librosa import librosa
from training.synthesis import phone

Take = Literal["studio", "heard", "phone"]


TAKES: tuple[Take, ...] = get_args(Take)


SILENCE_DB = 60.0  # below the loudest moment of a track


LONGEST_REST_SECONDS = 1.0


SILENCE_HOP = 512  # samples, 23 ms


FRONT_END_FILE = "front_end.json"


class FrontEndMismatchError(RuntimeError):
    """The folder holds spectrograms that this front-end would not make."""


def check_front_end(folder: Path) -> None:
    """Raise `PreparedWithAnotherFrontEndError` if a folder's shards are not this front-end's."""
    path = folder / FRONT_END_FILE
    if not path.exists():
        return
    made_by = json.loads(path.read_text())
    skew = audio.skew(made_by["signature"])
    differs = {name: made_by[name] for name in numbers()} != numbers()
    if differs or not skew <= audio.SKEW_TOLERANCE:
        raise FrontEndMismatchError(
            f"{folder} was prepared with another front-end, {skew:.2g} dB away: prepare it anew."
        )


def numbers() -> dict[str, Any]:
    """Return the numbers of the front-end and of the removal of silences."""
    silence = {
        "silence_db": SILENCE_DB,
        "longest_rest_seconds": LONGEST_REST_SECONDS,
        "silence_hop": SILENCE_HOP,
    }
    return {"front_end": audio.front_end(), "silence": silence}


def track_waveform(track: Track) -> audio.Waveform:
    """Decode a track, or make it.

    Raises
    ------
    audio.AudioError
        If it cannot be decoded.
    EspeakMissingError
        If it is spoken by espeak-ng, which is not installed.
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
        If what is not silent is too short.
    """
    if take == "studio":
        waveform = remove_silences(waveform)
    if take == "phone":
        waveform = phone.phone(waveform, synthetic.generator(track))
    return audio.log_mel(audio.windows(waveform))


def remove_silences(waveform: audio.Waveform) -> audio.Waveform:
    """Cut out silence at both ends, and inside what is longer than `LONGEST_REST_SECONDS`.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]

    Returns
    -------
    waveform : float32 [shape=(n_kept,)]
        Empty if all of it is digital silence.
    """
    if not waveform.any():
        return waveform[:0]
    loudest = waveform / np.abs(waveform).max()  # librosa hears nothing below 1e-5 of full scale
    sounding = librosa.effects.split(loudest, top_db=SILENCE_DB, hop_length=SILENCE_HOP)
    rests = sounding[1:, 0] - sounding[:-1, 1]
    cuts = np.flatnonzero(rests > LONGEST_REST_SECONDS * audio.SAMPLE_RATE)
    starts = sounding[np.r_[0, cuts + 1], 0]
    ends = sounding[np.r_[cuts, len(sounding) - 1], 1]
    return np.concatenate([waveform[a:b] for a, b in zip(starts, ends, strict=True)])
