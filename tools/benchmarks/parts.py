"""The best known time of each part of an analysis; their sum is a lower bound for the whole."""

import io
import itertools
import statistics
import time

import av
import numpy as np
import soundfile
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import rfft

from service import audio
from service.model import load_models
from service.settings import MODELS

LIBSNDFILE = ("wav", "aiff", "flac", "mp3", "ogg")  # containers that libsndfile reads


def best_known(data, repeats):
    """Return the least processor time of the parts of one analysis, ms; the median of some tries.

    Decoding by FFmpeg or, where it reads the format, by libsndfile, whichever is faster; soxr in
    one call; a real FFT of each frame; ONNX Runtime.
    """
    recording = audio.decode(data)
    window = audio.windows(recording.waveform)[0]
    frames = sliding_window_view(np.pad(window, audio.N_FFT // 2), audio.N_FFT)[:: audio.HOP].copy()
    spectrograms = audio.log_mel(window[None])
    model = load_models(MODELS)["fifteen"]
    mono = np.resize(window, audio.WINDOW_SECONDS * recording.sample_rate)
    decoders = [ffmpeg, libsndfile] if recording.container in LIBSNDFILE else [ffmpeg]
    decode = min(milliseconds(lambda decoder=each: decoder(data), repeats) for each in decoders)
    return (
        decode
        + milliseconds(
            lambda: soxr.resample(mono, recording.sample_rate, audio.SAMPLE_RATE), repeats
        )
        + milliseconds(lambda: rfft(frames), repeats)
        + milliseconds(lambda: model.score(spectrograms), repeats)
    )


def ffmpeg(data):
    """Decode, and ignore the result."""
    with av.open(io.BytesIO(data)) as container:
        for _ in container.decode(audio=0):
            pass


def libsndfile(data):
    """Decode to an array [shape=(n_samples, n_channels)], and return it with its sample rate."""
    return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)


def milliseconds(work, repeats, clock=time.process_time):
    """Return the median time of some calls, after a first one that loads code."""
    work()
    marks = [clock()]
    for _ in range(repeats):
        work()
        marks.append(clock())
    return 1_000 * statistics.median(end - start for start, end in itertools.pairwise(marks))
