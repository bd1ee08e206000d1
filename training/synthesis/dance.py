"""Synthesises house and dubstep for training; nothing is measured on it.

A song is drawn first: tempo, key, chords, arrangement. Then drums, bass, chords, leads and effects
are synthesised, each with a random timbre from a wide range, so that no network can learn the sound
of one synthesiser.

Conventions
-----------
* A *step* is a sixteenth note, a *bar* 16 steps. A *pattern* is float64 [shape=(16,)]: the strength
  of each step of a bar, 0 for a rest.
* A *part* is the sound of one instrument, float32 [shape=(n_samples,)], with a peak of 1.
* Positions and lengths are in samples, pitches in hertz.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt

from service import audio
from training.synthesis.dsp import amplitude, log_uniform, peaking, room_response, soft_clipped
from training.types import Flags, Floats, Indices

GENRES = ("house", "dubstep")
TEMPI = {"house": (118.0, 130.0), "dubstep": (138.0, 142.0)}  # beats a minute
LAYERS = ("kick", "snare", "hats", "percussion", "bass", "chords", "lead", "chops")
BREAKDOWN = {
    "chords": 1.0,
    "lead": 0.6,
    "chops": 0.6,
    "hats": 0.5,
}  # probability that a layer plays
STEPS = 16
BLOCK = 105  # samples with constant coefficients of a moving filter, 5 ms
SCALES = {
    "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10), "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "major": (0, 2, 4, 5, 7, 9, 11), "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}  # fmt: skip
WOBBLES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # cycles a beat: 1/2, 1/4, 1/4T ... 1/16T
FORMANTS = ((300, 2_300, 3_000), (700, 1_100, 2_450), (550, 1_850, 2_500), (400, 800, 2_400))

Rng = np.random.Generator


@dataclass(frozen=True)
class Song:
    """Tempo, harmony and arrangement of a song.

    Attributes
    ----------
    genre : str
    bpm : float
        Beats a minute; four steps are a beat.
    swing : float
        Delay of every second step, as a share of a step.
    tonic : float
        Hz, of the bass.
    scale : tuple of int
        Semitones.
    progression : tuple of int
        Degree of the scale of each bar's chord; it repeats.
    bars : int
    playing : dict of str to bool [shape=(bars,)]
        In which bars each of `LAYERS` plays.
    """

    genre: str
    bpm: float
    swing: float
    tonic: float
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    bars: int
    playing: dict[str, Flags]

    @property
    def step(self) -> float:
        """Length of a step, in samples."""
        return 15 * audio.SAMPLE_RATE / self.bpm

    @property
    def n_samples(self) -> int:
        """Length of the whole song."""
        return int(np.ceil(self.bars * STEPS * self.step))

    def at(self, steps: Floats) -> Indices:
        """Return the positions of steps, with swing, in samples."""
        late = self.swing * (np.mod(steps, 2) == 1)
        return np.asarray(np.round((steps + late) * self.step), np.int64)

    def pitch(self, degree: int) -> float:
        """Return the pitch of a degree of the scale, counted up from the tonic."""
        octave, place = divmod(degree, len(self.scale))
        return float(self.tonic * 2 ** (octave + self.scale[place] / 12))

    def chord(self, bar: int) -> int:
        """Return the degree of a bar's chord."""
        return self.progression[bar % len(self.progression)]


class Notes(NamedTuple):
    """Notes of one voice in order: arrays of equal length; samples, samples, Hz and amplitude."""

    starts: Indices
    lengths: Indices
    pitches: Floats
    strengths: Floats


def synthesise(genre: str, seconds: float, rng: Rng) -> audio.Waveform:
    """Return an excerpt of a synthetic song.

    Parameters
    ----------
    genre : str
        One of `GENRES`.
    seconds : float
    rng : Generator

    Returns
    -------
    waveform : float32 [shape=(round(seconds * SAMPLE_RATE),)]
        The peak is at most 1.
    """
    song = draw_song(genre, seconds, rng)
    kicks = kicks_of(song, rng)
    drums = drums_of(song, kicks, rng)
    tones = [_bass(song, rng) * np.float32(rng.uniform(0.5, 1.1)), *_harmony(song, rng)]
    music = np.sum(tones, axis=0) * side_chain(song, kicks, rng)
    mix = drums + music * np.float32(rng.uniform(0.5, 1.8)) + _risers(song, rng)
    wanted = round(seconds * audio.SAMPLE_RATE)
    start = rng.integers(0, song.n_samples - wanted + 1)
    return _master(np.asarray(mix, np.float32), rng)[start : start + wanted]


def draw_song(genre: str, seconds: float, rng: Rng) -> Song:
    """Draw a song that is at least one bar longer than `seconds`."""
    bpm = rng.uniform(*TEMPI[genre])
    bars = int(np.ceil(seconds * bpm / 240)) + 1
    length = rng.choice((1, 2, 4))
    return Song(
        genre=genre,
        bpm=bpm,
        swing=rng.uniform(0, 0.3) if genre == "house" and rng.random() < 0.6 else 0.0,
        tonic=27.5 * 2 ** (rng.integers(3, 15) / 12),
        scale=SCALES[str(rng.choice([*SCALES]))],
        progression=(0, *rng.choice((0, 2, 3, 4, 5, 6), length - 1).tolist()),
        bars=bars,
        playing=_arrangement(genre, bars, rng),
    )


def _arrangement(genre: str, bars: int, rng: Rng) -> dict[str, Flags]:
    """Draw sections of two to eight bars; breakdowns separate full sections."""
    playing = {layer: np.zeros(bars, dtype=bool) for layer in LAYERS}
    usual = {"kick": 0.95, "snare": 0.9, "hats": 0.85, "percussion": 0.55, "bass": 0.92}
    usual |= {"chords": 0.65, "lead": 0.35, "chops": 0.3}
    if genre == "dubstep":
        usual |= {"hats": 0.6, "percussion": 0.35, "bass": 0.97, "chords": 0.3}
    start, full = 0, True
    while start < bars:
        length = int(rng.choice((2, 4, 8) if full else (2, 4)))
        for layer, share in usual.items():
            chance = share if full else BREAKDOWN.get(layer, 0)
            playing[layer][start : start + length] = rng.random() < chance
        start += length
        full = not full or rng.random() < 0.8
    return playing


def place(
    n_samples: int, positions: Iterable[int], strengths: Iterable[float], sound: audio.Waveform
) -> audio.Waveform:
    """Repeat a sound at positions; it is cut off at the end of the part."""
    part = np.zeros(n_samples + len(sound), np.float32)
    for position, strength in zip(positions, strengths, strict=True):
        if position < n_samples:
            part[position : position + len(sound)] += np.float32(strength) * sound
    return part[:n_samples]


def hits(song: Song, layer: str, patterns: list[Floats], rng: Rng) -> tuple[Indices, Floats]:
    """Return positions and strengths of a layer's hits; each bar has the next pattern."""
    strengths = np.concatenate([patterns[bar % len(patterns)] for bar in range(song.bars)])
    strengths = strengths * np.repeat(song.playing[layer], STEPS)
    steps = np.flatnonzero(strengths).astype(np.float64)
    return song.at(steps), strengths[steps.astype(int)] * rng.uniform(0.8, 1, len(steps))


def pattern_of(*steps: int) -> Floats:
    """Return a pattern with full strength at these steps."""
    pattern = np.zeros(STEPS)
    pattern[list(steps)] = 1
    return pattern


def _sprinkled(rng: Rng, density: float) -> Floats:
    """Return a pattern of random steps and strengths."""
    return np.asarray((rng.random(STEPS) < density) * rng.uniform(0.2, 1, STEPS))


def kicks_of(song: Song, rng: Rng) -> tuple[Indices, Floats]:
    """Return the hits of the bass drum: every beat in house, few in dubstep."""
    if song.genre == "house":
        plain = pattern_of(0, 4, 8, 12)
        varied = np.maximum(plain, pattern_of(int(rng.choice((7, 14, 15)))) * 0.7)
        return hits(
            song, "kick", [plain, plain, plain, varied if rng.random() < 0.4 else plain], rng
        )
    extra = [
        pattern_of(0, *rng.choice((3, 5, 6, 10, 11, 14), rng.integers(0, 3))) for _ in range(4)
    ]
    return hits(song, "kick", extra, rng)


def drums_of(song: Song, kicks: tuple[Indices, Floats], rng: Rng) -> audio.Waveform:
    """Return the part of all drums."""
    n_samples = song.n_samples
    drums = place(n_samples, *kicks, kick(rng)) * np.float32(rng.uniform(0.7, 1.2))
    backbeat = pattern_of(4, 12) if song.genre == "house" else pattern_of(8)
    ghosts = [np.maximum(backbeat, 0.3 * _sprinkled(rng, rng.uniform(0, 0.15))) for _ in range(2)]
    for _ in range(rng.integers(1, 3)):
        stroke = (
            snare(rng) if rng.random() < (0.4 if song.genre == "house" else 0.85) else clap(rng)
        )
        drums += place(n_samples, *hits(song, "snare", ghosts, rng), stroke) * np.float32(
            rng.uniform(0.3, 0.9)
        )
    offbeats = pattern_of(2, 6, 10, 14) if song.genre == "house" else _sprinkled(rng, 0.15)
    closed = [_sprinkled(rng, rng.uniform(0.3, 1)) for _ in range(2)]
    for patterns, seconds in (([offbeats], (0.08, 0.35)), (closed, (0.015, 0.07))):
        sound = hat(rng, log_uniform(rng, *seconds))
        drums += place(n_samples, *hits(song, "hats", patterns, rng), sound) * np.float32(
            log_uniform(rng, 0.08, 0.5)
        )
    for _ in range(rng.integers(1, 4)):
        patterns = [_sprinkled(rng, rng.uniform(0.1, 0.4)) for _ in range(rng.integers(1, 3))]
        drums += place(
            n_samples, *hits(song, "percussion", patterns, rng), percussion(rng)
        ) * np.float32(log_uniform(rng, 0.05, 0.4))
    return drums


def _decay(seconds: float, tail: float = 7) -> Floats:
    """Return an exponential decay, `seconds` being its time constant; float64 [shape=(n,)]."""
    return np.asarray(
        np.exp(
            -np.arange(int(tail * seconds * audio.SAMPLE_RATE) + 2) / (seconds * audio.SAMPLE_RATE)
        )
    )


def _normalised(sound: Floats | audio.Waveform) -> audio.Waveform:
    """Scale a sound to a peak of 1."""
    return np.asarray(sound / max(float(np.abs(sound).max(initial=0)), 1e-9), np.float32)


def _band(sound: Floats | audio.Waveform, low: float, high: float, order: int = 2) -> Floats:
    """Apply a band-pass filter; low and high in Hz."""
    edges = max(low, 20), min(max(high, 1.2 * low), 10_500)
    return np.asarray(
        sosfilt(butter(order, edges, "band", fs=audio.SAMPLE_RATE, output="sos"), sound)
    )


def kick(rng: Rng) -> audio.Waveform:
    """Return a bass drum: a sine of falling pitch, and a click."""
    envelope = _decay(log_uniform(rng, 0.06, 0.2))
    time = np.arange(len(envelope)) / audio.SAMPLE_RATE
    fall = log_uniform(rng, 0.008, 0.05)
    sweep = log_uniform(rng, 60, 500) * fall * (1 - np.exp(-time / fall))
    body = np.sin(2 * np.pi * (rng.uniform(38, 62) * time + sweep)) * envelope
    click = rng.normal(size=len(time)) * np.exp(-time / log_uniform(rng, 0.001, 0.008))
    sound = _normalised(body + rng.uniform(0, 0.4) * _band(click, 1_000, 9_000))
    return _normalised(soft_clipped(sound, rng.uniform(0, 14)))


def snare(rng: Rng) -> audio.Waveform:
    """Return a snare drum: two modes of the membrane, and the noise of the wires."""
    envelope = _decay(log_uniform(rng, 0.04, 0.15))
    time = np.arange(len(envelope)) / audio.SAMPLE_RATE
    low = rng.uniform(150, 260)
    skin = np.sin(2 * np.pi * low * time) + 0.6 * np.sin(
        2 * np.pi * rng.uniform(1.4, 2) * low * time
    )
    wires = _band(rng.normal(size=len(time)), log_uniform(rng, 200, 2_000), rng.uniform(5e3, 1e4))
    body = skin * np.exp(-time / log_uniform(rng, 0.02, 0.1))
    return _normalised(
        soft_clipped(_normalised(body + wires * envelope * rng.uniform(1, 4)), rng.uniform(0, 9))
    )


def clap(rng: Rng) -> audio.Waveform:
    """Return a clap: three to five bursts of noise in quick succession."""
    envelope = _decay(log_uniform(rng, 0.03, 0.12))
    burst = _band(rng.normal(size=len(envelope)), rng.uniform(600, 1_500), rng.uniform(2e3, 9e3))
    starts = np.cumsum(rng.uniform(0.006, 0.014, rng.integers(3, 6))) * audio.SAMPLE_RATE
    short = (burst * np.exp(-np.arange(len(burst)) / (0.004 * audio.SAMPLE_RATE))).astype(
        np.float32
    )
    sound = place(len(burst) + 1_600, starts.astype(int), [1.0] * len(starts), short)
    last = int(starts[-1])
    sound[last : last + len(burst)] += (burst * envelope)[: len(sound) - last]
    return _normalised(sound)


def hat(rng: Rng, seconds: float) -> audio.Waveform:
    """Return a hi-hat: high-pass filtered noise and square waves."""
    envelope = _decay(seconds)
    time = np.arange(len(envelope)) / audio.SAMPLE_RATE
    partials = rng.uniform(300, 1_400, 6) * rng.uniform(0.7, 3)
    metal = np.sign(np.sin(2 * np.pi * partials[:, None] * time)).sum(axis=0) / 3
    mix = rng.uniform(0, 1)
    sound = mix * metal + (1 - mix) * rng.normal(size=len(time))
    return _normalised(_band(sound, log_uniform(rng, 3_000, 8_000), 10_500) * envelope)


def percussion(rng: Rng) -> audio.Waveform:
    """Return a conga, a rim, a wood block or a shaker: ringing modes, or a burst of noise."""
    envelope = _decay(log_uniform(rng, 0.01, 0.12))
    time = np.arange(len(envelope)) / audio.SAMPLE_RATE
    modes = log_uniform(rng, 120, 2_500) * np.r_[1, rng.uniform(1.2, 4, 3)]
    tone = (np.sin(2 * np.pi * modes[:, None] * time) * rng.uniform(0, 1, (4, 1))).sum(axis=0)
    puff = _band(rng.normal(size=len(time)), log_uniform(rng, 500, 6_000), 10_000)
    mix = rng.choice((0.05, 0.2, 0.9))
    return _normalised(((1 - mix) * tone + mix * puff) * envelope)


def oscillator(pitch: Floats, shape: str, rng: Rng) -> Floats:
    """Return a saw, pulse, sine, triangle or frequency-modulated tone.

    Edges are rounded by a polynomial against aliasing (V. Välimäki and A. Huovilainen,
    "Antialiasing oscillators in subtractive synthesis", 2007).

    Parameters
    ----------
    pitch : float64 [shape=(n_samples,)], Hz
    shape : str
    rng : Generator

    Returns
    -------
    tone : float64 [shape=(n_samples,)]
    """
    advance = np.maximum(pitch, 1) / audio.SAMPLE_RATE
    phase = (np.cumsum(advance) + rng.uniform()) % 1
    if shape == "saw":
        return _saw(phase, advance)
    if shape == "pulse":
        return _saw(phase, advance) - _saw((phase + rng.uniform(0.1, 0.5)) % 1, advance)
    if shape == "triangle":
        return np.asarray(4 * np.abs(phase - 0.5) - 1)
    index = rng.uniform(0.5, 4) if shape == "fm" else 0.0
    ratio = rng.choice((0.5, 1, 2, 3, 1.5))
    return np.asarray(
        np.sin(2 * np.pi * phase + index * np.sin(2 * np.pi * ratio * np.cumsum(advance)))
    )


def _saw(phase: Floats, advance: Floats) -> Floats:
    """Return a saw wave of a phase in [0, 1) that grows by `advance` per sample."""
    tone = 2 * phase - 1
    after, before = phase < advance, phase > 1 - advance
    near = phase[after] / advance[after]
    tone[after] -= 2 * near - near**2 - 1
    near = (phase[before] - 1) / advance[before]
    tone[before] -= near**2 + 2 * near + 1
    return tone


def moving_lowpass(sound: Floats, cutoff: Floats, quality: float) -> Floats:
    """Apply a resonant low-pass filter of 12 dB an octave with a moving cutoff.

    Each `BLOCK` has one second-order section by R. Bristow-Johnson.

    Parameters
    ----------
    sound, cutoff : float64 [shape=(n_samples,)]
        `cutoff` is in Hz.
    quality : float
        Of the resonance; 0.7 has none.
    """
    angle = 2 * np.pi * np.clip(cutoff[::BLOCK], 30, 10_000) / audio.SAMPLE_RATE
    alpha, cosine = np.sin(angle) / (2 * quality), np.cos(angle)
    sides = (1 - cosine) / 2
    sections = np.stack([sides, 2 * sides, sides, 1 + alpha, -2 * cosine, 1 - alpha], axis=1)
    sections /= sections[:, 3:4]
    filtered, state = np.empty_like(sound), np.zeros((1, 2))
    for number, section in enumerate(sections):
        block = slice(number * BLOCK, (number + 1) * BLOCK)
        filtered[block], state = sosfilt(section[None], sound[block], zi=state)
    return filtered


class Envelope(NamedTuple):
    """Attack and decay of a note in seconds, and its sustain level."""

    attack: float
    decay: float
    sustain: float


def _voice(notes: Notes, n_samples: int, rng: Rng, envelope: Envelope) -> tuple[Floats, Floats]:
    """Return pitch and loudness of each sample of a voice."""
    attack, decay, sustain = envelope
    pitch, loudness = np.full(n_samples, 100.0), np.zeros(n_samples)
    glide = rng.random() < 0.2
    for start, length, hertz, strength in zip(*notes, strict=True):
        time = np.arange(max(min(length, n_samples - start), 0)) / audio.SAMPLE_RATE
        body = sustain + (1 - sustain) * np.exp(-time / decay)
        release = np.minimum((length - np.arange(len(time))) / 200, 1)
        loudness[start : start + length] = strength * np.minimum(time / attack, 1) * body * release
        pitch[start:] = hertz
    if glide:
        pitch = np.exp(sosfilt(butter(1, 12, fs=audio.SAMPLE_RATE, output="sos"), np.log(pitch)))
    return pitch, loudness


def _shape(rng: Rng) -> str:
    """Draw the shape of an oscillator."""
    return str(rng.choice(("saw", "saw", "pulse", "triangle", "fm", "sine")))


def _notes(
    song: Song, layer: str, patterns: list[Floats], degree: Callable[[int], int], gate: float
) -> Notes:
    """Return the notes of patterns, `gate` steps long but at most until the next note.

    `degree` returns the degree of the scale for each step of the song.
    """
    strengths = np.concatenate([patterns[bar % len(patterns)] for bar in range(song.bars)])
    strengths = strengths * np.repeat(song.playing[layer], STEPS)
    steps = np.flatnonzero(strengths)
    starts = song.at(steps.astype(np.float64))
    room = np.diff(starts, append=song.n_samples)
    lengths = np.minimum(room, int(gate * song.step))
    pitches = np.array([song.pitch(degree(int(step))) for step in steps])
    return Notes(starts, lengths, pitches, strengths[steps])


def _bass(song: Song, rng: Rng) -> audio.Waveform:
    """Return the bass of the genre."""
    return wobble_bass(song, rng) if song.genre == "dubstep" else house_bass(song, rng)


def house_bass(song: Song, rng: Rng) -> audio.Waveform:
    """Return a bass between the kicks, plucked or syncopated, with a moving low-pass filter."""
    patterns = (
        [pattern_of(2, 6, 10, 14)],
        [pattern_of(2, 3, 6, 7, 10, 11, 14, 15)],
        [pattern_of(0, 3, 6, 8, 11, 14)],
        [_sprinkled(rng, 0.4), _sprinkled(rng, 0.4)],
    )[rng.integers(4)]
    jumps = rng.choice((0, 0, 0, 4, 7, 2), 2 * STEPS)
    octave = int(rng.choice((0, 7)))
    notes = _notes(
        song, "bass", patterns,
        lambda step: octave + song.chord(step // STEPS) + int(jumps[step % len(jumps)]),
        rng.uniform(0.6, 3),
    )  # fmt: skip
    pitch, loudness = _voice(
        notes,
        song.n_samples,
        rng,
        Envelope(0.003, log_uniform(rng, 0.05, 0.5), rng.uniform(0, 0.8)),
    )
    tone = oscillator(pitch, _shape(rng), rng) + rng.uniform(0, 1) * oscillator(pitch, "sine", rng)
    low = log_uniform(rng, 80, 500)
    filtered = moving_lowpass(
        tone, low + log_uniform(rng, 100, 4_000) * loudness, rng.uniform(0.7, 6)
    )
    return soft_clipped(_normalised(filtered * loudness), rng.uniform(0, 9))


def wobble_bass(song: Song, rng: Rng) -> audio.Waveform:
    """Return a wobble bass and a sub bass; the rate of the wobble changes every few beats."""
    patterns = [
        pattern_of(0, *rng.choice((4, 6, 8, 10, 12, 14), rng.integers(0, 4))) for _ in range(4)
    ]
    jumps = rng.choice((0, 0, 0, 0, 1, 2, 4, 7), 4 * STEPS)
    notes = _notes(
        song, "bass", patterns,
        lambda step: song.chord(step // STEPS) + int(jumps[step % len(jumps)]), rng.uniform(8, 16),
    )  # fmt: skip
    pitch, loudness = _voice(notes, song.n_samples, rng, Envelope(0.004, 2, rng.uniform(0.5, 1)))
    lfo = wobble(song, rng)
    octave = rng.choice((1, 2))
    detuned = [
        oscillator(octave * pitch * (1 + rng.normal(0, 0.006)), _shape(rng), rng) for _ in range(3)
    ]
    phase = 2 * np.pi * np.cumsum(octave * pitch) / audio.SAMPLE_RATE
    ratio = rng.choice((0.5, 1, 1.5, 2, 3))
    growl = np.sin(phase + rng.uniform(1, 8) * lfo * np.sin(ratio * phase))
    tone = np.sum(detuned, axis=0) / 3 + rng.uniform(0, 1.5) * growl
    lowest, highest = log_uniform(rng, 60, 300), log_uniform(rng, 800, 8_000)
    filtered = moving_lowpass(tone, lowest * (highest / lowest) ** lfo, rng.uniform(0.8, 7))
    rough = soft_clipped(_normalised(filtered), rng.uniform(3, 24)) * loudness
    sub = np.sin(phase / octave) * loudness * rng.uniform(0.3, 1)
    return _normalised(rough + sub)


def wobble(song: Song, rng: Rng) -> Floats:
    """Return a slow oscillation in [0, 1] whose rate, one of `WOBBLES`, changes with the beat."""
    beats = int(rng.choice((1, 2, 4)))
    chosen = rng.choice(WOBBLES, rng.integers(2, 6), replace=False)
    rates = rng.choice(chosen, 4 * song.bars // beats + 1)
    beat = np.arange(song.n_samples) / (4 * song.step)
    within = beat % beats
    cycles = within * rates[(beat // beats).astype(int)] + rng.choice((0, 0.25, 0.5))
    shape = rng.choice(3, p=(0.6, 0.25, 0.15))
    curves = (0.5 - 0.5 * np.cos(2 * np.pi * cycles), 1 - cycles % 1, cycles % 1)
    return np.asarray(curves[shape] ** rng.uniform(0.6, 2))


def _harmony(song: Song, rng: Rng) -> list[audio.Waveform]:
    """Return chords, a lead or arpeggio, and chopped vowels, each with echo and reverberation."""
    levels = rng.uniform(0.15, 0.8, 3)
    parts = (chords(song, rng), lead(song, rng), chops(song, rng))
    return [
        _spacious(song, part, rng) * np.float32(level)
        for part, level in zip(parts, levels, strict=True)
    ]


def chords(song: Song, rng: Rng) -> audio.Waveform:
    """Return pads or stabs of three to five voices."""
    pad = rng.random() < 0.4
    rhythms = [
        pattern_of(0, 6, 10),
        pattern_of(2, 6, 10, 14),
        pattern_of(3, 6, 11, 14),
        _sprinkled(rng, 0.3),
    ]
    patterns = [pattern_of(0)] if pad else [rhythms[rng.integers(4)], rhythms[rng.integers(4)]]
    gate = 16 if pad else rng.uniform(0.5, 3)
    if pad:
        envelope = Envelope(rng.uniform(0.02, 0.5), 3, 0.7)
    else:
        envelope = Envelope(0.003, log_uniform(rng, 0.08, 0.6), 0.05)
    octave, shape = 7 * int(rng.integers(2, 4)), _shape(rng)
    tone, loudness = np.zeros(song.n_samples), np.zeros(song.n_samples)
    root = _notes(song, "chords", patterns, lambda step: octave + song.chord(step // STEPS), gate)
    for interval in (0, 2, 4, 6, 8)[: rng.integers(3, 6)]:
        notes = root._replace(pitches=root.pitches * song.pitch(interval) / song.tonic)
        pitch, loudness = _voice(notes, song.n_samples, rng, envelope)
        tone += oscillator(pitch * (1 + rng.normal(0, 0.004)), shape, rng)
    cutoff = log_uniform(rng, 300, 4_000) * (1 + rng.uniform(0, 3) * loudness)
    slow = 2 ** (rng.uniform(0, 1.5) * np.sin(2 * np.pi * np.arange(len(tone)) / (32 * song.step)))
    return _normalised(moving_lowpass(tone, cutoff * slow, rng.uniform(0.7, 3)) * loudness)


def lead(song: Song, rng: Rng) -> audio.Waveform:
    """Return an arpeggio of the chord in sixteenths, or a short tune."""
    octave = 7 * int(rng.integers(3, 5))
    arpeggio = rng.random() < 0.5
    tune = rng.choice((0, 2, 4, 7) if arpeggio else (0, 1, 2, 4, 5, 7), 2 * STEPS)
    patterns = [_sprinkled(rng, 0.85 if arpeggio else 0.3) for _ in range(2)]
    notes = _notes(
        song, "lead", patterns,
        lambda step: octave + song.chord(step // STEPS) + int(tune[step % len(tune)]),
        rng.uniform(0.5, 4),
    )  # fmt: skip
    pitch, loudness = _voice(
        notes,
        song.n_samples,
        rng,
        Envelope(0.004, log_uniform(rng, 0.05, 0.6), rng.uniform(0, 0.6)),
    )
    tone = oscillator(pitch, _shape(rng), rng) + oscillator(1.005 * pitch, _shape(rng), rng)
    cutoff = log_uniform(rng, 500, 5_000) * (1 + 2 * loudness)
    return _normalised(moving_lowpass(tone, cutoff, rng.uniform(0.7, 4)) * loudness)


def chops(song: Song, rng: Rng) -> audio.Waveform:
    """Return short vowels, as if cut from a song: a saw wave through changing formants."""
    octave = 7 * int(rng.integers(2, 4))
    tune = rng.choice((0, 2, 4, 5, 7), STEPS)
    notes = _notes(
        song, "chops", [_sprinkled(rng, 0.25) for _ in range(2)],
        lambda step: octave + int(tune[step % len(tune)]), rng.uniform(1, 4),
    )  # fmt: skip
    pitch, loudness = _voice(notes, song.n_samples, rng, Envelope(0.02, 1, 0.8))
    vibrato = 1 + 0.008 * np.sin(2 * np.pi * 5.5 * np.arange(len(pitch)) / audio.SAMPLE_RATE)
    tone, size = oscillator(pitch * vibrato, "saw", rng), rng.uniform(0.9, 1.3)
    vowels = []
    for vowel in rng.choice(len(FORMANTS), 2, replace=False):
        bands = (_band(tone, size * f - 60, size * f + 60, 1) for f in FORMANTS[vowel])
        vowels.append(np.sum([band / (1 + n) for n, band in enumerate(bands)], axis=0))
    turn = np.arange(len(tone)) / (song.step * rng.choice((2, 4, 8))) % 1
    return _normalised((vowels[0] * turn + vowels[1] * (1 - turn)) * loudness)


def _spacious(song: Song, part: audio.Waveform, rng: Rng) -> audio.Waveform:
    """Add rhythmic echoes and reverberation."""
    wet = part.copy()
    if rng.random() < 0.5:
        delay = int(song.step * rng.choice((2, 3, 4, 6)))
        feedback = np.float32(rng.uniform(0.2, 0.6))
        for echo in range(1, 4):
            wet[echo * delay :] += feedback**echo * part[: -echo * delay]
    response = room_response(rng, log_uniform(rng, 0.4, 2.5)).astype(np.float32)
    response[0] = 0
    response /= np.linalg.norm(response)
    tail = oaconvolve(wet, response)[: len(wet)]
    return np.asarray(wet + tail * np.float32(rng.uniform(0, 0.6)), np.float32)


def side_chain(song: Song, kicks: tuple[Indices, Floats], rng: Rng) -> audio.Waveform:
    """Return the gain of a side-chain compressor: each kick reduces the level of the music."""
    depth = rng.uniform(0.2, 0.95) if rng.random() < 0.75 else 0.0
    seconds = log_uniform(rng, 0.05, 0.2)
    starts = np.r_[-song.n_samples, np.sort(kicks[0])]
    samples = np.arange(song.n_samples)
    since = samples - starts[np.searchsorted(starts, samples, side="right") - 1]
    return np.asarray(1 - depth * np.exp(-since / (seconds * audio.SAMPLE_RATE)), np.float32)


def _risers(song: Song, rng: Rng) -> audio.Waveform:
    """Return noise that sweeps up before the kick enters, and a crash when it does."""
    part = np.zeros(song.n_samples, np.float32)
    bar = STEPS * song.step
    crash = (_band(rng.normal(size=int(1.5 * bar)), 2_500, 10_500)).astype(np.float32)
    crash *= np.exp(-np.arange(len(crash)) / (0.3 * bar)).astype(np.float32)
    for entry in np.flatnonzero(np.diff(song.playing["kick"].astype(int)) == 1) + 1:
        end = int(entry * bar)
        length = min(int(rng.choice((1, 2, 4)) * bar), end)
        rise = np.linspace(0, 1, length)
        swept = moving_lowpass(rng.normal(size=length), 200 * 40**rise, rng.uniform(1, 5))
        part[end - length : end] += _normalised(swept * rise**2) * np.float32(
            rng.uniform(0.05, 0.5)
        )
        part += place(len(part), [end], [rng.uniform(0.05, 0.3)], crash)
    return part


def _master(mix: audio.Waveform, rng: Rng) -> audio.Waveform:
    """Equalise and saturate the mix, and set its peak."""
    sections = [butter(2, rng.uniform(20, 40), "highpass", fs=audio.SAMPLE_RATE, output="sos")]
    sections += [peaking(log_uniform(rng, 60, 9_000), rng.uniform(-4, 4), 0.7) for _ in range(3)]
    if rng.random() < 0.3:
        cut = log_uniform(rng, 6_000, 10_500)
        sections.append(butter(4, cut, fs=audio.SAMPLE_RATE, output="sos"))
    equalised = _normalised(sosfilt(np.concatenate(sections), mix))
    saturated = soft_clipped(equalised, rng.uniform(0, 14))
    return _normalised(saturated) * np.float32(amplitude(rng.uniform(-12, -0.1)))
