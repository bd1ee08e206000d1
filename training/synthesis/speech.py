"""Synthetic speech: a formant synthesiser with any number of speakers, and espeak-ng.

espeak-ng has real words, voices and languages; it is used if it is installed. Control signals of
the formant synthesiser have the rate `CONTROL_RATE`, which is low enough to be cheap.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import fftconvolve, istft, resample_poly, stft
from scipy.signal.windows import hann

from service import audio
from training.synthesis.dsp import (
    amplitude,
    log_uniform,
    mix,
    sample_times,
    soft_clipped,
    steady_noise,
    unit_power,
)
from training.types import Floats

CONTROL_RATE = 210  # Hz; 105 samples each


N_FFT, HOP = 1_024, 256  # samples, 46 ms and 12 ms, of the formant filter


class EspeakMissingError(RuntimeError):
    """The program espeak-ng is not installed."""


VOWELS = {
    "i": (270, 2_290, 3_010), "I": (390, 1_990, 2_550), "E": (530, 1_840, 2_480),
    "ae": (660, 1_720, 2_410), "a": (730, 1_090, 2_440), "O": (570, 840, 2_410),
    "U": (440, 1_020, 2_240), "u": (300, 870, 2_240), "V": (640, 1_190, 2_390),
    "er": (490, 1_350, 1_690), "y": (270, 1_900, 2_250), "oe": (400, 1_550, 2_300),
    "e": (400, 2_150, 2_700), "o": (420, 780, 2_400), "schwa": (500, 1_500, 2_500),
}  # fmt: skip
"""First three formants of a man, in Hz.

The English ones from G. E. Peterson and H. L. Barney, "Control methods used in a study of the
vowels" (1952); the others are vowels of German and French.
"""


SONORANTS = {
    "m": (250, 1_000, 2_200), "n": (250, 1_500, 2_500), "l": (360, 1_200, 2_700),
    "r": (330, 1_100, 1_500), "w": (290, 650, 2_200), "j": (270, 2_200, 3_000),
}  # fmt: skip
"""Formants of nasals, liquids and glides, in Hz."""


FRICATIVES = {"s": (6_500, 2_500), "sh": (3_300, 1_800), "f": (5_000, 9_000), "x": (1_600, 1_200)}
"""Centre and width of the noise, in Hz."""


PLOSIVES = {"p": (800, 1_500), "t": (4_500, 3_500), "k": (2_000, 1_200)}
"""Centre and width of the burst, in Hz."""


@dataclass(frozen=True)
class Speaker:
    """The voice of a speaker of the formant synthesiser.

    Attributes
    ----------
    pitch : float
        Hz, in the middle of a phrase.
    tract : float
        Factor of the formants, relative to `VOWELS`.
    liveliness : float
        Range of the pitch, in octaves.
    rate : float
        Syllables a second.
    breath : float
        Noise of the glottis, relative to its pulses.
    open_quotient : float
        Share of a period in which the glottis is open.
    jitter : float
        Relative standard deviation of the pitch from one control value to the next.
    bandwidth : float
        Of the formants, relative to a common voice.
    sibilance : float
        Level of fricatives and bursts.
    coarticulation : float
        Seconds in which a formant reaches its target.
    pause : float
        Mean length in seconds.
    accents : tuple of float
        Position of each vowel between schwa and the table, by which languages differ.
    """

    pitch: float
    tract: float
    liveliness: float
    rate: float
    breath: float
    open_quotient: float
    jitter: float
    bandwidth: float
    sibilance: float
    coarticulation: float
    pause: float
    accents: tuple[float, ...]


def speaker(rng: np.random.Generator) -> Speaker:
    """Draw the voice of a man, a woman or a child, calm or excited, sometimes whispering."""
    low, high, tract = ((75, 160, 1.0), (150, 280, 1.16), (230, 380, 1.35))[
        rng.choice(3, p=(0.42, 0.42, 0.16))
    ]
    return Speaker(
        pitch=log_uniform(rng, low, high),
        tract=tract * rng.uniform(0.9, 1.1),
        liveliness=rng.uniform(0.1, 0.5),
        rate=rng.uniform(3, 6.5),
        breath=20.0 if rng.random() < 0.04 else log_uniform(rng, 0.01, 0.4),
        open_quotient=rng.uniform(0.4, 0.85),
        jitter=log_uniform(rng, 0.003, 0.03),
        bandwidth=log_uniform(rng, 0.6, 1.8),
        sibilance=log_uniform(rng, 0.3, 2),
        coarticulation=rng.uniform(0.02, 0.08),
        pause=log_uniform(rng, 0.15, 0.9),
        accents=tuple(rng.uniform(0.4, 1.15, len(VOWELS))),
    )


@dataclass(frozen=True)
class Segment:
    """A piece of speech with constant targets of the synthesiser.

    Attributes
    ----------
    seconds : float
    voicing, hiss : float
        Amplitude of the glottis, and of the noise of a constriction.
    formants : tuple of float
        Hz, the first three.
    band : tuple of float
        Centre and width of the hiss, Hz.
    pitch : float
        In octaves relative to the speaker's.
    """

    seconds: float
    voicing: float = 0.0
    hiss: float = 0.0
    formants: tuple[float, ...] = VOWELS["schwa"]
    band: tuple[float, float] = FRICATIVES["s"]
    pitch: float = 0.0


def formant_speech(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return synthetic speech of one speaker, or of two at the same time or in turn."""
    voices = [speak(speaker(rng), n_samples, rng)]
    if rng.random() < 0.3:
        voices.append(speak(speaker(rng), n_samples, rng) * amplitude(rng.uniform(-12, 0)))
    if len(voices) == 2 and rng.random() < 0.5:
        turn = log_uniform(rng, 2, 12)  # seconds
        talk = np.where(sample_times(n_samples) % turn < turn / 2, *voices)
    else:
        talk = np.sum(voices, axis=0)
    return mix(talk.astype(np.float32), steady_noise(n_samples, rng), rng.uniform(20, 70))


def speak(who: Speaker, n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return synthetic speech of one speaker.

    A source and filters after D. H. Klatt, "Software for a cascade/parallel formant synthesizer"
    (1980): glottal pulses and noise through moving resonances. The filters work on a short-time
    Fourier transform, where they may differ from frame to frame.

    Returns
    -------
    waveform : float32 [shape=(n_samples,)]
        Of unit power.
    """
    n_control = n_samples * CONTROL_RATE // audio.SAMPLE_RATE + 2
    tracks = _tracks(who, n_control, rng)
    wave_time = sample_times(n_samples) * CONTROL_RATE
    sources = [_glottis(who, tracks, wave_time, rng), _hiss(who, tracks, wave_time, rng)]
    spectra = stft(np.stack(sources), nperseg=N_FFT, noverlap=N_FFT - HOP)[2]
    frames = np.arange(spectra.shape[-1]) * (HOP * CONTROL_RATE / audio.SAMPLE_RATE)
    at_frames = {name: _resampled(track, frames) for name, track in tracks.items()}
    voice = spectra[0] * tract_gain(who, at_frames["formants"])
    friction = spectra[1] * _noise_band(at_frames["band"])
    speech = istft(voice + friction, nperseg=N_FFT, noverlap=N_FFT - HOP)[1][:n_samples]
    return unit_power(np.pad(speech, (0, n_samples - len(speech))).astype(np.float32))


def _tracks(who: Speaker, n_control: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Return the control signals, each [shape=(..., n_control)], with smooth transitions."""
    segments: list[Segment] = []
    remaining = n_control / CONTROL_RATE
    while remaining > 0:
        phrase = list(_phrase(who, rng))
        segments += phrase
        remaining -= sum(segment.seconds for segment in phrase)
    ends = np.round(np.cumsum([segment.seconds for segment in segments]) * CONTROL_RATE)
    lengths = np.diff(ends.astype(int), prepend=0)
    targets = {
        "voicing": (np.array([segment.voicing for segment in segments]), 0.02),
        "hiss": (np.array([segment.hiss for segment in segments]), 0.01),
        "formants": (np.array([segment.formants for segment in segments]).T, who.coarticulation),
        "band": (np.array([segment.band for segment in segments]).T, 0.01),
        "pitch": (np.array([segment.pitch for segment in segments]), 0.15),
    }
    return {
        name: _smoothed(np.repeat(values, lengths, axis=-1)[..., :n_control], seconds)
        for name, (values, seconds) in targets.items()
    }


def _smoothed(track: Floats, seconds: float) -> Floats:
    """Smooth a control signal so that a transition takes this long."""
    window = hann(max(3, round(2 * seconds * CONTROL_RATE)) + 2)
    window = window / window.sum()
    padding = [(0, 0)] * (track.ndim - 1) + [(len(window), len(window))]
    padded = np.pad(track, padding, mode="edge")
    kernel = window.reshape((1,) * (track.ndim - 1) + (-1,))
    smooth = fftconvolve(padded, kernel, mode="same", axes=-1)
    return np.asarray(smooth[..., len(window) : -len(window)])


def _resampled(track: Floats, positions: Floats) -> Floats:
    """Interpolate each row of a control signal at positions."""
    rows = np.atleast_2d(track)
    known = np.arange(rows.shape[-1])
    return np.squeeze(np.stack([np.interp(positions, known, row) for row in rows]))


def _phrase(who: Speaker, rng: np.random.Generator) -> Iterator[Segment]:
    """Yield a phrase of irregular syllables with declining pitch, and a pause."""
    n_syllables = int(rng.integers(2, 16))
    ending = rng.normal(0, who.liveliness)  # a question rises, a statement falls
    for number in range(n_syllables):
        place = number / n_syllables
        pitch = who.liveliness * (0.5 - place) + rng.normal(0, who.liveliness / 2)
        pitch += ending if number == n_syllables - 1 else 0.0
        loudness = rng.lognormal(-0.3 * place, 0.3)
        for segment in _syllable(who, rng):
            yield replace(segment, pitch=pitch, voicing=segment.voicing * loudness)
    yield Segment(rng.gamma(2, who.pause / 2))


def _syllable(who: Speaker, rng: np.random.Generator) -> Iterator[Segment]:
    """Yield up to two consonants, a vowel or diphthong, and at most one more consonant."""
    seconds = float(rng.lognormal(0, 0.35)) / who.rate
    for _ in range(rng.choice(3, p=(0.2, 0.65, 0.15))):
        yield from _consonant(who, seconds * rng.uniform(0.15, 0.4), rng)
    for _ in range(1 + (rng.random() < 0.25)):
        vowel = int(rng.integers(len(VOWELS)))
        target = np.array([*VOWELS.values()][vowel])
        centre = np.array(VOWELS["schwa"])
        formants = centre + who.accents[vowel] * (target - centre) * rng.uniform(0.7, 1.1)
        yield Segment(seconds * rng.uniform(0.3, 0.6), 1.0, 0.0, tuple(formants))
    if rng.random() < 0.4:
        yield from _consonant(who, seconds * rng.uniform(0.15, 0.35), rng)


def _consonant(who: Speaker, seconds: float, rng: np.random.Generator) -> Iterator[Segment]:
    """Yield a sonorant, a fricative, or the closure, burst and breath of a plosive."""
    voiced = float(rng.random() < 0.4) * 0.4
    kind = rng.choice(3, p=(0.4, 0.25, 0.35))
    if kind == 0:
        formants = [*SONORANTS.values()][rng.integers(len(SONORANTS))]
        yield Segment(seconds, rng.uniform(0.3, 0.7), 0.0, formants)
        return
    table = FRICATIVES if kind == 1 else PLOSIVES
    centre, width = [*table.values()][rng.integers(len(table))]
    band = (centre * rng.uniform(0.8, 1.2), width * rng.uniform(0.6, 1.5))
    if kind == 1:
        yield Segment(seconds, voiced, who.sibilance * rng.uniform(0.3, 1), band=band)
        return
    yield Segment(rng.uniform(0.035, 0.1), voiced / 3, band=band)
    yield Segment(rng.uniform(0.008, 0.025), voiced, who.sibilance * rng.uniform(0.5, 2), band=band)
    yield Segment(rng.uniform(0, 0.05) * (not voiced), 0.05, 0.15 * who.sibilance, band=band)


def _glottis(
    who: Speaker, tracks: dict[str, Floats], wave_time: Floats, rng: np.random.Generator
) -> Floats:
    """Return the derivative of the glottal flow; float64 [shape=(n_samples,)].

    The pulse is the polynomial of D. H. Klatt and L. C. Klatt (1990), ``t**2 - t**3`` of the open
    phase, to which breath is added.
    """
    shaking = np.exp(rng.normal(0, who.jitter, len(tracks["pitch"])))
    pitch = _resampled(who.pitch * 2 ** tracks["pitch"] * shaking, wave_time)
    phase = np.cumsum(np.maximum(pitch, 40) / audio.SAMPLE_RATE) % 1
    opening = np.minimum(phase / who.open_quotient, 1)
    pulse = 2 * opening - 3 * opening**2 + (opening == 1)
    breath = who.breath * rng.normal(size=len(phase)) * (0.3 + opening * (opening < 1))
    whispered = who.breath > 1
    voicing = _resampled(tracks["voicing"], wave_time)
    return np.asarray(voicing * (breath if whispered else pulse + breath))


def _hiss(
    who: Speaker, tracks: dict[str, Floats], wave_time: Floats, rng: np.random.Generator
) -> Floats:
    """Return the unfiltered noise of constrictions; float64 [shape=(n_samples,)]."""
    level = np.maximum(_resampled(tracks["hiss"], wave_time), 0)
    return np.asarray(level * rng.normal(size=len(wave_time)) * who.breath**0.1)


def tract_gain(who: Speaker, formants: Floats) -> Floats:
    """Return the gain of the vocal tract, a cascade of resonances.

    Parameters
    ----------
    who : Speaker
    formants : float64 [shape=(3, n_frames)], Hz

    Returns
    -------
    gain : float64 [shape=(1 + N_FFT // 2, n_frames)]
    """
    frequency = np.linspace(0, audio.SAMPLE_RATE / 2, 1 + N_FFT // 2)[:, None]
    higher = np.full((5, formants.shape[1]), [[3_500], [4_500], [5_500], [6_500], [7_500]])
    gain = np.ones((len(frequency), formants.shape[1]))
    for centre in np.concatenate([formants, higher]) * who.tract:
        width = who.bandwidth * (50 + centre / 25)
        nearness = (1 - (frequency / centre) ** 2) ** 2 + (frequency * width / centre**2) ** 2
        gain /= np.sqrt(nearness + 0.002)
    return gain


def _noise_band(band: Floats) -> Floats:
    """Return the gain of a constriction; band is centre and width [shape=(2, n_frames)], Hz."""
    frequency = np.linspace(0, audio.SAMPLE_RATE / 2, 1 + N_FFT // 2)[:, None]
    return np.asarray(1 / (1 + (2 * (frequency - band[0]) / band[1]) ** 2))


LANGUAGES = (
    "en-gb", "en-us", "en-gb-scotland", "en-029", "de", "fr-fr", "es", "es-419", "it", "pt",
    "pt-br", "nl", "sv", "da", "nb", "fi", "pl", "cs", "hu", "ro", "el", "tr", "ru", "hi", "id",
    "sw", "vi", "cmn",
)  # fmt: skip


VARIANTS = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "croak",
    "whisper", "klatt", "klatt2", "klatt3", "klatt4",
)  # fmt: skip


WORDS = (
    "about", "again", "always", "answer", "apple", "because", "before", "believe", "between",
    "bottle", "bring", "butter", "careful", "children", "city", "coffee", "colour", "corner",
    "could", "country", "dinner", "doctor", "door", "early", "enough", "evening", "every",
    "family", "father", "finger", "flower", "follow", "forest", "friend", "garden", "great",
    "happened", "hello", "house", "however", "hundred", "idea", "interesting", "island",
    "just", "kitchen", "language", "laughing", "letter", "listen", "little", "machine",
    "maybe", "meeting", "minute", "money", "morning", "mother", "mountain", "never",
    "nothing", "number", "office", "often", "open", "outside", "paper", "people", "perhaps",
    "picture", "please", "probably", "question", "quickly", "rather", "reading", "really",
    "remember", "river", "said", "school", "second", "should", "simple", "sister", "sleep",
    "small", "something", "sometimes", "station", "story", "street", "summer", "table",
    "telephone", "thank", "thirsty", "thought", "through", "today", "together", "tomorrow",
    "train", "under", "until", "village", "visit", "wait", "water", "weather", "window",
    "winter", "without", "wonderful", "world", "would", "writing", "yellow", "yesterday",
    "young", "zero",
)  # fmt: skip


def espeak_installed() -> bool:
    """Return whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


def espeak_speech(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return speech by espeak-ng, of one voice or of two at the same time.

    Raises
    ------
    EspeakMissingError
        If espeak-ng is not installed.
    """
    first = _espeak_talk(n_samples, rng)
    if rng.random() < 0.8:
        return first
    return mix(first, _espeak_talk(n_samples, rng), rng.uniform(0, 12))


def _espeak_talk(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return speech with pauses of a random voice and a random size of head."""
    voice = f"{rng.choice(LANGUAGES)}+{rng.choice(VARIANTS)}"
    speed, pitch, size = rng.integers(110, 240), rng.integers(5, 95), int(rng.integers(88, 114))
    pause = log_uniform(rng, 0.1, 1.2)
    pieces, length = [], 0
    while length < n_samples:
        speech = _espeak(voice, int(speed), int(pitch), _text(voice, rng))
        speech = resample_poly(speech, 100, size).astype(np.float32)
        silence = np.zeros(int(rng.gamma(2, pause / 2) * audio.SAMPLE_RATE), np.float32)
        pieces += [speech, silence]
        length += len(speech) + len(silence)
    return soft_clipped(np.concatenate(pieces)[:n_samples], rng.uniform(0, 6))


def _espeak(voice: str, speed: int, pitch: int, text: str) -> audio.Waveform:
    """Speak a text, with `speed` in words per minute and `pitch` of 0-99."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise EspeakMissingError("espeak-ng is not installed; this kind of speech needs it.")
    command = [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    file = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own words
    return audio.decode(file.stdout).waveform


def _text(voice: str, rng: np.random.Generator) -> str:
    """Return random words, invented words, or numbers."""
    count = int(rng.integers(4, 25))
    kind = rng.choice(3)
    if kind == 0 and voice.startswith("en"):
        words = [str(word) for word in rng.choice(WORDS, count)]
    elif kind == 1:
        words = ["".join(rng.choice([*"aeioubdfgklmnprstvz"], 2 + n % 4)) for n in range(count)]
        words = [f"{word[0]}a{word[1:]}e" for word in words]
    else:
        words = [str(rng.integers(10 ** int(rng.integers(1, 7)))) for _ in range(1 + count // 4)]
    stops = rng.choice(("", "", "", "", ",", ".", "?"), len(words))
    return " ".join(f"{word}{stop}" for word, stop in zip(words, stops, strict=True))
