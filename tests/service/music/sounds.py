"""Music of known tempo and key."""

import numpy as np

from service import audio

RATE = audio.SAMPLE_RATE
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
CADENCES = {  # semitones above the tonic, and the triad: I IV V I, and i iv V i
    "major": ((0, "major"), (5, "major"), (7, "major"), (0, "major")),
    "minor": ((0, "minor"), (5, "minor"), (7, "major"), (0, "minor")),
}


def clicks(bpm, seconds=15.0, every=4, seed=0):
    """Return clicks on every beat, those at the head of a bar louder."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE), np.float32)
    click = rng.normal(0, 1, RATE // 20) * np.exp(-np.arange(RATE // 20) / (RATE / 200))
    for beat, start in enumerate(np.arange(0, seconds - 0.05, 60 / bpm)):
        at = round(start * RATE)
        level = 0.8 if beat % every == 0 else 0.4
        sound[at : at + len(click)] += level * click.astype(np.float32)
    return 0.2 * sound


def note(midi, seconds, a4=440.0):
    """Return a tone with eight harmonics and a soft end."""
    time = np.arange(round(seconds * RATE)) / RATE
    hertz = a4 * 2 ** ((midi - 69) / 12)
    tone = sum(0.6**number * np.sin(2 * np.pi * hertz * (number + 1) * time) for number in range(8))
    return (tone * np.minimum(1, 20 * (seconds - time)) * np.exp(-time)).astype(np.float32)


def cadence(tonic, mode, a4=440.0, times=3):
    """Return a cadence of four chords of 0.8 s over its bass, some times."""
    chords = [
        sum(note(48 + tonic + root + interval, 0.8, a4) for interval in TRIADS[triad])
        + note(36 + tonic + root, 0.8, a4)
        for root, triad in CADENCES[mode]
    ]
    sound = np.concatenate(chords * times)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def noise(seconds=15.0, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
