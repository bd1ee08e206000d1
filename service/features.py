"""The members of an answer that no model learned: tempo, key, loudness, and part of the features.

`features` has the names, types and scales of the audio-features that Spotify's interface gave until
2024, so that programs written against it can read them.
"""

from typing import Any

from service import audio, music
from service.schemas import (
    Features,
    KeyCandidate,
    KeyFound,
    LoudnessFound,
    TempoCandidate,
    TempoFound,
)
from service.verdict import MUSIC, Verdict

MOST_KEYS = 5  # candidates

BPM_DIGITS = 2
PROBABILITY_DIGITS = 4
LEVEL_DIGITS = 2

NO_BPM, NO_KEY, NO_LOUDNESS = 0.0, -1, -60.0  # in `features`, where no measured member is null


def describe(recording: audio.Recording, verdict: Verdict) -> dict[str, Any]:
    """Return the members ``tempo``, ``key``, ``loudness`` and ``features`` of an answer.

    Parameters
    ----------
    recording : audio.Recording
        `music.parts` says which parts of a long one are measured for tempo and key.
    verdict : Verdict
        What is not music has neither tempo nor key: speech and engines would often get a key.
    """
    tempo, key = None, None
    if verdict in MUSIC:
        parts = music.parts(recording.waveform)
        tempo = tempo_of(music.tempi(music.tempogram(parts)))
        key = key_of(*music.keys(music.chroma(parts)))
    measured = recording.loudness
    lufs = measured.integrated_lufs
    loudness = LoudnessFound(
        integrated_lufs=None if lufs is None else round(lufs, LEVEL_DIGITS),
        true_peak_dbtp=round(measured.true_peak_dbtp, LEVEL_DIGITS),
    )
    return {
        "tempo": tempo,
        "key": key,
        "loudness": loudness,
        "features": _features(tempo, key, loudness, recording.duration_seconds),
    }


def tempo_of(found: music.Tempo) -> TempoFound | None:
    """Return the tempo of an answer, or None if no steady beat is more probable than any tempo."""
    if not len(found.bpm) or found.none > found.probabilities[0]:
        return None
    candidates = [
        TempoCandidate(
            bpm=round(float(bpm), BPM_DIGITS),
            probability=round(float(probability), PROBABILITY_DIGITS),
        )
        for bpm, probability in zip(found.bpm, found.probabilities, strict=True)
    ]
    return TempoFound(
        bpm=candidates[0].bpm, confidence=candidates[0].probability, candidates=candidates
    )


def key_of(found: list[music.Key], none: float) -> KeyFound | None:
    """Return the key of an answer, or None if no key is more probable than any key."""
    if not found or none > found[0].probability:
        return None
    candidates = [
        KeyCandidate(
            tonic=key.name, mode=key.mode, probability=round(key.probability, PROBABILITY_DIGITS)
        )
        for key in found[:MOST_KEYS]
    ]
    best = candidates[0]
    return KeyFound(
        tonic=best.tonic, mode=best.mode, probability=best.probability, candidates=candidates
    )


def _features(
    tempo: TempoFound | None, key: KeyFound | None, loudness: LoudnessFound, seconds: float
) -> Features:
    """Return the same under Spotify's names; `analysis` adds what the model learned."""
    lufs = loudness.integrated_lufs
    return Features(
        tempo=tempo.bpm if tempo else NO_BPM,
        key=music.pitch_class(key.tonic) if key else NO_KEY,
        mode=0 if key and key.mode == "minor" else 1,
        loudness=NO_LOUDNESS if lufs is None else lufs,
        duration_ms=round(1_000 * seconds),
    )
