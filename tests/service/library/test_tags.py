import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress

import av
import mutagen
import mutagen.flac
import numpy as np
import pytest
from mutagen import apev2, id3

from service import audio
from service.audio.source import Source
from service.library.analyze import analyze_file
from service.library.tags import TagsError, tags_of, write_tags
from service.schemas import ANALYSIS, Analysis
from service.settings import LibrarySettings
from service.verdict import MUSIC
from tools import signals
from tools.torture import containers, mutate, tagging

TAGS = {"genre": "house", "mood": "joyful", "energy": "0.553"}
SUFFIXES = {"mp3": "mp3", "m4a": "m4a", "flac": "flac", "opus": "opus", "vorbis": "ogg"}
YEAR_AGO = 1_700_000_000  # seconds


def analysis(**changes):
    return Analysis.model_validate(ANALYSIS | changes)


@pytest.fixture(params=[*SUFFIXES, "wav"])
def path(request, tmp_path, clips):
    content = clips.get(request.param) or signals.wav(signals.groove(5), 48_000)
    path = tmp_path / f"clip.{SUFFIXES.get(request.param, 'wav')}"
    path.write_bytes(content)
    return path


@pytest.fixture
def flac(tmp_path):
    path = tmp_path / "clip.flac"
    path.write_bytes(containers.tagged()["flac pictures"]())
    return path


@pytest.fixture
def write_container(tmp_path):
    """Return a function that writes a file of `containers.tagged` or `containers.odd`."""

    def write(name):
        path = tmp_path / "clip"
        path.write_bytes({**containers.tagged(), **containers.odd()}[name]())
        return path

    return write


def read(path):
    """Return the tags that FFmpeg reads, as a reader independent of mutagen."""
    with av.open(str(path)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    return {name.lower(): value for name, value in found.items()}


def refused(path, **options):
    """Check that tags are refused and nothing on the disk changes; return the error text."""
    before, stats, folder = path.read_bytes(), path.stat(), sorted(path.parent.iterdir())
    with pytest.raises(TagsError) as caught:
        write_tags(path, TAGS, replace=True, **options)
    assert path.read_bytes() == before
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (stats.st_mtime_ns, stats.st_ino)
    assert sorted(path.parent.iterdir()) == folder
    return str(caught.value)


def test_tags_are_found_by_another_reader(path):
    assert write_tags(path, TAGS, replace=False) == list(TAGS)
    found = read(path)
    mood = found.get("mood") or found.get("tmoo")  # FFmpeg does not translate the name of ID3
    assert (found["genre"], mood, found["energy"]) == ("house", "joyful", "0.553")


def test_the_sound_stays_unchanged(path):
    before = audio.decode(path.read_bytes()).waveform
    write_tags(path, TAGS, replace=True)
    np.testing.assert_array_equal(audio.decode(path.read_bytes()).waveform, before)


def test_existing_tags_stay_unless_they_are_to_be_replaced(path):
    write_tags(path, {"genre": "Polka", "mood": "tense"}, replace=True)
    before = path.read_bytes()
    assert write_tags(path, {"genre": "house", "mood": "joyful"}, replace=False) == []
    assert path.read_bytes() == before
    assert write_tags(path, TAGS, replace=False) == ["energy"]
    assert read(path)["genre"] == "Polka"
    assert write_tags(path, TAGS, replace=True) == list(TAGS)
    assert read(path)["genre"] == "house"


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_has_the_tags_is_not_written(path, replace):
    write_tags(path, TAGS, replace=True)
    before, stats = path.read_bytes(), path.stat()
    for _ in range(3):
        write_tags(path, TAGS, replace=replace)
    assert path.read_bytes() == before
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (stats.st_mtime_ns, stats.st_ino)


@pytest.mark.parametrize("encoding", ["webm", "adts"])
def test_a_file_without_room_for_tags_is_refused(tmp_path, clips, encoding):
    path = tmp_path / "clip"
    path.write_bytes(clips[encoding])
    assert "this kind of file" in refused(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TagsError, match="cannot be written"):
        write_tags(tmp_path / "gone.mp3", TAGS, replace=True)


def test_an_empty_file_a_folder_and_a_pipe_are_refused(tmp_path):
    empty, folder, pipe = tmp_path / "empty.mp3", tmp_path / "folder.mp3", tmp_path / "pipe.mp3"
    empty.touch()
    folder.mkdir()
    os.mkfifo(pipe)
    for path in (empty, folder, pipe):
        with pytest.raises(TagsError, match="cannot be written"):
            write_tags(path, TAGS, replace=True)


# Tempo, key and gain

MORE = {
    "BPM": "128",
    "INITIALKEY": "F#m",
    "REPLAYGAIN_TRACK_GAIN": "-6.25 dB",
    "REPLAYGAIN_TRACK_PEAK": "0.988553",
    "R128_TRACK_GAIN": "-2880",
}
PLACES = {
    "ID3": ("TBPM", "TKEY", "TXXX:REPLAYGAIN_TRACK_GAIN"),
    "MP4": ("tmpo", "----:com.apple.iTunes:initialkey",
            "----:com.apple.iTunes:REPLAYGAIN_TRACK_GAIN"),
    "ASF": ("WM/BeatsPerMinute", "WM/InitialKey", "REPLAYGAIN_TRACK_GAIN"),
    "names": ("BPM", "INITIALKEY", "REPLAYGAIN_TRACK_GAIN"),
}  # fmt: skip
KINDS = {
    ("mp3", "mp3"): "ID3", ("wav", "pcm"): "ID3", ("aiff", "big"): "ID3", ("ipod", "aac"): "MP4",
    ("flac", "flac"): "names", ("ogg", "vorbis"): "names", ("ogg", "opus"): "names",
    ("wv", "wavpack"): "names", ("asf", "wma"): "ASF",
}  # fmt: skip


@pytest.fixture(params=KINDS, ids=" ".join)
def kind(request, tmp_path):
    """A file of each kind of tags, and the places of its tags."""
    path = tmp_path / "clip"
    path.write_bytes(containers.muxed(*request.param))
    return path, PLACES[KINDS[request.param]]


def stored(path):
    """Return the tags that mutagen finds: the first value of each place."""
    return {key: str(first(value)) for key, value in dict(mutagen.File(path).tags).items()}


def first(value):
    value = getattr(value, "text", value)
    value = value[0] if isinstance(value, list) else value
    return value.decode() if isinstance(value, bytes) else value


def test_tempo_key_and_gain_are_where_other_programs_look(kind):
    path, places = kind
    assert write_tags(path, MORE, replace=True) == list(MORE)
    found = {name.casefold(): value for name, value in stored(path).items()}
    assert [found[place.casefold()] for place in places] == ["128", "F#m", "-6.25 dB"]


def test_a_second_run_changes_nothing_and_other_values_stay(kind):
    path, _ = kind
    write_tags(path, MORE, replace=True)
    before, stats = path.read_bytes(), path.stat()
    other = dict.fromkeys(MORE, "1")
    assert write_tags(path, MORE, replace=True) == list(MORE)
    assert write_tags(path, MORE | other, replace=False) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, stats.st_mtime_ns)
    assert write_tags(path, other, replace=True) == list(MORE)
    assert set(other.values()) == {stored(path)[place] for place in changed_places(path, before)}


def test_gain_and_peak_stay_together(write_container):
    path = write_container("flac pictures")
    write_tags(path, {"REPLAYGAIN_TRACK_GAIN": "1.00 dB"}, replace=True)
    assert write_tags(path, MORE, replace=False) == ["BPM", "INITIALKEY", "R128_TRACK_GAIN"]


def changed_places(path, before):
    """Return the places of tags whose value differs from that in an earlier content of a file."""
    after, copy = stored(path), path.with_name("before")
    copy.write_bytes(before)
    return [place for place, value in stored(copy).items() if after[place] != value]


def test_the_tempo_of_an_mp4_is_replaced_where_it_is(write_container):
    path = write_container("m4a cover")
    tempo = mutagen.File(path).tags["tmpo"]
    assert write_tags(path, {"BPM": "99"}, replace=False) == []
    assert mutagen.File(path).tags["tmpo"] == tempo != [99]
    assert write_tags(path, {"BPM": "99"}, replace=True) == ["BPM"]
    assert mutagen.File(path).tags["tmpo"] == [99]


# Every container, with parts of other programs


MANY = {**containers.tagged(), **containers.odd()}


@pytest.mark.parametrize("name", MANY)
def test_a_file_is_unchanged_or_has_the_tags_and_the_same_sound(name):
    outcome = tagging.tag_variant(name, MANY[name]())
    assert outcome.failed == []
    if name in containers.tagged() and name.split()[0] not in {"tta", "wv"} - audio.FORMATS.keys():
        assert outcome.kinds == {"tagged": 1}


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_every_container_of_ffmpeg_is_unchanged_or_has_the_tags_and_the_same_sound():
    outcome = tagging.variants(list(containers.everything()), os.cpu_count())
    assert outcome.failed == []
    assert outcome.kinds["tagged"] > 150


@pytest.mark.parametrize("flags", ["frag_keyframe", "empty_moov", "separate_moof", "isml"])
def test_fragments_with_absolute_positions_are_refused(tmp_path, flags):
    options = {"movflags": flags, "frag_duration": "500000"}
    path = tmp_path / "clip.mp4"
    path.write_bytes(containers.muxed("mp4", "aac", options=options))
    assert refused(path) == "Writing the tags would change the sound of this file."


def test_an_index_with_absolute_positions_is_refused(tmp_path):
    options = {"movflags": "empty_moov+default_base_moof", "frag_duration": "500000"}
    path = tmp_path / "clip.mp4"
    path.write_bytes(containers.muxed("mp4", "aac", options=options))
    assert refused(path) == "Writing the tags would change other parts of this file."
    path.write_bytes(path.read_bytes()[: path.read_bytes().rindex(b"mfra") - 4])  # without it
    assert write_tags(path, TAGS, replace=True) == list(TAGS)


@pytest.mark.parametrize(
    "name", ["wav of size 0", "wav of the greatest size", "wav odd sound", "wav too short"]
)
def test_a_wav_with_wrong_sizes_is_refused(write_container, name):
    assert refused(write_container(name))


def test_chunks_of_other_programs_stay(write_container):
    path = write_container("wav iXML, cue, IGNR")
    before = path.read_bytes()
    assert write_tags(path, TAGS, replace=False) == ["mood", "energy"]  # INFO has a genre
    assert write_tags(path, TAGS, replace=True) == list(TAGS)
    for name, content in containers.WAV_CHUNKS:
        assert name + struct.pack("<I", len(content)) + content in before
        assert name + struct.pack("<I", len(content)) + content in path.read_bytes()


# Versions, names and cases


@pytest.mark.parametrize(("name", "version"), [("2.2", 3), ("2.3", 3), ("2.4", 4)])
@pytest.mark.parametrize("replace", [False, True])
def test_the_version_of_id3_stays(write_container, name, version, replace):
    path = write_container(f"mp3 ID3v{name}")
    before = id3.ID3(path, translate=False)
    write_tags(path, TAGS, replace=replace)
    after = id3.ID3(path, translate=False)
    assert after.version == (2, version, 0)
    assert after["TYER"].text == before["TYER"].text == ["2001"]
    assert after["TIT2"].text == before["TIT2"].text
    assert after["TCON"].text == ["house"]
    assert after["TMOO"].text == ["joyful"]
    assert [frame.data for frame in after.getall("APIC")] == [containers.PNG]
    assert after["TXXX:ENERGY"].text == (["0.553"] if replace else ["0.9"])
    assert "TXXX:energy" not in after


def test_all_frames_and_pictures_stay(write_container):
    path = write_container("mp3 ID3v2.3, ID3v1")
    before, sound = id3.ID3(path, translate=False, load_v1=False), path.read_bytes()
    write_tags(path, TAGS, replace=True)
    after = id3.ID3(path, translate=False, load_v1=False)
    assert set(after) - set(before) == {"TCON", "TMOO"}
    for key in set(before) - {"TXXX:ENERGY", "TXXX:Energy"}:
        assert repr(after[key]) == repr(before[key])
    assert path.read_bytes()[after.size :] == sound[before.size :]  # ID3v1, too


def test_a_name_in_two_cases_has_one_value(write_container):
    path = write_container("mp3 ID3v2.4")
    write_tags(path, TAGS, replace=True)
    frames = id3.ID3(path).getall("TXXX")
    assert {frame.desc: frame.text for frame in frames} == {
        "ENERGY": ["0.553"],
        "Energy": ["0.553"],
    }


def test_new_id3_has_the_values_of_id3v1(write_container):
    path = write_container("mp3 ID3v1")
    before = path.read_bytes()
    assert write_tags(path, TAGS, replace=False) == ["mood", "energy"]  # its genre is 12, other
    after = id3.ID3(path, load_v1=False)
    assert (after["TIT2"].text, after["TPE1"].text) == (["A title"], ["Zoe"])
    assert path.read_bytes().endswith(before)


@pytest.mark.parametrize(
    "name",
    [
        "mp3 APEv2",
        "mp3 APEv2, ID3v1",
        "mp3 APEv2, Lyrics3, ID3v1",
        "mp3 ID3v2.4, APEv2, ID3v1",
    ],
)
def test_apev2_of_an_mp3_is_read_and_written(write_container, name):
    path = write_container(name)
    end = path.read_bytes()[-128:]
    assert "genre" not in write_tags(path, TAGS, replace=False)
    assert apev2.APEv2(path)["Genre"] == "Polka"
    write_tags(path, TAGS, replace=True)
    after = apev2.APEv2(path)
    assert after["genre"] == "house"
    assert after["energy"] == "0.553"
    assert [key for key in after.keys() if key.lower() == "genre"] == ["GENRE"]  # noqa: SIM118
    assert list(after["artist"]) == ["One", "Two"]
    assert after["Cover Art (Front)"].value.endswith(containers.PNG)
    assert "ID3v1" not in name or path.read_bytes().endswith(end)
    assert "ID3v2" in name or not path.read_bytes().startswith(b"ID3")


def test_vorbis_comments_keep_their_case_and_order(write_container):
    path = write_container("ogg cases")
    assert write_tags(path, TAGS, replace=False) == ["mood"]
    write_tags(path, TAGS, replace=True)
    found = [(key, value) for key, value in mutagen.File(path).tags if key.lower() in TAGS]
    assert found == [("ENERGY", "0.553"), ("GENRE", "house"), ("mood", "joyful")]


def test_atoms_of_itunes_keep_their_case_and_namespace(write_container):
    path = write_container("m4a cover")
    before = mutagen.File(path).tags
    assert write_tags(path, TAGS, replace=False) == ["mood"]
    write_tags(path, TAGS, replace=True)
    after = mutagen.File(path).tags
    assert after["\xa9gen"] == ["house"]
    for key in ("----:com.apple.iTunes:energy", "----:com.apple.iTunes:Energy"):
        assert after[key] == [b"0.553"]
    for key in ("----:org.someone:ENERGY", "covr", "tmpo", "cpil", "trkn", "\xa9nam"):
        assert after[key] == before[key]


# The copy


@pytest.mark.parametrize("keep_times", [False, True])
def test_the_metadata_of_a_file_stays(flac, keep_times):
    flac.chmod(0o640)
    with suppress(OSError):  # on a disk that has none
        os.setxattr(flac, "user.rating", b"5")
    attributes = {name: os.getxattr(flac, name) for name in os.listxattr(flac)}
    os.utime(flac, (YEAR_AGO, YEAR_AGO))
    if os.getuid() == 0:
        os.chown(flac, 1_234, 5_678)
    before = flac.stat()
    write_tags(flac, TAGS, replace=True, keep_times=keep_times)
    after = flac.stat()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert {name: os.getxattr(flac, name) for name in os.listxattr(flac)} == attributes
    assert (after.st_mtime == YEAR_AGO) is keep_times
    assert list(flac.parent.iterdir()) == [flac]


def test_access_control_of_the_folder_is_not_added(flac):
    everyone = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, 7, owner)
        for tag, owner in (
            (1, 2**32 - 1),
            (2, 1_234),
            (4, 2**32 - 1),
            (16, 2**32 - 1),
            (32, 2**32 - 1),
        )
    )
    try:
        os.setxattr(flac.parent, "system.posix_acl_default", everyone)
    except OSError:
        pytest.skip("this disk has no access control lists")
    flac.chmod(0o640)
    write_tags(flac, TAGS, replace=True)
    assert os.listxattr(flac) == []
    assert stat.S_IMODE(flac.stat().st_mode) == 0o640


def test_a_link_is_followed(flac):
    link = flac.with_name("link.flac")
    link.symlink_to(flac)
    assert write_tags(link, TAGS, replace=True) == list(TAGS)
    assert link.is_symlink()
    assert read(flac)["genre"] == "house"


def test_a_file_with_several_names_is_refused(flac):
    os.link(flac, flac.with_name("another.flac"))
    assert "2 names (hard links)" in refused(flac)


def test_a_file_that_another_run_writes_is_refused(flac):
    with flac.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another run" in refused(flac)


def test_read_only_files_and_folders_are_refused():
    outcome = tagging.read_only()
    assert outcome.failed == []
    denied = "The tags cannot be written: Permission denied."
    assert set(outcome.kinds) == {f"read-only {what}: {denied}" for what in ("file", "folder")}


def test_a_full_disk_changes_nothing():
    outcome = tagging.full_disks(8, "test")
    assert outcome.failed == []
    assert any(kind.startswith("full") for kind in outcome.kinds)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_and_its_copy_is_removed():
    outcome = tagging.kills(12, "test")
    assert outcome.failed == []
    assert outcome.kinds["killed, a copy left over"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_many_killed_processes_and_full_disks_lose_nothing():
    assert tagging.kills(500, "test").failed == []
    assert tagging.full_disks(100, "test").failed == []
    assert tagging.mutations(1_000, "test", os.cpu_count()).failed == []


# A tag library that cannot be trusted


@pytest.mark.parametrize(
    "error",
    [struct.error("of a struct"), IndexError("list"), ValueError(), KeyError("key"), MemoryError(),
     AssertionError(), RecursionError(), EOFError(), OverflowError(), AttributeError("none"),
     ZeroDivisionError(), UnicodeDecodeError("utf-8", b"", 0, 1, "why"), OSError(5, "broken")],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("method", ["load", "save"])
def test_any_exception_of_the_tag_library_is_a_refusal(monkeypatch, flac, method, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(mutagen.flac.FLAC, method, fails)
    text = refused(flac)
    assert text.startswith("The tags cannot be written: ")
    assert text.endswith(".")


def sabotage(change):
    """Return a `save` for FLAC that changes the file after mutagen has saved it."""
    save = mutagen.flac.FLAC.save

    def saves(file, path, **options):
        save(file, path, **options)
        path.write_bytes(change(path.read_bytes()))

    return saves


def flipped(data):
    return data[:-5_000] + bytes([data[-5_000] ^ 1]) + data[-4_999:]


SABOTAGE = {
    "a byte of sound": (flipped, "the sound"),
    "a cut": (lambda data: data[:-3_000], "the sound"),
    "what follows": (lambda data: data + b"TAG", "this file"),
    "a block": (lambda data: data.replace(b"ATCHsome", b"ATCHSOME"), "other parts"),
    "a picture": (lambda data: data.replace(b"image/png", b"image/gif"), "this file"),
    "another tag": (lambda data: data.replace(b"A title", b"a title"), "other tags"),
    "a tag": (lambda data: data.replace(b"joyful", b"joyous"), "read back as written: mood"),
    "nothing": (lambda _: b"", "cannot be written"),
    "another kind": (lambda _: containers.muxed("mp3", "mp3"), "cannot be written"),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_copy_with_other_changes_than_the_tags_is_refused(monkeypatch, flac, what):
    change, text = SABOTAGE[what]
    monkeypatch.setattr(mutagen.flac.FLAC, "save", sabotage(change))
    assert text in refused(flac)


def test_a_file_that_changes_meanwhile_is_refused(monkeypatch, flac):
    def touches(data):
        os.utime(flac, (YEAR_AGO, YEAR_AGO))
        return data

    monkeypatch.setattr(mutagen.flac.FLAC, "save", sabotage(touches))
    before = flac.read_bytes()
    with pytest.raises(TagsError, match="another program"):
        write_tags(flac, TAGS, replace=True)
    assert flac.read_bytes() == before
    assert list(flac.parent.iterdir()) == [flac]


# A run


def test_a_recording_that_tags_would_damage_stays_unchanged(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}
    path = tmp_path / "clip.mp4"
    path.write_bytes(containers.muxed("mp4", "aac", options=options))
    before, stats = path.read_bytes(), path.stat()
    record = analyze_file(path, LibrarySettings(paths=(path,), jobs=1, write_tags="missing"))
    assert record.problem["type"].endswith("tags-not-written")
    assert record.analysis is not None
    assert record.tags == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, stats.st_mtime_ns)


@pytest.mark.parametrize("keep_times", [False, True])
def test_the_modification_time_stays_if_requested(flac, keep_times):
    before = flac.stat().st_mtime_ns
    settings = LibrarySettings(paths=(flac,), jobs=1, write_tags="replace", keep_times=keep_times)
    assert analyze_file(flac, settings).tags
    assert (flac.stat().st_mtime_ns == before) is keep_times


# The tags of an analysis


def test_a_confident_analysis_has_all_tags():
    tags = tags_of(analysis())
    assert tags["genre"] == "house"
    assert tags["mood"] == ANALYSIS["mood"]
    assert tags["energy"] == f"{ANALYSIS['energy']:.3f}"
    assert {"valence", "danceability"} <= tags.keys()


@pytest.mark.parametrize("verdict", ["mixed", "unknown_genre"])
def test_an_uncertain_analysis_has_no_genre_tag(verdict):
    tags = tags_of(analysis(verdict=verdict))
    assert "genre" not in tags
    assert "mood" in tags


@pytest.mark.parametrize("verdict", ["silence", "not_music"])
def test_an_analysis_without_music_has_no_tags(verdict):
    assert tags_of(analysis(verdict=verdict)) == {}


KEY = ANALYSIS["key"] | {"tonic": "F#", "mode": "minor"}
TEMPO = ANALYSIS["tempo"] | {"bpm": 127.6}
LOUDNESS = {"integrated_lufs": -9.5, "true_peak_dbtp": 0.5}
OPUS = ANALYSIS["audio"] | {"container": "ogg", "codec": "opus"}
MP3 = ANALYSIS["audio"] | {"container": "mp3", "codec": "mp3"}


def more_tags_of(*more, **changes):
    found = tags_of(analysis(**({"audio": MP3} | changes)), more)
    return {name: value for name, value in found.items() if name not in tags_of(analysis())}


def test_tempo_key_and_gain_are_tags_on_request_only():
    changes = {"tempo": TEMPO, "key": KEY, "loudness": LOUDNESS}
    assert more_tags_of(**changes) == {}
    assert more_tags_of("tempo", **changes) == {"BPM": "128"}
    assert more_tags_of("key", **changes) == {"INITIALKEY": "F#m"}
    assert more_tags_of("key", key=KEY | {"mode": "major"}) == {"INITIALKEY": "F#"}
    assert more_tags_of("replaygain", **changes) == {
        "REPLAYGAIN_TRACK_GAIN": "-8.50 dB",
        "REPLAYGAIN_TRACK_PEAK": "1.059254",
    }


def test_opus_has_its_own_gain():
    found = more_tags_of("replaygain", loudness=LOUDNESS, audio=OPUS)
    assert found == {"R128_TRACK_GAIN": str(round(256 * (-23 + 9.5)))}


def test_an_analysis_without_tempo_key_and_loudness_has_no_such_tag():
    unknown = LOUDNESS | {"integrated_lufs": None}
    every = "tempo", "key", "replaygain"
    assert more_tags_of(*every, tempo=None, key=None, loudness=unknown) == {}
    assert tags_of(analysis(verdict="not_music"), every) == {}


def test_more_tags_are_written_and_asked_for(flac):
    settings = LibrarySettings(
        paths=(flac,), jobs=1, write_tags="replace", more_tags=("tempo", "replaygain")
    )
    record = analyze_file(flac, settings)
    assert {"tag-tempo", "tag-replaygain"} <= set(record.fingerprint.asked)
    assert "tag-key" not in record.fingerprint.asked
    music = record.analysis["verdict"] in MUSIC
    assert ("REPLAYGAIN_TRACK_GAIN" in record.tags) == music


def test_more_tags_need_tags():
    with pytest.raises(ValueError, match="--write-tags"):
        LibrarySettings(paths=("x",), more_tags=("key",))


def test_a_missing_emotion_has_no_tag():
    unknown = {"emotion": {}, "valence": None, "energy": None, "danceability": None, "mood": None}
    assert tags_of(analysis(**unknown)) == {"genre": "house"}


def test_mutagen_cannot_read_webm(tmp_path, clips):
    path = tmp_path / "clip.webm"
    path.write_bytes(clips["webm"])
    assert mutagen.File(path) is None


@pytest.mark.parametrize("case", range(30, 40))
def test_a_damaged_file_prints_nothing(tmp_path, capfd, case):
    """In case 33, a chunk ends before the file begins."""
    path = tmp_path / "damaged"
    path.write_bytes(mutate.case(case, "0")[1])
    with suppress(TagsError):
        write_tags(path, {"genre": "house"}, replace=True)
    assert capfd.readouterr().err == ""


def test_a_read_that_fails_proves_nothing(tmp_path, clips, monkeypatch):
    path = tmp_path / "clip.flac"
    path.write_bytes(clips["flac"])
    monkeypatch.setattr(Source, "read", failing_after(Source.read, calls=3))
    with pytest.raises(TagsError):
        write_tags(path, {"genre": "house"}, replace=True)
    assert path.read_bytes() == clips["flac"]


def failing_after(read, calls):
    """A `Source.read` whose file cannot be read any more after some calls."""
    done = []

    def failing(source, size):
        done.append(size)
        if len(done) > calls:
            source.error = OSError(errno.EIO, "Input/output error")
            return b""
        return read(source, size)

    return failing
