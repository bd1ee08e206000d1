"""Alternatives to the code of the service, each as a multiple of the service's processor time.

A multiple above 1 costs more. An alternative is the code that one would write instead, or the
service's own code with one part replaced.
"""

import io
import statistics
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import av
import numpy as np
import onnx
import onnxruntime as ort
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from scipy.fft import rfft

from service import audio, model
from service.audio import blocks, decoding, spectrogram
from service.settings import MODELS
from tools.benchmarks.parts import libsndfile, milliseconds
from tools.reference import librosa_log_mel

SHIPPED = MODELS / "fifteen.onnx"
BATCH = 40  # windows, ten minutes


@dataclass(frozen=True)
class Tried:
    """An alternative.

    Attributes
    ----------
    what, instead_of : str
    times : float
        Its processor time as a multiple of the part's that it would replace.
    besides : str
        Its other effects.
    """

    what: str
    instead_of: str
    times: float
    besides: str = ""


def decoders(clips, repeats):
    """Yield alternatives for decoding, over clips by their format."""
    ours = {
        name: milliseconds(lambda d=data: audio.decode(d), repeats) for name, data in clips.items()
    }

    def replaced(part, value):
        with mock.patch.object(*part, value) if part else nullcontext():
            return statistics.mean(
                milliseconds(lambda d=data: audio.decode(d), repeats) / ours[name]
                for name, data in clips.items()
            )

    frames = decoding.frames

    def with_threads(container, stream, decoder, *others):
        decoder.thread_type = "AUTO"
        return frames(container, stream, decoder, *others)

    yield Tried(
        "as many decoder threads as FFmpeg chooses",
        "one thread",
        replaced((decoding, "frames"), with_threads),
    )
    yield Tried(
        "one frame of the codec at a time",
        "blocks of 1.4 s",
        replaced((blocks, "BLOCK_SAMPLES"), 1),
    )
    by_ffmpeg = statistics.mean(
        milliseconds(lambda d=data: resampled_by_ffmpeg(d), repeats) / ours[name]
        for name, data in clips.items()
    )
    yield Tried("down-mix and resampling by FFmpeg", "by NumPy and soxr", by_ffmpeg)
    if "mp3" in clips:
        own = milliseconds(lambda: through_libsndfile(clips["mp3"]), repeats) / ours["mp3"]
        yield Tried("MP3 by libsndfile", "by FFmpeg", own, "no M4A, no WebM")


def resampled_by_ffmpeg(data):
    """Decode to mono at the models' rate; float32 [shape=(n_samples,)]."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=audio.SAMPLE_RATE)
    with av.open(io.BytesIO(data)) as container:
        pieces = [
            done.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for done in resampler.resample(frame)
        ]
    return np.concatenate(pieces)


def through_libsndfile(data):
    """Decode to mono at the models' rate; float32 [shape=(n_samples,)]."""
    samples, rate = libsndfile(data)
    return soxr.resample(samples.mean(axis=1), rate, audio.SAMPLE_RATE)


def resamplers(repeats):
    """Yield other orders of the steps on two channels."""
    stereo = np.random.default_rng(0).normal(0, 0.1, (15 * 48_000, 2)).astype(np.float32)

    def rate(samples):
        return soxr.resample(samples, 48_000, audio.SAMPLE_RATE)

    late = milliseconds(lambda: rate(stereo).mean(axis=1), repeats)
    early = milliseconds(lambda: rate(stereo.mean(axis=1)), repeats)
    yield Tried("channels resampled, then averaged", "averaged, then resampled", late / early)


def spectrograms(window, repeats):
    """Yield alternatives for the spectrogram."""
    windows = window[None]
    ours = milliseconds(lambda: audio.log_mel(windows), repeats)

    def replaced(part, value):
        with mock.patch.object(spectrogram, part, value):
            return milliseconds(lambda: audio.log_mel(windows), repeats) / ours

    dense = audio.mel_filters().toarray()
    librosa = milliseconds(lambda: librosa_log_mel(window), repeats)
    yield Tried("librosa's spectrogram", "SciPy's FFT in float32", librosa / ours)
    yield Tried("NumPy's FFT", "SciPy's", replaced("rfft", np.fft.rfft))
    yield Tried(
        "mel bands by a dense matrix", "by a sparse matrix", replaced("mel_filters", lambda: dense)
    )
    frames = sliding_window_view(np.pad(window, audio.N_FFT // 2), audio.N_FFT)[:: audio.HOP].copy()
    many = np.tile(frames, (BATCH, 1))
    at_once = milliseconds(lambda: rfft(many), max(1, repeats // 4)) / BATCH
    yield Tried(
        "FFT of all frames of ten minutes in one call",
        "of one window in one call",
        at_once / milliseconds(lambda: rfft(frames), repeats),
    )


def networks(window, repeats):
    """Yield alternatives for running the network."""
    log_mel = audio.log_mel(window[None])
    loaded = model.load_models(MODELS)["fifteen"]
    ours = milliseconds(lambda: loaded.score(log_mel), repeats)
    shipped = loaded.score(log_mel).genres

    def tried(what, instead_of, session):
        def run():
            return session.run(model.OUTPUTS, {model.INPUT: log_mel})

        differs = np.abs(run()[0] - shipped).max()
        times = milliseconds(run, repeats) / ours
        return Tried(what, instead_of, times, f"largest difference of a probability: {differs:.1g}")

    plain = model._one_thread()
    plain.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    yield tried(
        "the graph as it was exported", "optimised by ONNX Runtime", _session(SHIPPED, plain)
    )
    with TemporaryDirectory() as folder:
        bare, small, half = (Path(folder) / f"{name}.onnx" for name in ("bare", "int8", "float16"))
        _fold(SHIPPED, bare)
        graph = onnx.load(bare)
        del graph.graph.value_info[:]  # both tools infer shapes and fail on those of weights
        onnx.save(graph, bare)
        quantize_dynamic(bare, small, weight_type=QuantType.QUInt8)
        onnx.save(convert_float_to_float16(graph, keep_io_types=True), half)
        yield tried("weights in int8", "float32", _session(small, model._one_thread()))
        yield tried("float16", "float32", _session(half, model._one_thread()))
    parallel = _session(SHIPPED, ort.SessionOptions())
    yield tried("as many threads as processors", "one thread", parallel)


def _fold(path, folded):
    """Write a model with its half-precision weights converted: both tools want plain weights."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    _session(path, options)


def _session(path, options):
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


IMPORT = """
import re, time
{first}
import service.app
from pathlib import Path
most = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(time.process_time(), int(most[1]) / 1024)
"""
LIBROSA = """
import librosa, numpy
librosa.feature.melspectrogram(y=numpy.zeros(22_050, "f"), sr=22_050)
"""


def imports(repeats):
    """Yield packages that the service could import."""
    ours, megabytes = imported("", repeats)
    theirs, more = imported(LIBROSA, repeats)
    yield Tried(
        "start-up with librosa imported", "start-up without it", theirs / ours,
        f"{more - megabytes:+.0f} MB",
    )  # fmt: skip


def imported(first, repeats):
    """Return the processor time until the service is imported, s, and its memory, MB; medians."""
    command = [sys.executable, "-c", IMPORT.format(first=first)]
    printed = [
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()
        for _ in range(repeats)
    ]
    return np.median(np.array(printed, dtype=float), axis=0)
