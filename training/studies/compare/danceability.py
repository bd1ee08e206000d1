"""Danceability as measured from the audio: the label that networks are trained on.

No listener has rated the corpus for danceability. The formula is fitted to two proxies: Spotify's
own value for a few tracks, and the share of Emotify's listeners who chose *joyful activation*.
`training.studies.danceability` fits the coefficients that `danceability` uses, and writes a report
on their reliability.

Definition
----------
The `DESCRIPTORS` are computed for each window of 15 s and averaged over the windows of a clip.
Those of the `FORMULA` are standardised by their median and quartiles over the corpus, limited to
`LIMIT` deviations, and added with positive weights. A logistic curve maps the sum to [0, 1]: 0.5 is
the median of the corpus and 0.95 its 95th percentile.

Conventions
-----------
* Every descriptor is a finite number, higher for more danceable music, and independent of gain:
  power is relative to the loudest point of the window.
* *Level* is in dB, from `-SPAN_DB` to 0. *Loudness* is power to the 0.3 (Stevens 1957), where a
  soft sound is less of an event. A *rise* of either is its growth within 23 ms.
* A *period* is the duration of one beat, in seconds. All `PERIODS` are within 1.2 octaves and are
  weighted by a smooth preference of tempo. The formula uses only the strength of the best period,
  which is continuous; `contrast` and `tempo`, which are not in the formula, use the period itself,
  which jumps.

Sources
-------
Beats that return: Scheirer, "Tempo and beat analysis of acoustic musical signals", JASA 1998.
Clarity of the pulse: Lartillot et al., "Multi-feature modeling of pulse clarity", ISMIR 2008.
Preferred tempo: Moelants, "Preferred tempo reconsidered", ICMPC 2002. Percussive share:
Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010. Fluctuation:
Streich and Herrera, "Detrended fluctuation analysis of music signals", AES 118, 2005. Beat
salience and low-frequency flux as what moves people: Burger et al., "Influences of rhythm- and
timbre-related musical features on characteristics of music-induced movement", Frontiers 2013.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter, uniform_filter1d

from service import audio
from training.data.lazy_librosa import librosa
from training.types import Flags, Floats

DESCRIPTORS = (
    "regularity",  # the pattern of half a bar to two bars returns
    "clarity",  # the beat itself returns
    "steadiness",  # three parts of a window have one rhythm
    "order",  # few modulation rates have most of the energy
    "contrast",  # onsets concentrate at one position in the beat
    "strength",  # mean rise of level at onsets, dB
    "drive",  # the same between 130 and 1600 Hz, dB
    "balance",  # drums above the body of voices and strings, dB
    "gaps",  # how far the upper bands fall between onsets, dB
    "percussive",  # share of short, broad-band sounds
    "density",  # onsets a second
    "tempo",  # closeness of the beat to the preferred tempo, octaves
    "evenness",  # loudness does not swell and fade, dB
    "dfa",  # Streich and Herrera's danceability
)
FORMULA = ("regularity", "clarity", "strength", "drive", "balance", "gaps")
LIMIT = 2.5  # standard deviations, so that no single descriptor decides

N_FFT, HOP = 1_024, 256  # 46 ms and 12 ms: finer in time than the models' input
FRAME_RATE = audio.SAMPLE_RATE / HOP  # 86 a second
F_MIN, F_MAX, N_BANDS = 30.0, 8_000.0, 40  # Hz; nearly every source has F_MAX
SPAN_DB = 60.0
LOUDNESS_EXPONENT = 0.3
RISE = 2  # frames between the levels that a rise compares, 23 ms
TREND = 87  # frames, 1 s: slower changes are not onsets
PREFERRED_PERIOD, PREFERENCE_OCTAVES = 0.52, 0.45  # s (115 bpm), standard deviation
PERIODS = np.geomspace(0.36, 0.80, 150)  # s, 167 to 75 bpm


COEFFICIENTS = Path(__file__).with_suffix(".json")


def describe(waveform: audio.Waveform) -> dict[str, float]:
    """Measure the `DESCRIPTORS` of a recording, averaged over its windows.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]

    Returns
    -------
    descriptors : dict
        One finite value for each of `DESCRIPTORS`.

    Raises
    ------
    service.audio.ClipTooShortError
        If the waveform lasts less than `service.audio.MIN_SECONDS`.
    """
    measured = np.mean([describe_window(window) for window in audio.windows(waveform)], axis=0)
    return dict(zip(DESCRIPTORS, map(float, measured), strict=True))


def danceability(waveform: audio.Waveform) -> float:
    """Return how danceable a recording is, in [0, 1]; raises as `describe`."""
    return fitted_formula().value(describe(waveform))


@dataclass(frozen=True)
class Term:
    """A term of the formula: ``weight * (descriptor - centre) / scale``."""

    weight: float
    centre: float
    scale: float


@dataclass(frozen=True)
class Formula:
    """Maps descriptors to danceability; the module's docstring defines it."""

    terms: dict[str, Term]
    centre: float
    scale: float

    def score(self, descriptors: dict[str, float]) -> float:
        """Return the weighted sum."""
        return sum(
            term.weight * min(max((descriptors[name] - term.centre) / term.scale, -LIMIT), LIMIT)
            for name, term in self.terms.items()
        )

    def value(self, descriptors: dict[str, float]) -> float:
        """Return danceability, in [0, 1]."""
        return float(1 / (1 + np.exp((self.centre - self.score(descriptors)) / self.scale)))


@cache
def fitted_formula() -> Formula:
    """Read the formula that the study fitted."""
    table = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    terms = {name: Term(**term) for name, term in table["terms"].items()}
    return Formula(terms, table["centre"], table["scale"])


def save(formula: Formula) -> None:
    """Save a formula for `danceability`."""
    COEFFICIENTS.write_text(json.dumps(asdict(formula), indent=2) + "\n", encoding="utf-8")
    fitted_formula.cache_clear()


def describe_window(window: audio.Waveform) -> Floats:
    """Measure one window; shape=(len(DESCRIPTORS),), in their order."""
    power = _power(window)
    level = 10 * np.log10(np.maximum(power, 10 ** (-SPAN_DB / 10)))
    rise = _rise(level)
    swell = _rise(power**LOUDNESS_EXPONENT)
    beats = np.stack([swell[group].mean(axis=0) for group in _groups()])
    returns = _autocorrelation(_onsets(beats, smoothing=0.7)).mean(axis=0)
    onsets = _onsets(rise.mean(axis=0), smoothing=1.5)
    beat = _comb(returns, (1, 2, 3, 4))
    period = float(PERIODS[beat.argmax()])
    values = {
        "regularity": _comb(returns, (2, 4, 6, 8)).max(),
        "clarity": beat.max(),
        "steadiness": _steadiness(onsets),
        "order": _order(onsets),
        "contrast": _contrast(rise.mean(axis=0), period),
        "strength": rise.mean(),
        "drive": rise[_bands(130, 1_600)].mean(),
        "balance": _peak(level) - _peak(level[_bands(130, 400)]),
        "gaps": _gaps(level[_bands(1_600, F_MAX)].mean(axis=0)),
        "percussive": _percussive(np.sqrt(power)),
        "density": _density(onsets),
        "tempo": -abs(np.log2(period / PREFERRED_PERIOD)),
        "evenness": -gaussian_filter1d(level.mean(axis=0), TREND / 2).std(),
        "dfa": _fluctuation(window),
    }
    return np.array([values[name] for name in DESCRIPTORS])


def _power(window: audio.Waveform) -> Floats:
    """Power in mel bands, the loudest point 1; all 0 for silence; shape=(N_BANDS, n_frames)."""
    spectrum = librosa.stft(window, n_fft=N_FFT, hop_length=HOP, pad_mode="constant")
    power = _mel_filters() @ np.square(np.abs(spectrum))
    loudest = float(power.max())
    if loudest < audio.QUIETEST_POWER:
        return np.zeros(power.shape)
    return np.asarray(power / loudest, dtype=np.float64)


@cache
def _mel_filters() -> NDArray[np.float32]:
    """Slaney's mel filters; shape=(N_BANDS, 1 + N_FFT // 2)."""
    filters: NDArray[np.float32] = librosa.filters.mel(
        sr=audio.SAMPLE_RATE, n_fft=N_FFT, n_mels=N_BANDS, fmin=F_MIN, fmax=F_MAX
    )
    return filters


@cache
def _bands(low: float, high: float) -> Flags:
    """Return which bands are centred within ``low <= f < high`` Hz; shape=(N_BANDS,)."""
    centres = librosa.mel_frequencies(N_BANDS + 2, fmin=F_MIN, fmax=F_MAX)[1:-1]
    return np.asarray((centres >= low) & (centres < high))


def _groups() -> tuple[Flags, ...]:
    """Return the bands in which beats are detected: bass and drum, snare and cymbal, all."""
    return _bands(0, 400), _bands(1_600, F_MAX), _bands(0, F_MAX)


def _rise(bands: Floats) -> Floats:
    """Half-wave rectified difference over `RISE` frames; shape=(n_bands, n_frames - RISE)."""
    return np.asarray(np.maximum(bands[:, RISE:] - bands[:, :-RISE], 0))


def _onsets(rise: Floats, smoothing: float) -> Floats:
    """Onset curves: rises smoothed by a deviation in frames, without their trend; same shape."""
    curves = gaussian_filter1d(rise, smoothing)
    return np.asarray(curves - uniform_filter1d(curves, TREND))


def _autocorrelation(curves: Floats) -> Floats:
    """Unbiased autocorrelation along time, 1 at lag 0; 0 for a flat curve; same shape."""
    centred = curves - curves.mean(axis=-1, keepdims=True)
    n = centred.shape[-1]
    power = np.square(np.abs(np.fft.rfft(centred, 2 * n)))
    products = np.fft.irfft(power)[..., :n] / (n - np.arange(n))
    energy = products[..., :1]
    return np.where(energy > 1e-9, products / np.maximum(energy, 1e-9), 0)


def _comb(returns: Floats, beats: Iterable[int]) -> Floats:
    """Mean autocorrelation some beats away, times the tempo's preference; shape of `PERIODS`."""
    lags = np.arange(len(returns)) / FRAME_RATE
    teeth = np.mean([np.interp(PERIODS * beat, lags, returns) for beat in beats], axis=0)
    octaves = np.log2(PERIODS / PREFERRED_PERIOD)
    return np.asarray(teeth * np.exp(-0.5 * np.square(octaves / PREFERENCE_OCTAVES)))


def _steadiness(onsets: Floats) -> float:
    """Mean correlation of the autocorrelations of three thirds, 0.27 to 2 s."""
    lags = slice(round(0.27 * FRAME_RATE), round(2 * FRAME_RATE))
    thirds = _autocorrelation(onsets[: len(onsets) // 3 * 3].reshape(3, -1))[:, lags]
    thirds = thirds - thirds.mean(axis=1, keepdims=True)
    thirds /= np.maximum(np.linalg.norm(thirds, axis=1, keepdims=True), 1e-9)
    return float((thirds @ thirds.T)[np.triu_indices(3, 1)].mean())


def _order(onsets: Floats) -> float:
    """One minus the entropy of modulation between 0.5 and 10 Hz, relative to a flat one."""
    power = np.square(np.abs(np.fft.rfft(onsets * np.hanning(len(onsets)))))
    rates = np.fft.rfftfreq(len(onsets), 1 / FRAME_RATE)
    shares = power[(rates > 0.5) & (rates < 10)] + 1e-12
    shares /= shares.sum()
    return float(1 + (shares * np.log(shares)).sum() / np.log(len(shares)))


def _contrast(rise: Floats, period: float) -> float:
    """Mean rise in the fullest of sixteen parts of the beat, against all of them; at least 1."""
    parts = (np.arange(len(rise)) / FRAME_RATE / period % 1 * 16).astype(int)
    beat = np.bincount(parts, rise, 16) / np.bincount(parts, minlength=16)
    return float(beat.max() / beat.mean()) if beat.mean() > 1e-9 else 1.0


def _peak(level: Floats) -> float:
    """Level that the mean of the bands exceeds 5 % of the time, dB."""
    return float(np.percentile(level.mean(axis=0), 95))


def _gaps(level: Floats) -> float:
    """Difference between the median and the 10th percentile of the level, dB."""
    low, middle = np.percentile(level, [10, 50])
    return float(middle - low)


def _percussive(magnitude: Floats) -> float:
    """Share of what a median over bands passes and one over time removes; 0 for silence."""
    harmonic = np.square(median_filter(magnitude, (1, 17)))
    percussive = np.square(median_filter(magnitude, (7, 1)))
    mask = percussive / (percussive + harmonic + 1e-12)
    return float((magnitude * mask).sum() / max(magnitude.sum(), 1e-9))


def _density(onsets: Floats) -> float:
    """Peaks above one standard deviation, a second."""
    peaks = (maximum_filter1d(onsets, 9) == onsets) & (onsets > max(onsets.std(), 1e-9))
    return float(peaks.sum() * FRAME_RATE / len(onsets))


def _fluctuation(window: audio.Waveform) -> float:
    """Inverse of the exponent with which loudness fluctuates over 0.31 to 8.8 s.

    The cumulative sum of the deviations of 10 ms blocks is compared with straight lines: the
    residual grows as a power of their length, with a low exponent if loudness is periodic.
    """
    block = audio.SAMPLE_RATE // 100
    deviation = window[: len(window) // block * block].reshape(-1, block).std(axis=1)
    if deviation.max() < np.sqrt(audio.QUIETEST_POWER):
        return 0.0
    walk = np.cumsum(deviation / deviation.mean() - 1)
    lengths = np.unique(np.geomspace(31, 880, 35).astype(int))
    slope = np.polyfit(np.log(lengths), [np.log(_residual(walk, n)) for n in lengths], 1)[0]
    return float(1 / max(slope, 0.25))


def _residual(walk: Floats, length: int) -> float:
    """Root mean square residual of a walk from straight lines of a length."""
    starts = np.arange(0, len(walk) - length + 1, max(length // 4, 1))
    pieces = walk[starts[:, None] + np.arange(length)]
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    time = np.arange(length) - (length - 1) / 2
    slopes = pieces @ time / (time @ time)
    squares = np.square(pieces).mean(axis=1) - np.square(slopes) * (time @ time) / length
    return float(np.sqrt(max(squares.mean(), 1e-12)))
