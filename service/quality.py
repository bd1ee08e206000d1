"""Warnings about faults of a recording that may spoil its analysis.

docs/DECISIONS.md states how the limits were chosen.
"""

import numpy as np

from service import audio
from service.schemas import Warned, WarningType

CLIPPED = 0.05  # share of samples at full scale
FLAT_TOPPED = 0.01  # share of samples near full scale, in a lossy recording
DAMAGED = 0.02  # share of packets that cannot be decoded, or of the duration that is missing
VERY_QUIET_DBFS = -40.0  # peak
TELEPHONE_HZ = 4_300.0  # a telephone's band ends at 4 kHz
NARROW_DB = -75.0  # limit of the level above that band, in most frames of a narrow-band recording
MOST = 95  # percent of the frames


def warnings_of(recording: audio.Recording, spectrograms: audio.Spectrograms) -> list[Warned]:
    """Return the warnings about a recording.

    Parameters
    ----------
    recording : audio.Recording
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
        Spectrograms of the windows that hold sound, from `audio.log_mel`.
    """
    found: dict[WarningType, str | None] = {
        "damaged": _damaged(recording),
        "clipped": _clipped(recording),
        "very_quiet": _very_quiet(recording),
        "narrow_band": _narrow_band(recording, spectrograms),
        "out_of_phase": _out_of_phase(recording),
    }
    return [Warned(type=name, detail=detail) for name, detail in found.items() if detail]


def _damaged(recording: audio.Recording) -> str | None:
    """Return how much of the file is damaged, if it may matter."""
    whole = recording.duration_seconds + recording.missing_seconds
    found = {
        f"{recording.missing_seconds:.1f} s of its {whole:.1f} s are missing": (
            recording.missing_seconds > DAMAGED * whole
        ),
        f"{recording.damaged_packets:.0%} of its packets cannot be decoded": (
            recording.damaged_packets > DAMAGED
        ),
        f"{recording.damaged_samples:,} samples are impossibly loud": recording.damaged_samples > 0,
    }
    faults = [fault for fault, matters in found.items() if matters]
    if not faults:
        return None
    return (
        f"The file is damaged: {', and '.join(faults)}. The answer is about what can be decoded; "
        "send an undamaged copy."
    )


def _clipped(recording: audio.Recording) -> str | None:
    """Return how much of the recording is clipped, if it is much."""
    if recording.at_full_scale > CLIPPED:
        share = recording.at_full_scale
    elif recording.flat_topped > FLAT_TOPPED:
        share = recording.flat_topped
    else:
        return None
    return (
        f"{share:.0%} of the samples are at full scale: record at a lower level, or farther away."
    )


def _very_quiet(recording: audio.Recording) -> str | None:
    """Return how quiet the recording is, if it is very quiet and not silent."""
    if not audio.SILENT_DBFS < recording.peak_dbfs < VERY_QUIET_DBFS:
        return None
    return (
        f"The loudest sample is at {recording.peak_dbfs:.0f} dBFS: record at a higher level, "
        "or nearer."
    )


def _narrow_band(recording: audio.Recording, spectrograms: audio.Spectrograms) -> str | None:
    """Return that the recording has the band of a telephone, if it has."""
    if recording.peak_dbfs <= audio.SILENT_DBFS or not len(spectrograms):
        return None
    if beyond_telephone(spectrograms) >= NARROW_DB:
        return None
    return (
        "There is nothing above 4 kHz, as over a telephone: turn off the noise suppression or the "
        "voice mode of the recorder."
    )


def _out_of_phase(recording: audio.Recording) -> str | None:
    """Return that the channels cancel one another, if they do."""
    if not recording.out_of_phase:
        return None
    return (
        "The channels cancel one another, as with one wire swapped: the answer is about their "
        "difference or one of them. Invert one of them and record again, or record in mono."
    )


def beyond_telephone(spectrograms: audio.Spectrograms) -> float:
    """Return the level above a telephone's band that one frame in 20 exceeds, dB.

    Parameters
    ----------
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
    """
    loudest = spectrograms[:, audio.mel_edges()[1:-1] > TELEPHONE_HZ].max(axis=1)
    return float(np.percentile(loudest, MOST))
