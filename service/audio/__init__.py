"""Audio front-end: encoded recording -> waveform -> windows -> log-mel spectrograms.

The one definition of what the models hear. `training` and the rest of `service` import it;
nothing else in the project decodes, resamples or transforms a recording. It needs NumPy, SciPy,
PyAV and soxr, and never torch, FastAPI or ONNX Runtime.

Spectrograms are those of `librosa.feature.melspectrogram` in decibels, which a test holds them to;
docs/PERFORMANCE.md has what librosa itself would cost here, in time, in memory and at every start.

Conventions
-----------
* A *waveform* is mono float32, full scale [-1, 1], at `SAMPLE_RATE`.
* A *window* is a waveform of exactly `N_SAMPLES` samples: the models' unit of input.
* A *frame* is one column of a spectrogram, a *mel band* one row.
* Time is in seconds, frequency in hertz, level in decibels.
"""

import ctypes
import io
import math
import sys
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from time import monotonic
from typing import Any, BinaryIO, ClassVar

import av
import numpy as np
import soxr
from av.audio.plane import AudioPlane
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.sparse import csr_array

SAMPLE_RATE = 22_050  # Hz
WINDOW_SECONDS = 15
MIN_SECONDS = 3  # a shorter recording is refused, a shorter remainder is left out
MAX_SECONDS = 600  # decoding stops here unless told otherwise: 21 MiB of Opus can hold ten hours
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz, of an encoded recording
MAX_CHANNELS = 8
MAX_STREAMS = 64  # films have a dozen; a megabyte of MP4 can hold hundreds, each with its decoder
MAX_DAMAGED = 10_000  # packets without sound: a small file can hold millions, a minute's work
MAX_ALLOCATION = 2**27  # bytes that FFmpeg may ask for at once; some files of 33 bytes ask for 2 GB

CHECK_SECONDS = 0.02  # between calls of `Bounds.check`
PLANAR = "p"  # ends FFmpeg's name of samples whose channels lie apart, not interleaved
BLOCK_SAMPLES = 2**16  # of each channel, that are averaged and resampled at a time
BLOCK_FRAMES = 2**11  # of a codec, that wait for it: a frame of one sample holds a kilobyte

N_FFT = 2_048  # samples, 93 ms
HOP = 735  # samples: 30 frames a second exactly
N_MELS = 128
F_MIN, F_MAX = 20.0, 11_000.0  # Hz; phones and 32 kbit/s codecs keep little above
SPAN_DB = 80.0  # the loudest point of a window is 0 dB, what is SPAN_DB below is floor
QUIETEST_POWER = 1e-10  # power of a mel band below which nothing is heard
KNEE_HZ, HZ_PER_MEL = 1_000.0, 200 / 3  # of the mel scale: linear below
MEL_STEP = math.log(6.4) / 27  # of the logarithm of frequency, above

N_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE  # 330 750
N_FRAMES = 1 + N_SAMPLES // HOP  # 451: frames are centred, the first on 0 s, the last on 15 s

SKEW_TOLERANCE = 0.01  # dB between two front-ends that count as one
FULL_SCALE = 0.999  # a sample of this magnitude is as loud as a recorder can tell
SILENT_DBFS = -120.0  # the level reported for digital silence
FULLEST_SAMPLE = 2.0**16  # float files may pass full scale, even hold 16-bit integers; not more

FORMATS = {
    "wav": "wav",
    "aiff": "aiff",
    "flac": "flac",
    "mp3": "mp3",
    "ogg": "ogg",
    "matroska,webm": "webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "aac": "adts",
}
"""FFmpeg's demuxers that may open an upload, and the container names published for them.

A closed list: among the others are playlists, which would have the server fetch addresses and
files that the sender names.
"""


def _decoders_of_sound() -> Iterator[str]:
    """Name FFmpeg's decoders of sound."""
    for name in sorted(av.codec.codecs_available):
        try:
            codec = av.Codec(name, "r")
        except av.codec.codec.UnknownCodecError:  # it only encodes
            continue
        if codec.type == "audio":
            yield codec.name


OPENING = {
    "format_whitelist": ",".join(FORMATS),
    "codec_whitelist": ",".join(_decoders_of_sound()),
    "max_streams": str(MAX_STREAMS),
}
"""What FFmpeg is told when it opens an upload.

Opening decodes some of every stream to learn what it is, and nothing bounds that: a cover of 2 MB
may be a PNG of 200 megapixels. Only decoders of sound may do so.
"""

SAMPLE_TYPES = {
    name + layout: np.dtype(numpys)
    for name, numpys in (("u8", "u1"), ("s16", "i2"), ("s32", "i4"), ("flt", "f4"), ("dbl", "f8"))
    for layout in ("", PLANAR)
}
"""By FFmpeg's names of the samples that are read, what NumPy calls them."""


def _bound_allocations() -> None:
    """Have FFmpeg refuse what asks for more than `MAX_ALLOCATION` at once, in this process.

    PyAV has no call for it; its extension knows the library that does.
    """
    if sys.platform != "win32":  # where an extension does not tell of the libraries it uses
        ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION))


_bound_allocations()

Waveform = NDArray[np.float32]
Windows = NDArray[np.float32]
Spectrograms = NDArray[np.float32]
_Plane = NDArray[Any]


class AudioError(ValueError):
    """The recording cannot be analysed. The message is written for the person who sent it.

    Attributes
    ----------
    slug : str
        The problem's stable name for programs.
    """

    slug: ClassVar[str] = "not-audio"


class NotAudioError(AudioError):
    """The bytes are no audio that can be decoded."""


class NoAudioStreamError(AudioError):
    """The container is fine and holds no sound: a silent video, a picture."""

    slug = "no-audio-stream"


class UnsupportedAudioError(AudioError):
    """The sound has a sample rate, channels or samples outside the limits."""

    slug = "unsupported-audio"


class ClipTooShortError(AudioError):
    """The recording lasts less than `MIN_SECONDS`."""

    slug = "clip-too-short"


class DecodeTimeoutError(AudioError):
    """Decoding takes longer than it may."""

    slug = "decode-timeout"


@dataclass(frozen=True)
class Bounds:
    """What decoding may take.

    Attributes
    ----------
    max_seconds : float
        Of sound: what follows is left out.
    decode_seconds : float
        Of time: a recording that takes longer is refused.
    check : callable
        Called now and then between the packets of a recording. What it raises ends decoding.
    """

    max_seconds: float = MAX_SECONDS
    decode_seconds: float = math.inf
    check: Callable[[], None] = lambda: None


UNBOUNDED = Bounds()
"""Any time, and `MAX_SECONDS` of sound."""


@dataclass(frozen=True)
class Recording:
    """A decoded upload.

    Attributes
    ----------
    waveform : float32 [shape=(n_samples,)]
    container : str
        One of the values of `FORMATS`.
    codec : str
        FFmpeg's name of the codec: ``aac``, ``opus``, ``pcm_s16le``.
    sample_rate : int
        Hz, as encoded.
    channels : int
        As encoded.
    duration_seconds : float
        Of what was decoded, counted in samples: a container's own word is never trusted.
    truncated : bool
        Whether the recording went on after `Bounds.max_seconds`.
    at_full_scale : float
        Share of the samples, of any channel, whose magnitude is `FULL_SCALE` or more.
    """

    waveform: Waveform
    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_seconds: float
    truncated: bool
    at_full_scale: float


def decode(data: bytes | BinaryIO, bounds: Bounds = UNBOUNDED) -> Recording:
    """Decode an encoded file, down-mixed to mono and resampled.

    Channels are averaged, so a mono file and its duplicated-stereo copy decode alike. Damaged
    packets are left out, and a file that breaks off ends there.

    Parameters
    ----------
    data : bytes or file
        A whole file in one of `FORMATS`; of an open one, only what is needed is read.
    bounds : Bounds

    Returns
    -------
    recording : Recording
        At most `Bounds.max_seconds` long.

    Raises
    ------
    NotAudioError
        If the bytes are of no accepted format, or nothing in them can be decoded.
    NoAudioStreamError
        If the container holds no audio stream.
    UnsupportedAudioError
        If there are more than `MAX_CHANNELS` channels, the sample rate is not within
        `MIN_RATE` and `MAX_RATE`, or the samples are 64-bit integers.
    DecodeTimeoutError
        If it takes longer than `Bounds.decode_seconds`.
    """
    try:
        with av.open(
            io.BytesIO(data) if isinstance(data, bytes) else data,
            mode="r",
            container_options=OPENING,
            metadata_errors="ignore",
        ) as container:
            stream = container.streams.best("audio")
            if not isinstance(stream, av.AudioStream):
                raise NoAudioStreamError("This file holds no sound, only other streams.")
            if stream.codec_context is None:  # PyAV, asked to decode it, ends the process
                raise NotAudioError("No decoder here knows the sound in this file.")
            return _read(container, stream, bounds)
    except av.FFmpegError as error:
        raise NotAudioError("This is not audio we can read.") from error


def _read(
    container: av.container.InputContainer, stream: av.AudioStream, bounds: Bounds
) -> Recording:
    """Decode a stream up to `Bounds.max_seconds`."""
    pieces: list[Waveform] = []
    first: _Block | None = None
    seconds = Fraction(0)  # exact: a recording of just the longest is not cut short
    loud, samples = 0, 0
    resampler = _Resampler()
    for block in _blocks(_frames(container, stream, bounds)):
        first = first or block
        loud += _at_full_scale(block.planes)
        samples += block.planes.size
        pieces.append(resampler.push(_mono(block.planes), block.sample_rate))
        seconds += Fraction(block.planes.shape[1], block.sample_rate)
        if seconds > bounds.max_seconds:
            break
    if first is None:
        raise NotAudioError("Nothing in this file can be decoded as audio.")
    pieces.append(resampler.flush())
    return Recording(
        waveform=np.concatenate(pieces)[: round(bounds.max_seconds * SAMPLE_RATE)],
        container=FORMATS[container.format.name],
        codec=stream.codec_context.codec.canonical_name,
        sample_rate=first.sample_rate,
        channels=len(first.planes),
        duration_seconds=min(float(seconds), bounds.max_seconds),
        truncated=seconds > bounds.max_seconds,
        at_full_scale=loud / max(samples, 1),
    )


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream, bounds: Bounds
) -> Iterator[av.AudioFrame]:
    """Yield what can be decoded, in order, up to `MAX_DAMAGED` packets that cannot."""
    packets = container.demux(stream)
    now = check_at = monotonic()
    deadline = now + bounds.decode_seconds
    damaged = 0
    while damaged < MAX_DAMAGED:
        if now >= check_at:
            bounds.check()
            check_at = now + CHECK_SECONDS
        if now > deadline:
            raise DecodeTimeoutError(
                f"Decoding this takes longer than {bounds.decode_seconds:g} s; send less of it."
            )
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = []
        damaged += not frames
        yield from frames
        now = monotonic()


@dataclass(frozen=True)
class _Block:
    """Some frames of one kind, as they are coded; planes are [shape=(n_channels, n_samples)]."""

    planes: NDArray[Any]
    sample_rate: int


def _blocks(frames: Iterable[av.AudioFrame]) -> Iterator[_Block]:
    """Join frames that follow one another: a call for each costs more than what it does.

    PyAV's own queue of frames will not do: its frames share the memory of a channel order that a
    file describes itself, and each of them frees it.
    """
    waiting: list[list[_Plane]] = []
    kind, samples = (0, 0, ""), 0
    for frame in frames:
        its = frame.sample_rate, frame.layout.nb_channels, frame.format.name
        if its != kind:
            _check(*its)
            yield from _joined(waiting, *kind)
            waiting, kind, samples = [], its, 0
        waiting.append(_planes(frame, *kind[1:]))
        samples += frame.samples
        if samples >= BLOCK_SAMPLES or len(waiting) == BLOCK_FRAMES:
            yield from _joined(waiting, *kind)
            waiting, samples = [], 0
    yield from _joined(waiting, *kind)


def _joined(
    waiting: list[list[_Plane]], rate: int, channels: int, sample_format: str
) -> Iterator[_Block]:
    """Join the planes of frames of one kind, if there are any."""
    if not waiting:
        return
    planes = [np.concatenate(each) for each in zip(*waiting, strict=True)]
    if sample_format.endswith(PLANAR):
        yield _Block(np.stack(planes), rate)
    else:
        yield _Block(planes[0].reshape(-1, channels).T, rate)


def _check(rate: int, channels: int, sample_format: str) -> None:
    """Refuse frames outside the published limits."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnsupportedAudioError(
            f"The sample rate is {rate} Hz; send {MIN_RATE} to {MAX_RATE} Hz."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudioError(f"There are {channels} channels; send 1 to {MAX_CHANNELS}.")
    if sample_format not in SAMPLE_TYPES:
        raise UnsupportedAudioError("The samples are 64-bit integers; send 32 bits or fewer.")


def _planes(frame: av.AudioFrame, channels: int, sample_format: str) -> list[_Plane]:
    """Return a frame's samples as they are coded: each channel's, or all of them interleaved.

    Planes are read one by one: PyAV, asked for all, looks for a ninth after eight, which ends the
    process.
    """
    dtype, samples = SAMPLE_TYPES[sample_format], frame.samples
    if sample_format.endswith(PLANAR):
        planes: list[Any] = [AudioPlane(frame, channel) for channel in range(channels)]
        return [np.frombuffer(plane, dtype, samples) for plane in planes]
    interleaved: Any = AudioPlane(frame, 0)
    return [np.frombuffer(interleaved, dtype, samples * channels)]


def _scale(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the middle of what integers of a type can say, and half their range."""
    return 128.0 if dtype == np.uint8 else 0.0, 2.0 ** (8 * dtype.itemsize - 1)


def _mono(planes: NDArray[Any]) -> Waveform:
    """Average channels, at their own sample rate.

    Returns
    -------
    block : float32 [shape=(n_samples,)]
        Finite: what is not a number is silence, and overs end at `FULLEST_SAMPLE`.
    """
    if np.issubdtype(planes.dtype, np.integer):
        middle, half_range = _scale(planes.dtype)
        return np.asarray((planes.mean(axis=0) - middle) / half_range, dtype=np.float32)
    if not -FULLEST_SAMPLE <= planes.min(initial=0) <= planes.max(initial=0) <= FULLEST_SAMPLE:
        planes = np.nan_to_num(planes, nan=0.0).clip(-FULLEST_SAMPLE, FULLEST_SAMPLE)
    return np.asarray(planes.mean(axis=0), dtype=np.float32)


def _at_full_scale(planes: NDArray[Any]) -> int:
    """Count the samples whose magnitude is `FULL_SCALE` or more."""
    middle, half_range = (
        _scale(planes.dtype) if np.issubdtype(planes.dtype, np.integer) else (0.0, 1.0)
    )
    reach = FULL_SCALE * half_range
    return int(np.count_nonzero((planes >= middle + reach) | (planes <= middle - reach)))


class _Resampler:
    """Brings blocks of any rate to `SAMPLE_RATE`; the rate may change midway, as in joined MP3s.

    Streaming, so that ten minutes of 192 kHz never lie in memory at that rate.
    """

    def __init__(self) -> None:
        self._rate = 0
        self._stream: soxr.ResampleStream | None = None

    def push(self, block: Waveform, rate: int) -> Waveform:
        """Take a block at `rate` Hz and return what is ready, possibly nothing."""
        ready: list[Waveform] = []
        if self._stream is None or rate != self._rate:
            ready.append(self.flush())
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
            self._rate = rate
        ready.append(self._stream.resample_chunk(block))
        return np.concatenate(ready)

    def flush(self) -> Waveform:
        """Return what the resampler still holds."""
        if self._stream is None:
            return np.empty(0, np.float32)
        tail: Waveform = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        self._stream = None
        return tail


def window_starts(n_samples: int) -> list[int]:
    """Say where the windows of a waveform begin.

    Windows follow one another without overlap. A remainder of `MIN_SECONDS` or more has a window
    of its own, moved back so that it ends with the waveform; a shorter one is left out.

    Parameters
    ----------
    n_samples : int
        Length of the waveform.

    Returns
    -------
    starts : list of int
        In samples. ``[0]`` for a waveform shorter than a window.

    Raises
    ------
    ClipTooShortError
        If the waveform lasts less than `MIN_SECONDS`.

    Examples
    --------
    >>> window_starts(16 * SAMPLE_RATE), window_starts(20 * SAMPLE_RATE)
    ([0], [0, 110250])
    """
    if n_samples < MIN_SECONDS * SAMPLE_RATE:
        raise ClipTooShortError(
            f"Send at least {MIN_SECONDS} s of audio; this is {n_samples / SAMPLE_RATE:.1f} s."
        )
    starts = list(range(0, n_samples - N_SAMPLES + 1, N_SAMPLES)) or [0]
    remainder = n_samples - (starts[-1] + N_SAMPLES)
    if remainder >= MIN_SECONDS * SAMPLE_RATE:
        starts.append(n_samples - N_SAMPLES)
    return starts


def analysed_seconds(n_samples: int) -> float:
    """Return how much of a waveform lies under its windows; raises as `window_starts`."""
    return min(n_samples, window_starts(n_samples)[-1] + N_SAMPLES) / SAMPLE_RATE


def windows(waveform: Waveform) -> Windows:
    """Cut a waveform into windows; one shorter than a window is repeated until it fills one.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]

    Returns
    -------
    windows : float32 [shape=(n_windows, N_SAMPLES)]
        Beginning where `window_starts` says.

    Raises
    ------
    ClipTooShortError
        If the waveform lasts less than `MIN_SECONDS`.
    """
    starts = window_starts(len(waveform))
    if len(waveform) < N_SAMPLES:
        return np.resize(waveform, (1, N_SAMPLES))  # numpy.resize repeats what it is given
    return np.stack([waveform[start : start + N_SAMPLES] for start in starts])


def log_mel(windows: Windows) -> Spectrograms:
    """Log-mel power spectrograms of windows: the models' input.

    Frame ``t`` is centred on ``t * HOP / SAMPLE_RATE`` seconds; the edges are zero-padded. Every
    window is levelled by its own loudest point, so the gain of a microphone has no part in it.

    Parameters
    ----------
    windows : float32 [shape=(n_windows, N_SAMPLES)]

    Returns
    -------
    spectrograms : float32 [shape=(n_windows, N_MELS, N_FRAMES)], dB in [-SPAN_DB, 0]
        ``-SPAN_DB`` throughout for digital silence.
    """
    power = np.stack([_mel_filters() @ _power(window) for window in windows])
    level = 10 * np.log10(np.maximum(power, QUIETEST_POWER))
    quietest = 10 * math.log10(QUIETEST_POWER)
    peak = np.maximum(level.max(axis=(-2, -1), keepdims=True), quietest + SPAN_DB)
    return np.asarray(np.maximum(level - peak, -SPAN_DB), dtype=np.float32)


def _power(window: Waveform) -> NDArray[np.float32]:
    """Power of the short-time Fourier transform; shape=(1 + N_FFT // 2, N_FRAMES)."""
    frames = sliding_window_view(np.pad(window, N_FFT // 2), N_FFT)[::HOP]
    spectrum = rfft(frames * _hann())
    return np.asarray((np.square(spectrum.real) + np.square(spectrum.imag)).T)


def _hann() -> NDArray[np.float32]:
    """Hann's window, periodic; shape=(N_FFT,)."""
    return np.hanning(N_FFT + 1)[:-1].astype(np.float32)


@cache
def _mel_filters() -> csr_array:
    """Triangles of equal area; float32 [shape=(N_MELS, 1 + N_FFT // 2)].

    Sparse, since nearly all is zero; and a dense product is BLAS's, whose threads burn a processor
    each while they wait for the next one.
    """
    edges = mel_edges()[:, None]
    bins = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return csr_array(triangles.astype(np.float32))


def mel_edges() -> NDArray[np.float64]:
    """Return where mel bands begin, peak and end.

    They are even on the mel scale of Slaney's Auditory Toolbox (1998), which is linear up to 1 kHz
    and logarithmic above.

    Returns
    -------
    edges : float64 [shape=(N_MELS + 2,)], Hz
        Band ``i`` begins at ``edges[i]``, peaks at ``edges[i + 1]`` and ends at ``edges[i + 2]``.
    """
    mels = np.linspace(_mel(F_MIN), _mel(F_MAX), N_MELS + 2)
    bent = KNEE_HZ * np.exp((mels - KNEE_HZ / HZ_PER_MEL) * MEL_STEP)
    return np.asarray(np.where(mels * HZ_PER_MEL < KNEE_HZ, mels * HZ_PER_MEL, bent))


def _mel(hertz: float) -> float:
    """Return where a frequency is on the mel scale."""
    if hertz < KNEE_HZ:
        return hertz / HZ_PER_MEL
    return KNEE_HZ / HZ_PER_MEL + math.log(hertz / KNEE_HZ) / MEL_STEP


def levels(waveform: Waveform) -> tuple[float, float]:
    """Return the peak and the RMS level of a waveform, dBFS, at least `SILENT_DBFS`.

    0 dBFS is a sample of magnitude 1 for the peak, and a square wave of it for the RMS.
    """
    peak = float(np.abs(waveform).max(initial=0))
    rms = float(np.sqrt(np.square(waveform, dtype=np.float64).mean()))
    quietest = 10 ** (SILENT_DBFS / 20)
    return (
        20 * float(np.log10(max(peak, quietest))),
        20 * float(np.log10(max(rms, quietest))),
    )


def front_end() -> dict[str, float]:
    """Return every number that shapes a spectrogram, for a model file's metadata."""
    return {
        "sample_rate": SAMPLE_RATE,
        "window_seconds": WINDOW_SECONDS,
        "n_fft": N_FFT,
        "hop": HOP,
        "n_mels": N_MELS,
        "n_frames": N_FRAMES,
        "f_min": F_MIN,
        "f_max": F_MAX,
        "span_db": SPAN_DB,
    }


def reference_windows() -> Windows:
    """Decode and cut a fixed recording, by which front-ends and models are told apart.

    It is a 10 s stereo WAV at 44.1 kHz: a 55 Hz pulse train between two silences, on one channel.
    It passes through decoding, averaging, resampling and the rule for short clips, and its
    spectrogram reaches every band, the floor and both edges of a sound.

    Returns
    -------
    windows : float32 [shape=(1, N_SAMPLES)]
    """
    rate = 44_100
    pcm = np.zeros((10 * rate, 2), dtype="<i2")
    pcm[3 * rate : 8 * rate : rate // 55, 0] = 2**14
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(pcm.tobytes())
    return windows(decode(file.getvalue()).waveform)


def signature() -> NDArray[np.float32]:
    """Return what this front-end makes of a fixed recording, to tell two front-ends apart.

    `training.release` writes it into the model file; `service.model` compares it with its own
    before serving, and `training.data` with that of cached spectrograms before using them.

    Returns
    -------
    levels : float32 [shape=(N_MELS,)], dB
        The mean level of each mel band over `reference_windows`.
    """
    return np.asarray(log_mel(reference_windows())[0].mean(axis=1))


def skew(other: Iterable[float]) -> float:
    """Return how far another front-end's signature is from this one's: the largest difference, dB.

    Infinite if it has another number of mel bands.
    """
    theirs = np.asarray(list(other), dtype=np.float32)
    ours = signature()
    return float(np.abs(ours - theirs).max()) if theirs.shape == ours.shape else float("inf")
