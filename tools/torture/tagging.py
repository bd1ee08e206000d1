"""Tests tags in every file that FFmpeg writes, with killed processes and full disks.

Afterwards a file has its old bytes, or it has the tags and the same sound. Both sounds are decoded
and compared sample by sample; the service proves it in another way. A second writing changes no
byte, and no copy remains.
"""

import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from service import audio
from service.library.tags import TagsError, write_tags
from tools.torture import containers, mutate
from tools.torture.outcome import Outcome

TAGS = (
    {"genre": "House", "mood": "joyful", "energy": "0.553", "valence": "0.700"},
    {"genre": "Drum and bass, a longer name" * 90, "mood": "tense", "energy": "0.100"},
)
"""Written in turn: the second does not fit where the first was."""

MP3 = "mp3 ID3v2.3, ID3v1"
KILLED = (MP3, "flac pictures", "m4a cover", "ogg cases", "wav ID3")
"""Files that a process is writing when it is killed: one for each form of tags."""

NOBODY = 65_534
LATEST_SECONDS = 0.2  # latest time of a kill; writing takes less


def decoded(data):
    """Return a digest of the sound of a file, or why there is none."""
    try:
        return blake2b(audio.decode(data).waveform.tobytes()).hexdigest()
    except audio.AudioError as error:
        return repr(error)


def left_over(folder):
    """Return the names of the hidden files of a folder."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


class Case:
    """A file in a folder of its own, and the checks that it must always pass."""

    def __init__(self, folder, data):
        self.path = folder / "music"
        self.path.write_bytes(data)
        self.data, self.sound = data, decoded(data)

    def write(self, tags):
        """Write tags; return the reason if it fails."""
        try:
            write_tags(self.path, tags, replace=True)
        except TagsError as error:
            return str(error)
        return None

    def check(self, why_not=None):
        """Return the fault of the file after an attempt to write tags."""
        now = self.path.read_bytes()
        if why_not is not None and now != self.data:
            return "changed, though refused"
        if now != self.data and decoded(now) != self.sound:
            return f"different sound: {self.sound}, now {decoded(now)}"
        if self.path.parent.stat().st_mode & 0o222 and left_over(self.path.parent):
            return f"left over: {left_over(self.path.parent)}"
        return None


def tag_variant(name, data):
    """Write tags into a file, write them again, then write others; check the file each time."""
    outcome = Outcome()
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        case = Case(Path(folder), data)
        why_not = case.write(TAGS[0])
        wrong = case.check(why_not)
        if wrong is None and why_not is None:
            wrong = _again(case)
    outcome.kinds["tagged" if why_not is None else f"refused: {why_not}"] += 1
    outcome.slowest_seconds = time.perf_counter() - started
    if wrong:
        outcome.failed.append(f"{name}: {wrong}")
    return outcome


def _again(case):
    """Write the same tags, then others; return the fault if there is one."""
    stats = case.path.stat()
    written = case.path.read_bytes()
    if why_not := case.write(TAGS[0]):
        return f"tagged once and then refused: {why_not}"
    if case.path.read_bytes() != written or case.path.stat().st_mtime_ns != stats.st_mtime_ns:
        return "written again, though nothing changed"
    case.data = written
    return case.check(case.write(TAGS[1]))


def _ffmpeg_variant(name):
    try:
        data = containers.everything()[name]()
    except (av.FFmpegError, OSError, ValueError):  # FFmpeg makes no such file
        return Outcome()
    return tag_variant(name, data)


def _mutated(number, seed):
    name, data = mutate.case(number, seed)
    return tag_variant(f"case {number} ({name})", data)


def variants(names, jobs):
    """Tag files of `containers.everything` by name."""
    with _pool(jobs) as pool:
        return _total(pool.map(_ffmpeg_variant, names, chunksize=16))


def mutations(cases, seed, jobs):
    """Write tags into damaged files."""
    with _pool(jobs) as pool:
        return _total(pool.map(_mutated, range(cases), [seed] * cases, chunksize=16))


def _pool(jobs):
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def _total(outcomes):
    total = Outcome()
    for outcome in outcomes:
        total.add(outcome)
        sys.stderr.write(f"\r{total.kinds.total():,} files")
    sys.stderr.write("\n")
    return total


def kills(times, seed):
    """Kill processes that write tags at random points, and check the remaining files."""
    total, rng = Outcome(), random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tools.torture.tagging"])
    makers = containers.tagged()
    with TemporaryDirectory() as top:
        cases = {}
        for name in KILLED:
            folder = Path(top, name)
            folder.mkdir()
            cases[name] = Case(folder, makers[name]())
        for _ in range(times):
            name = rng.choice(KILLED)
            _kill_once(context, cases[name], rng.uniform(0, LATEST_SECONDS), name, total)
    return total


def _kill_once(context, case, seconds, name, total):
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_write_forever, args=(case.path, there))
    process.start()
    there.close()
    here.recv()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    remains = left_over(case.path.parent)
    total.kinds["killed, a copy left over" if remains else "killed"] += 1
    now = case.path.read_bytes()
    if now != case.data and (decoded(now) != case.sound or _generation(case.path) is None):
        total.failed.append(f"killed over {name}: neither the old file nor a new one")
    why_not = case.write(TAGS[0]) or case.write(TAGS[1])  # one of them changes something
    if why_not or (wrong := case.check()):
        total.failed.append(f"after a kill over {name}: {why_not or wrong}")


def _write_forever(path, ready):
    ready.send(None)
    while True:
        for tags in TAGS:
            write_tags(path, tags, replace=True)


def _generation(path):
    """Return which of `TAGS` a file holds; None if it is none or a mixture."""
    with av.open(str(path)) as container:
        metadata = {**container.streams.audio[0].metadata, **container.metadata}
    values = {key.casefold(): value for key, value in metadata.items()}
    values.setdefault("mood", values.get("tmoo"))
    for number, tags in enumerate(TAGS):
        if values.get("genre") == tags["genre"] and values["mood"] == tags["mood"]:
            return number
    return None


def full_disks(times, seed):
    """Write tags with a limited file size and, as root, onto a disk that fills."""
    total, rng = Outcome(), random.Random(seed)
    makers = containers.tagged()
    for limited in (_file_size, _small_disk):
        for _ in range(times):
            name = rng.choice(KILLED)
            data = makers[name]()
            with limited(rng.randrange(2 * len(data)), len(data)) as (folder, restrict):
                if folder is None:
                    total.kinds["no small disk is available here"] += 1
                    continue
                case = Case(folder, data)
                with restrict():
                    why_not = case.write(TAGS[1])
                total.kinds["fits" if why_not is None else f"full: {why_not}"] += 1
                if wrong := case.check(why_not):
                    total.failed.append(f"full disk, {name}: {wrong}")
    return total


@contextmanager
def _file_size(free, _size):
    """Limit the size of the files that this process writes."""

    @contextmanager
    def restrict():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with TemporaryDirectory() as folder:
        yield Path(folder), restrict


@contextmanager
def _small_disk(free, size):
    """Mount a disk in memory with space for a file and some bytes."""

    with TemporaryDirectory() as folder:
        room = f"size={size + free + 16_384}"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", folder], check=False,
                          capture_output=True).returncode:  # fmt: skip
            yield None, nullcontext
            return
        try:
            yield Path(folder), nullcontext
        finally:
            subprocess.run(["umount", folder], check=True)


def read_only():
    """Write tags without permission, into a file and into a folder."""
    total = Outcome()
    data = containers.tagged()[MP3]()
    for what, folder_mode, file_mode in (("file", 0o777, 0o444), ("folder", 0o555, 0o666)):
        with TemporaryDirectory() as top:
            folder = Path(top, "folder")
            folder.mkdir()
            case = Case(folder, data)
            case.path.chmod(file_mode)
            folder.chmod(folder_mode)
            Path(top).chmod(0o755)
            why_not = _as_nobody(case)
            folder.chmod(0o755)
            total.kinds[f"read-only {what}: {why_not}"] += 1
            if wrong := "it is written" if why_not is None else case.check(why_not):
                total.failed.append(f"read-only {what}: {wrong}")
    return total


def _as_nobody(case):
    """Write tags as a user who is not root."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # for both processes, not by each
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_give_up_root_and_write, args=(case, there))
    process.start()
    there.close()
    why_not = here.recv()
    process.join()
    return why_not


def _give_up_root_and_write(case, there):
    with TemporaryDirectory() as folder:  # before the imported files become unreadable
        Case(Path(folder), case.data).write(TAGS[0])
    if os.getuid() == 0:
        os.setuid(NOBODY)
    there.send(case.write(TAGS[0]))


def torture(scale, seed, jobs):
    """Run all tests of tags; a scale of 1 takes about ten minutes on two processors."""
    names = list(containers.everything())
    random.Random(seed).shuffle(names)
    total = variants(names[: max(1, round(scale * len(names)))], jobs)
    total.add(mutations(round(2_000 * scale), seed, jobs))
    total.add(kills(round(500 * scale), seed))
    total.add(full_disks(round(200 * scale), seed))
    total.add(read_only())
    return total
