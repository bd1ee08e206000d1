"""Analyses the recordings of a library by several processes.

A process that dies, as by a file that crashes the decoder, takes nothing with it: what was under
way is tried again, each recording in a process of its own, and the one that kills it again is
recorded so.
"""

import multiprocessing
import signal
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from service import audio
from service.analysis import analyze
from service.library.records import Made, Record
from service.library.tags import TagsError, tags_of, write_tags
from service.loading import load_served, load_taxonomy
from service.model import Scorer
from service.schemas import PROBLEM_TYPES, Analysis
from service.settings import LibrarySettings
from service.taxonomy import Taxonomy

CRASHED = "decoder-crash"
UNREADABLE = "unreadable-file"
UNTAGGED = "tags-not-written"
"""Slugs of problems of files alone, beside those of `audio.AudioError`."""

AHEAD = 2  # recordings handed to each process, so that none waits


def asked_of(settings: LibrarySettings) -> tuple[str, ...]:
    """Return what is asked for beside the analysis, as `records.Made` has it."""
    asked = {"timeline": settings.timeline, "tags": settings.write_tags is not None}
    return tuple(name for name, wanted in asked.items() if wanted)


def analyze_all(paths: Iterable[Path], settings: LibrarySettings) -> Iterator[Record]:
    """Analyse recordings, and give the record of each when it is there.

    Parameters
    ----------
    paths : iterable of Path
    settings : LibrarySettings
        Names a model that can be served.
    """
    waiting, more = iter(paths), True
    while more:
        suspects = yield from _until_one_dies(waiting, settings)
        for path in suspects:
            yield _alone(path, settings)
        more = bool(suspects)


def _until_one_dies(
    waiting: Iterator[Path], settings: LibrarySettings
) -> Generator[Record, None, list[Path]]:
    """Analyse until a process dies; return what was under way, nothing if all is done."""
    running: dict[Path, Future[Record]] = {}
    with _pool(settings.jobs) as pool:
        try:
            while True:
                for path in islice(waiting, AHEAD * settings.jobs - len(running)):
                    running[path] = Future()  # it is under way even if it cannot be handed over
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
    """Analyse a recording in a process of its own."""
    with _pool(1) as pool:
        try:
            return pool.submit(analyze_file, path, settings).result()
        except BrokenProcessPool:
            return _record(
                path,
                settings,
                problem=_problem(CRASHED, "The decoder crashed on it."),
            )


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Start processes that leave it to this one to be interrupted."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))


@cache
def _loaded(settings: LibrarySettings) -> tuple[Scorer, Taxonomy]:
    """Load the model that is asked and the operator's names, once in a process."""
    models = load_served(settings)
    return models[settings.model], load_taxonomy(settings, models)


def analyze_file(path: Path, settings: LibrarySettings) -> Record:
    """Analyse one recording, and write its tags if that is asked for."""
    model, taxonomy = _loaded(settings)
    bounds = audio.Bounds(settings.max_seconds, settings.decode_seconds)
    try:
        with path.open("rb") as file:
            analysis = analyze(file, model, bounds, taxonomy, timeline=settings.timeline)
    except audio.AudioError as error:
        return _record(path, settings, problem=_problem(error.slug, str(error)))
    except OSError as error:
        return _record(path, settings, problem=_problem(UNREADABLE, f"{error.strerror}."))
    return _tagged(path, settings, analysis)


def _tagged(path: Path, settings: LibrarySettings, analysis: Analysis) -> Record:
    """Write the tags of an analysis, if that is asked for."""
    said = {"analysis": analysis.model_dump(mode="json")}
    if settings.write_tags is None:
        return _record(path, settings, **said)
    replace = settings.write_tags == "replace"
    try:
        written = write_tags(
            path, tags_of(analysis), replace=replace, keep_times=settings.keep_times
        )
    except TagsError as error:
        return _record(path, settings, **said, problem=_problem(UNTAGGED, str(error)))
    return _record(path, settings, **said, tags=written)


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
    model, _ = _loaded(settings)
    made = Made.of(path, model.digest, asked_of(settings))
    return Record(made, analysis, problem, list(tags))
