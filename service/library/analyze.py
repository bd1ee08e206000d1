"""Analyses the recordings of a library in several processes.

A file that crashes the decoder ends a process, but not the run. The recordings in progress are
retried, each in a separate process, and a recording that crashes again gets a record.
"""

import json
import multiprocessing
import os
import signal
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

from service import audio
from service.analysis import analyze
from service.heads import Head, load_heads
from service.library.find import promises_sound
from service.library.records import Fingerprint, Record
from service.library.tags import TagsError, tags_of, write_tags
from service.loading import load_served, load_taxonomy
from service.model import Scorer
from service.schemas import PROBLEM_TYPES, Analysis
from service.settings import LibrarySettings
from service.taxonomy import Taxonomy

CRASHED = "decoder-crash"
UNREADABLE = "unreadable-file"
CHANGED = "file-changed"
FAILED = "internal-error"
UNTAGGED = "tags-not-written"
"""Slugs of the problems of files, besides the slugs of `audio.AudioError`."""

NO_SOUND_TYPES = {
    PROBLEM_TYPES + error.slug for error in (audio.NotAudioError, audio.NoAudioStreamError)
}
"""Problem types of files without sound."""

ATTEMPTS = 2  # for a file that changes during its analysis
DIGEST_DIGITS = 16
AHEAD = 2  # recordings in the queue per process, so that no process is idle

_KINDS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


class _NotAFileError(OSError):
    """The path is not a regular file and must not be opened; a pipe would block forever."""


def analyze_all(paths: Iterable[Path], settings: LibrarySettings) -> Iterator[Record]:
    """Analyse recordings, and yield the record of each when it is finished.

    Parameters
    ----------
    paths : iterable of Path
    settings : LibrarySettings
        Names a model that can be served.
    """
    pending, more = iter(paths), True
    while more:
        suspects = yield from _until_one_crashes(pending, settings)
        for path in suspects:
            yield _alone(path, settings)
        more = bool(suspects)


def _until_one_crashes(
    pending: Iterator[Path], settings: LibrarySettings
) -> Generator[Record, None, list[Path]]:
    """Analyse until a process crashes; return the recordings in progress, none if all are done."""
    running: dict[Path, Future[Record]] = {}
    with _pool(settings.jobs) as pool:
        try:
            while True:
                for path in islice(pending, AHEAD * settings.jobs - len(running)):
                    running[path] = Future()  # in progress, even if a crash prevents its submission
                    with _uninterrupted():
                        running[path] = pool.submit(analyze_file, path, settings)
                if not running:
                    return []
                wait(running.values(), return_when=FIRST_COMPLETED)
                for path in [path for path, future in running.items() if future.done()]:
                    yield running[path].result()
                    del running[path]
        except BrokenProcessPool:
            return list(running)
        finally:
            pool.shutdown(cancel_futures=True)


def _alone(path: Path, settings: LibrarySettings) -> Record:
    """Analyse a recording in a separate process."""
    with _pool(1) as pool:
        try:
            with _uninterrupted():
                alone = pool.submit(analyze_file, path, settings)
            return alone.result()
        except BrokenProcessPool:
            problem = _problem(CRASHED, "The decoder crashed on this file.")
            return _record(path, settings, problem=problem)


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Start a pool of processes."""
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _live_with_parent)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that no interrupt reaches, also while they import their modules.

    A process inherits the blocked signals of the thread that starts it.
    """
    if sys.platform == "win32":  # where signals cannot be blocked
        yield
        return
    resource_tracker.ensure_running()  # its own start would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live_with_parent() -> None:
    """Make this process ignore interrupts, and end when its parent ends.

    The parent handles interrupts. A killed parent cannot end its processes, which would wait for
    work forever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@cache
def loaded(settings: LibrarySettings) -> tuple[Scorer, Taxonomy]:
    """Load the requested model and the operator's taxonomy, once per process."""
    models = load_served(settings)
    return models[settings.model], load_taxonomy(settings, models)


@cache
def loaded_head(settings: LibrarySettings) -> Head | None:
    """Load the requested head, if any, once per process.

    Raises
    ------
    service.heads.HeadError, service.heads.UnknownHeadError, service.heads.OtherSpaceError
        If it cannot be used.
    """
    if settings.head is None:
        return None
    model, _ = loaded(settings)
    head = load_heads(settings.heads, load_served(settings))[settings.head]
    head.require(model)
    return head


def fingerprint(path: Path, settings: LibrarySettings) -> Fingerprint:
    """Return the current state of a file, and everything else that its record depends on.

    An unreadable path has neither size nor time, so its record is up to date until the path can be
    read.
    """
    model, _ = loaded(settings)
    head = loaded_head(settings)
    requested = {
        "timeline": settings.timeline,
        "embedding": settings.embedding,
        "tags": settings.write_tags is not None,
        "replace": settings.write_tags == "replace",
        f"head:{head.digest if head else None}": head is not None,
        **{f"tag-{name}": True for name in sorted(settings.more_tags)},
    }
    try:
        state = path.stat()
        readable = stat.S_ISREG(state.st_mode) and os.access(path, os.R_OK)
    except OSError:
        readable = False
    return Fingerprint(
        path=str(path),
        size_bytes=state.st_size if readable else 0,
        modified_ns=state.st_mtime_ns if readable else 0,
        model=model.digest,
        settings=_settings_digest(settings),
        asked=tuple(name for name, value in requested.items() if value),
    )


@cache
def _settings_digest(settings: LibrarySettings) -> str:
    """Return a digest of the settings that change an analysis, except the model."""
    model, taxonomy = loaded(settings)
    names = [taxonomy.names.get(genre, genre) for genre in model.card.genres]
    answer = json.dumps({"genres": names, "max_seconds": settings.max_seconds})
    return sha256(answer.encode()).hexdigest()[:DIGEST_DIGITS]


def analyze_file(path: Path, settings: LibrarySettings) -> Record:
    """Analyse one recording, and write its tags if requested.

    A recording that changes meanwhile is retried: another process may have written tags into it
    under another name.
    """
    for _ in range(ATTEMPTS):
        record = _attempt(path, settings)
        if record.problem is None or record.problem["type"] != PROBLEM_TYPES + CHANGED:
            break
    return record


def _attempt(path: Path, settings: LibrarySettings) -> Record:
    model, taxonomy = loaded(settings)
    bounds = audio.Bounds(settings.max_seconds, settings.decode_seconds)
    before = fingerprint(path, settings)
    try:
        with open_recording(path) as file:
            analysis = analyze(
                file,
                model,
                bounds,
                taxonomy,
                timeline=settings.timeline,
                embedding=settings.embedding,
                head=loaded_head(settings),
            )
    except audio.AudioError as error:
        return Record(before, None, _problem(error.slug, str(error)), [])
    except OSError as error:
        unread = replace(before, size_bytes=0, modified_ns=0)
        return Record(unread, None, _problem(UNREADABLE, f"{error.strerror or error}."), [])
    except Exception as error:  # noqa: BLE001, one file never ends a run
        return Record(before, None, _problem(FAILED, f"{type(error).__name__}: {error}"), [])
    if fingerprint(path, settings) != before:
        detail = "The file changed during its analysis; run the command again."
        return Record(before, None, _problem(CHANGED, detail), [])
    record = _tagged(path, settings, analysis)
    return record if record.tags else replace(record, fingerprint=before)


def open_recording(path: Path) -> BinaryIO:
    """Open a recording.

    Raises
    ------
    OSError
        If it cannot be read, or is not a regular file.
    audio.NotAudioError
        If it is empty.
    """
    state = path.stat()
    for is_kind, kind in _KINDS.items():
        if is_kind(state.st_mode):
            raise _NotAFileError(0, f"This is {kind}, not a file")
    if stat.S_ISDIR(state.st_mode):
        os.listdir(path)  # noqa: PTH208, its error says why the folder was not searched
    elif state.st_size == 0:
        raise audio.NotAudioError("This file is empty.")
    return path.open("rb")


def _tagged(path: Path, settings: LibrarySettings, analysis: Analysis) -> Record:
    """Return the record of an analysis; write its tags first if the settings say so."""
    answer = analysis.model_dump(mode="json")
    try:
        tags = _write_tags(path, settings, analysis)
    except TagsError as error:
        return _record(path, settings, analysis=answer, problem=_problem(UNTAGGED, str(error)))
    return _record(path, settings, analysis=answer, tags=tags)


def _write_tags(path: Path, settings: LibrarySettings, analysis: Analysis) -> list[str]:
    """Write the tags of an analysis if the settings say so; return their names.

    Sound can also lie inside another file, such as a form or a disk image. Tags would break it, so
    only a file that presents itself as sound gets them.
    """
    if settings.write_tags is None:
        return []
    if not promises_sound(path):
        raise TagsError("Neither the name nor the first bytes of this file say that it is sound.")
    return write_tags(
        path,
        tags_of(analysis, settings.more_tags),
        replace=settings.write_tags == "replace",
        keep_times=settings.keep_times,
    )


def _problem(slug: str, detail: str) -> dict[str, str]:
    return {"type": PROBLEM_TYPES + slug, "detail": detail}


def _record(
    path: Path,
    settings: LibrarySettings,
    *,
    analysis: dict[str, Any] | None = None,
    problem: dict[str, str] | None = None,
    tags: Iterable[str] = (),
) -> Record:
    """Return a record of a file in its current state."""
    return Record(fingerprint(path, settings), analysis, problem, list(tags))
