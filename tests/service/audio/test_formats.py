"""Containers from phones, recorders and music libraries."""

import io

import av
import numpy as np
import pytest

from service import audio
from tools import signals
from tools.recordings import caf_with_aac

PUBLISHED = {
    "caf": ("caf", "pcm_s16be"),
    "caf-alac": ("caf", "alac"),
    "caf-opus": ("caf", "opus"),
    "amr": ("amr", "amr_nb"),
    "3gp": ("mp4", "amr_nb"),
    "rf64": ("wav", "pcm_s16le"),
    "w64": ("w64", "pcm_s16le"),
    "au": ("au", "pcm_s16be"),
    "mp2": ("mp3", "mp2"),
    "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
    "wma": ("asf", "wmav2"),
    "avi": ("avi", "mp2"),
    "flv": ("flv", "aac"),
    "mpegts": ("mpegts", "aac"),
    "mpeg": ("mpeg", "mp2"),
    "wavpack": ("wavpack", "wavpack"),
    "tta": ("tta", "tta"),
}


@pytest.mark.parametrize("name", signals.OTHER_ENCODINGS)
def test_each_format_is_read(name):
    groove = signals.groove(4)
    recording = audio.decode(signals.encode(groove, 48_000, name))
    assert (recording.container, recording.codec) == PUBLISHED[name]
    assert recording.duration_seconds == pytest.approx(4, abs=0.1)
    damage = recording.damaged_packets, recording.damaged_samples, recording.missing_seconds
    assert damage == (0, 0, 0)
    assert recording.rms_dbfs == pytest.approx(audio.levels(groove)[1], abs=4)  # AMR has a band


@pytest.mark.parametrize("channels", [1, 2])
def test_a_voice_memo_with_aac_is_read(clips, channels):
    data = signals.encode(signals.groove(5), 48_000, "m4a", channels)
    recording, memo = audio.decode(data), audio.decode(caf_with_aac(data))
    assert (memo.container, memo.codec, memo.channels) == ("caf", "aac", channels)
    assert memo.duration_seconds == pytest.approx(recording.duration_seconds, abs=0.1)
    assert memo.rms_dbfs == pytest.approx(recording.rms_dbfs, abs=0.5)


@pytest.mark.parametrize("name", ["mpegts", "flv", "mpeg", "ac3", "amr", "au", "wma"])
def test_a_truncated_file_is_decoded_up_to_its_end(name):
    data = signals.encode(signals.groove(8), 48_000, name)
    recording = audio.decode(data[: len(data) * 3 // 5])
    assert 2.4 < recording.duration_seconds < 6


@pytest.mark.parametrize("muxer", ["avi", "flv", "mpegts", "asf", "mov"])
def test_the_pictures_of_a_film_are_ignored(muxer):
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        video = container.add_stream(
            "flv1" if muxer == "flv" else "mpeg4" if muxer != "mpegts" else "mpeg2video", rate=25,
            width=64, height=64, pix_fmt="yuv420p",
        )  # fmt: skip
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        pcm = (signals.groove(4, 44_100) * 32_767).astype(np.int16)[None]
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), "rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
            audio_frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(pcm[:, 1_764 * number : 1_764 * (number + 1)]), "s16", "mono"
            )
            audio_frame.sample_rate, audio_frame.pts = 44_100, 1_764 * number
            container.mux(sound.encode(audio_frame))
        container.mux([*video.encode(None), *sound.encode(None)])
    recording = audio.decode(file.getvalue())
    assert recording.codec == "aac"
    assert recording.duration_seconds == pytest.approx(4, abs=0.1)
