"""The command: finds recordings, analyses those that have no record yet, keeps the records."""

import sys
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Self

from tqdm import tqdm

from service.library.analyze import analyze_all, asked_of
from service.library.find import recordings
from service.library.records import Format, JsonLines, Made, Record, RecordFile, Table
from service.library.tags import TagsError
from service.loading import load_served, load_taxonomy
from service.settings import LibrarySettings


def run(settings: LibrarySettings) -> int:
    """Annotate a library; return the process's exit status.

    Raises
    ------
    service.model.ModelError, service.taxonomy.TaxonomyError
        If what is installed cannot be used.
    service.library.find.MissingPathError
        If there is nothing at a path.
    service.library.records.AnotherFileError
        If the output is something else.
    TagsError
        If tags are asked for, and mutagen is not installed.
    OSError
        If the output cannot be written.
    """
    if settings.write_tags and not find_spec("mutagen"):
        raise TagsError("Writing tags needs the extra tags: pip install '.[tags]'.")
    models = load_served(settings)
    card, digest = models[settings.model].card, models[settings.model].digest
    genres = load_taxonomy(settings, models).rename(card.genres)
    found = recordings(settings.paths)
    now = [Made.of(path, digest, asked_of(settings)) for path in found]
    failed = 0
    with _kept(settings, Table(genres, card.emotions), now) as kept:
        waiting = [path for path in found if str(path) not in kept.done]
        records = analyze_all(waiting, settings)
        for record in tqdm(records, total=len(waiting), unit="recording", disable=None):
            kept.add(record)
            failed += record.problem is not None
    sys.stderr.write(_summary(len(waiting), len(found) - len(waiting), failed))
    return 1 if failed else 0


def _kept(
    settings: LibrarySettings, table: Table, now: Iterable[Made]
) -> "RecordFile | _StandardOutput":
    """Open what keeps the records."""
    if settings.output is None:
        return _StandardOutput()
    layout: Format = table if settings.output.suffix == ".csv" else JsonLines()
    return RecordFile(settings.output, layout, now)


class _StandardOutput:
    """JSON lines for another program; nothing of an earlier run is known."""

    done: frozenset[str] = frozenset()

    def add(self, record: Record) -> None:
        sys.stdout.write(JsonLines().written(record))
        sys.stdout.flush()

    def __enter__(self) -> Self:
        sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _summary(analysed: int, before: int, failed: int) -> str:
    """Say in a line what was done."""
    done = [f"{analysed:,} recordings analysed"]
    if failed:
        done.append(f"{failed:,} of them with a problem, see their records")
    if before:
        done.append(f"{before:,} left as they were")
    return f"{'; '.join(done)}.\n"
