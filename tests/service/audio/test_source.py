"""File-like objects that FFmpeg reads."""

import io

import numpy as np
import pytest

from service import audio
from service.audio.source import Source
from tools import signals


@pytest.mark.parametrize("content", [b"", b"\0", b"R", b"ID3\4\0\0", b"\xff\xfb\x90\0", bytes(40)])
def test_a_tiny_file_is_refused_without_output(tmp_path, capfd, content):
    """A real file raises at a seek before its beginning; a file in memory does not."""
    path = tmp_path / "x.mp3"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(audio.NotAudioError):
        audio.decode(file)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["mp3", "m4a", "wav", "opus", "flac"])
def test_an_open_file_is_read_like_bytes(clips, tmp_path, name):
    path = tmp_path / "x"
    path.write_bytes(clips[name])
    with path.open("rb") as file:
        recording = audio.decode(file)
    np.testing.assert_array_equal(recording.waveform, audio.decode(clips[name]).waveform)


class Broken(io.BytesIO):
    """A file on a disk that fails after some bytes."""

    def read(self, size=-1):
        if self.tell() > 100_000:
            raise OSError(5, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("name", ["wav", "mp3", "m4a"])
def test_a_failing_disk_is_an_error(capfd, name):
    data = signals.encode(signals.groove(10), 48_000, name)
    with pytest.raises(OSError, match="Input/output error"):
        audio.decode(Broken(data))
    assert capfd.readouterr() == ("", "")


class TestPatch:
    @pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
    @pytest.mark.parametrize("at", [0, 1, 5, 18])
    def test_patched_bytes_are_read_at_any_block_size(self, step, at):
        content = bytes(range(20))
        source = Source(content)
        source.patch(at, b"ab")
        read = b"".join(iter(lambda: source.read(step), b""))
        assert read == content[:at] + b"ab" + content[at + 2 :]

    def test_an_invalid_seek_raises_nothing(self):
        source = Source(b"abc")
        assert source.seek(-5) == -1
        assert source.seek(-1, io.SEEK_END) == 2
        assert source.size == 3
