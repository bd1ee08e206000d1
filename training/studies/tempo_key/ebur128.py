"""FFmpeg's own measure of loudness, the reference."""

import gc
import io
import re
from fractions import Fraction

import av
import av.filter
import av.logging
import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
_LOUDNESS = re.compile(r"I:\s+(\S+) LUFS")
_PEAK = re.compile(r"Peak:\s+(\S+) dBFS")


def ebur128(planes: NDArray[np.float32], rate: int) -> tuple[float, float]:
    """Return integrated loudness and true peak by FFmpeg's filter ``ebur128``, to a tenth.

    Parameters
    ----------
    planes : float32 [shape=(n_channels, n_samples)]
    rate : int
        Hz.

    Returns
    -------
    lufs, dbtp : float
    """
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    with av.logging.Capture(local=False) as logs:
        _run(planes, rate)
        gc.collect()  # the filter logs its summary when it is freed
    av.logging.set_level(before)
    text = "".join(message for _, _, message in logs)
    summary = text[text.rindex("Summary:") :]
    found = [pattern.search(summary) for pattern in (_LOUDNESS, _PEAK)]
    lufs, peak = (float(match[1]) if match else np.nan for match in found)
    return lufs, peak


def _run(planes: NDArray[np.float32], rate: int) -> None:
    graph = av.filter.Graph()
    layout = LAYOUTS[len(planes)]
    source = graph.add_abuffer(
        sample_rate=rate, format="fltp", layout=layout, time_base=Fraction(1, rate)
    )
    meter = graph.add("ebur128", "peak=true:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    step = rate // 10
    for start in range(0, planes.shape[1], step):
        piece = np.ascontiguousarray(planes[:, start : start + step])
        frame = av.AudioFrame.from_ndarray(piece, "fltp", layout)
        frame.sample_rate, frame.pts = rate, start
        graph.push(frame)
        try:
            while True:
                graph.pull()
        except (av.BlockingIOError, av.EOFError):
            continue


def wav(planes: NDArray[np.float32], rate: int) -> bytes:
    """Return a WAV of floats."""
    file = io.BytesIO()
    wavfile.write(file, rate, planes.T)
    return file.getvalue()
