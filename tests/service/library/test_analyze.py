import os
import signal
import socket
from pathlib import PosixPath

import pytest

from service.library.analyze import analyze_all, analyze_file, fingerprint
from service.settings import LibrarySettings


class Deadly(PosixPath):
    """A file that crashes the decoder with a segmentation fault when it is opened."""

    def open(self, *arguments, **options):
        os.kill(os.getpid(), signal.SIGSEGV)


class Unforeseen(PosixPath):
    """A file that raises an unexpected exception."""

    def open(self, *arguments, **options):
        raise IndexError("list index out of range")


class Growing(PosixPath):
    """A file that is still being written while it is analysed."""

    def open(self, *arguments, **options):
        file = super().open(*arguments, **options)
        with super().open("ab") as more:
            more.write(b"more")
        return file


class Tagged(PosixPath):
    """A file that another process writes into while it is analysed for the first time."""

    def open(self, *arguments, **options):
        file = super().open(*arguments, **options)
        if self.stat().st_mtime_ns:
            os.utime(self, ns=(0, 0))
        return file


@pytest.fixture
def clip(tmp_path, clips):
    path = tmp_path / "clip.mp3"
    path.write_bytes(clips["mp3"])
    return path


def settings(clip, **changes):
    return LibrarySettings(paths=(clip,), jobs=1, **changes)


def analyzed(path, **changes):
    return analyze_file(path, settings(path, **changes))


def slug(record):
    return record.problem["type"].removeprefix("urn:problem-type:fifteen:")


def test_an_analysis_equals_that_of_the_service(clip, client):
    answer = client.post("/v1/analyze", files={"file": clip.read_bytes()}).json()
    record = analyzed(clip)
    assert record.problem is None
    assert record.analysis | {"timings": {}} == answer | {"timings": {}}
    assert record.fingerprint.path == str(clip)
    assert record.fingerprint.model == answer["model"]["digest"]
    assert record.tags == []


def test_there_is_a_timeline_if_requested(clip):
    record = analyzed(clip, timeline=True)
    assert len(record.analysis["timeline"]) == 1
    assert record.fingerprint.asked == ("timeline",)


def test_a_recording_is_analyzed_up_to_max_seconds(clip):
    assert analyzed(clip, max_seconds=3).analysis["audio"]["truncated"]


def test_tags_are_written_only_if_requested(clip):
    before = clip.read_bytes()
    analyzed(clip)
    assert clip.read_bytes() == before
    record = analyzed(clip, write_tags="missing")
    assert "energy" in record.tags
    assert clip.read_bytes() != before
    assert record.fingerprint == fingerprint(clip, settings(clip, write_tags="missing"))


@pytest.mark.parametrize("mode", ["missing", "replace"])
@pytest.mark.parametrize("around", [b"--XX\r\nContent-Type: audio/mpeg\r\n\r\n", b"\0" * 64])
def test_sound_inside_another_file_is_analyzed_and_gets_no_tags(tmp_path, clips, around, mode):
    path = tmp_path / "upload.bin"
    path.write_bytes(around + clips["mp3"].removeprefix(b"ID3") + around)
    before = path.read_bytes()
    record = analyzed(path, write_tags=mode)
    assert record.analysis["genre"]
    assert slug(record) == "tags-not-written"
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"hello", b""])
def test_a_file_that_is_not_audio_has_a_record(clip, content, capfd):
    clip.write_bytes(content)
    record = analyzed(clip)
    assert slug(record) == "not-audio"
    assert record.analysis is None
    assert record.fingerprint.size_bytes == len(content)
    assert capfd.readouterr().err == ""


def test_an_empty_file_is_called_empty(clip):
    clip.write_bytes(b"")
    assert analyzed(clip).problem["detail"] == "This file is empty."


def missing(path):
    pass


def linked_in_a_circle(path):
    path.symlink_to(path)


def named_pipe(path):
    os.mkfifo(path)


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def endless(path):
    path.symlink_to("/dev/zero")


def linked_to_nothing(path):
    path.symlink_to("nowhere")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("create", "message"),
    [
        (missing, "No such file"),
        (linked_to_nothing, "No such file"),
        (linked_in_a_circle, "symbolic links"),
        (named_pipe, "named pipe"),
        (listening, "socket"),
        (endless, "device"),
        (PosixPath.mkdir, "directory"),
    ],
)
def test_an_unreadable_path_has_a_record_that_stays_up_to_date(
    tmp_path, monkeypatch, create, message
):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = PosixPath("x.mp3")
    create(path)
    record = analyzed(path)
    assert slug(record) == "unreadable-file"
    assert message in record.problem["detail"]
    assert record.fingerprint.covers(fingerprint(path, settings(path)))
    assert (record.fingerprint.size_bytes, record.fingerprint.modified_ns) == (0, 0)


def test_a_file_that_can_be_read_again_is_not_up_to_date(clip, clips):
    clip.unlink()
    record = analyzed(clip)
    clip.write_bytes(clips["mp3"])
    assert not record.fingerprint.covers(fingerprint(clip, settings(clip)))


@pytest.mark.parametrize("mode", [0o000, 0o200])
def test_a_file_without_permission_is_up_to_date_until_it_has_one(clip, mode):
    clip.chmod(mode)
    if os.access(clip, os.R_OK):
        pytest.skip("this user reads every file")
    record = analyzed(clip)
    assert slug(record) == "unreadable-file"
    assert record.fingerprint.covers(fingerprint(clip, settings(clip)))
    clip.chmod(0o600)
    assert not record.fingerprint.covers(fingerprint(clip, settings(clip)))


def test_a_file_that_changes_while_it_is_analyzed_has_to_be_analyzed_again(clip):
    before = clip.stat().st_size
    record = analyzed(Growing(clip), write_tags="replace")
    assert slug(record) == "file-changed"
    assert record.analysis is None
    assert clip.stat().st_size == before + 2 * len(b"more")  # two attempts, and no tags
    assert not record.fingerprint.covers(fingerprint(clip, settings(clip)))


def test_a_file_that_has_stopped_changing_is_analyzed(clip):
    record = analyzed(Tagged(clip))
    assert record.problem is None
    assert record.fingerprint == fingerprint(clip, settings(clip))


def test_an_unexpected_error_of_a_file_is_in_its_record(clip):
    record = analyzed(Unforeseen(clip))
    assert slug(record) == "internal-error"
    assert record.problem["detail"] == "IndexError: list index out of range"


@pytest.mark.parametrize("change", ["taxonomy", "max_seconds"])
def test_a_setting_that_changes_an_answer_changes_the_fingerprint(clip, tmp_path, change):
    taxonomy = tmp_path / "names.toml"
    taxonomy.write_text('house = "Electronic"')
    changes = {"taxonomy": taxonomy, "max_seconds": 5}
    changed = fingerprint(clip, settings(clip, **{change: changes[change]}))
    assert not fingerprint(clip, settings(clip)).covers(changed)


def test_a_changed_taxonomy_file_changes_the_fingerprint(clip, tmp_path):
    digests = set()
    for number, names in enumerate(['house = "A"', 'dubstep = "A"', 'house = "dubstep"']):
        taxonomy = tmp_path / f"{number}.toml"
        taxonomy.write_text(names)
        digests.add(fingerprint(clip, settings(clip, taxonomy=taxonomy)).settings)
    assert len(digests) == 3


def test_a_record_with_replaced_tags_covers_missing_tags(clip):
    missing = fingerprint(clip, settings(clip, write_tags="missing"))
    replaced = fingerprint(clip, settings(clip, write_tags="replace"))
    assert replaced.covers(missing)
    assert not missing.covers(replaced)


def test_a_setting_that_changes_no_answer_preserves_the_fingerprint(clip, tmp_path):
    taxonomy = tmp_path / "names.toml"
    taxonomy.write_text('house = "house"')
    plain = fingerprint(clip, settings(clip))
    assert fingerprint(clip, settings(clip, decode_seconds=99, taxonomy=taxonomy)) == plain


def test_an_analysis_survives_a_failure_to_write_tags(clip, clips):
    clip.write_bytes(clips["webm"])
    record = analyzed(clip, write_tags="replace")
    assert slug(record) == "tags-not-written"
    assert record.analysis["audio"]["container"] == "webm"


@pytest.mark.slow
def test_a_crash_of_the_decoder_does_not_end_the_run(clip):
    deadly = Deadly(clip.with_name("deadly"))
    clip.with_name("deadly").write_bytes(b"bad")
    records = analyze_all([deadly, clip], settings(clip))
    by_name = {PosixPath(each.fingerprint.path).name: each for each in records}
    assert len(by_name) == 2
    assert slug(by_name["deadly"]) == "decoder-crash"
    assert by_name["clip.mp3"].problem is None
