"""Files with several audio streams: the stream that holds the sound is decoded."""

import io

import av
import numpy as np
import pytest

from service import audio
from tools import signals

RATE = 48_000
MUXERS = {"matroska": "aac", "mp4": "aac", "mpegts": "mp2", "asf": "mp2", "avi": "mp2"}


def with_streams(muxer, waveforms, codec=None, picture=False):
    """Return a file with a stream per waveform, after a video stream if `picture` is true."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        if picture:
            video = container.add_stream("mpeg4", rate=5, width=64, height=64, pix_fmt="yuv420p")
        streams = [
            container.add_stream(codec or MUXERS[muxer], rate=RATE, layout="mono")
            for _ in waveforms
        ]
        if picture:
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), "rgb24")
            frame.pts = 0
            container.mux([*video.encode(frame), *video.encode(None)])
        for start in range(0, len(waveforms[0]), 1_024):
            for stream, waveform in zip(streams, waveforms, strict=True):
                pcm = (waveform[start : start + 1_024] * 32_767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(pcm, "s16", "mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture(scope="module")
def groove():
    return signals.groove(5, RATE)


def level(data):
    return audio.decode(data).rms_dbfs


@pytest.mark.parametrize("muxer", MUXERS)
@pytest.mark.parametrize("place", [1, 2])
def test_the_sound_may_be_in_a_later_stream(groove, muxer, place):
    waveforms = [np.zeros_like(groove)] * 3
    waveforms[place] = groove
    assert level(with_streams(muxer, waveforms)) == pytest.approx(audio.levels(groove)[1], abs=1)


@pytest.mark.parametrize("muxer", MUXERS)
def test_the_usual_stream_is_used_if_it_holds_sound(groove, muxer):
    found = level(with_streams(muxer, [0.3 * groove, groove]))
    assert found == pytest.approx(audio.levels(0.3 * groove)[1], abs=1)


@pytest.mark.parametrize("muxer", ["matroska", "mp4", "avi"])
def test_the_first_stream_may_be_pictures(groove, muxer):
    """The film is so short that its audio streams end while they are compared."""
    data = with_streams(muxer, [np.zeros_like(groove), groove], picture=True)
    assert level(data) == pytest.approx(audio.levels(groove)[1], abs=1)


def test_a_nearly_silent_stream_is_skipped(groove):
    hiss = 0.001 * np.random.default_rng(0).normal(0, 1, len(groove))
    found = level(with_streams("matroska", [hiss, groove]))
    assert found == pytest.approx(audio.levels(groove)[1], abs=1)


def test_all_streams_may_be_silent(groove):
    silent = np.zeros_like(groove)
    assert audio.decode(with_streams("matroska", [silent, silent])).peak_dbfs < -60


def test_the_sound_may_begin_late(groove):
    late = np.concatenate([np.zeros(20 * RATE, np.float32), groove])
    found = audio.decode(with_streams("matroska", [np.zeros_like(late), late]))
    assert found.peak_dbfs > -10


def test_too_many_streams_are_refused_with_the_limit(groove):
    few = [np.zeros(RATE // 2, np.float32)]
    with pytest.raises(audio.UnsupportedAudioError, match="more than 64 streams"):
        audio.decode(with_streams("matroska", 65 * few, "pcm_s16le"))
