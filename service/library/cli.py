"""The command: finds recordings and analyses those that have no up-to-date record."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from tqdm import tqdm

from service.library.analyze import NO_SOUND_TYPES, analyze_all, fingerprint, loaded, loaded_head
from service.library.find import Library
from service.library.printing import escape_the_rest, write
from service.library.records import (
    Format,
    JsonLines,
    Record,
    RecordFile,
    Table,
    part_of,
)
from service.library.tags import TagsError
from service.settings import LibrarySettings


def run(settings: LibrarySettings) -> int:
    """Analyze a library.

    Returns
    -------
    status : int
        Exit status of the process: 1 if any recording has a problem, else 0.

    Raises
    ------
    service.model.ModelError, service.taxonomy.TaxonomyError
        If the installed model or taxonomy cannot be used.
    service.model.NoEmbeddingError
        If embeddings are requested and the model has none.
    service.heads.HeadError, service.heads.UnknownHeadError, service.heads.OtherSpaceError
        If the requested head cannot be used.
    service.library.find.MissingPathError
        If there is nothing at a path.
    OutputError
        If the output cannot be written, or is a file with other content.
    TagsError
        If tags are requested and mutagen is not installed.
    """
    if settings.write_tags and not find_spec("mutagen"):
        raise TagsError("Writing tags needs the extra tags: pip install '.[tags]'.")
    # every recording carries the settings to another process, and there may be many paths
    paths, settings = settings.paths, settings.model_copy(update={"paths": ()})
    model, _ = loaded(settings)
    if settings.embedding:
        model.space()
    loaded_head(settings)
    library = Library(paths, exclude=_written(settings.output))
    analysed = failed = 0
    with _open_output(settings, library) as records:
        pending = [path for path in library.candidates if str(path) not in records.done]
        results = analyze_all(pending, settings)
        for record in tqdm(results, total=len(pending), unit="recording", disable=None):
            if _holds_no_sound(record) and library.leave_out(Path(record.fingerprint.path)):
                continue
            records.add(record)
            analysed += 1
            failed += record.problem is not None
        unchanged = len(records.done)
        failed_before = sum(records.done.values())
    sys.stderr.write(_summary(analysed, failed, unchanged, failed_before) + _left_out(library))
    return 1 if failed or failed_before else 0


def _written(output: Path | None) -> list[Path]:
    """Return the files that the command writes."""
    return [] if output is None else [output, part_of(output)]


def _holds_no_sound(record: Record) -> bool:
    return record.problem is not None and record.problem["type"] in NO_SOUND_TYPES


def _open_output(settings: LibrarySettings, library: Library) -> "RecordFile | _StandardOutput":
    """Open the destination of the records."""
    if settings.output is None:
        return _StandardOutput()
    layout: Format = JsonLines()
    if settings.output.suffix == ".csv":
        model, taxonomy = loaded(settings)
        head = loaded_head(settings)
        labels = head.card.labels if head else None
        layout = Table(taxonomy.rename(model.card.genres), model.card.emotions, labels)
    current = (fingerprint(path, settings) for path in library.candidates)
    return RecordFile(settings.output, layout, current)


class _StandardOutput:
    """JSON lines for another program; there are no records of an earlier run."""

    def __init__(self) -> None:
        self.done: dict[str, bool] = {}
        escape_the_rest("utf-8")  # as `JsonLines` has it
        self._layout = JsonLines()

    def add(self, record: Record) -> None:
        write(self._layout.text(record))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _summary(analysed: int, failed: int, unchanged: int, failed_before: int) -> str:
    """Return a line about the recordings."""
    parts = [f"{_count(analysed, 'recording')} analysed"]
    if failed:
        parts.append(f"{failed:,} of them with a problem, see their records")
    if unchanged:
        parts.append(f"{unchanged:,} unchanged since an earlier run")
    if failed_before:
        parts.append(f"{failed_before:,} of those with a problem")
    return f"{'; '.join(parts)}.\n"


def _left_out(library: Library) -> str:
    """Return a line about the files that were left out, if any."""
    parts = []
    if kinds := library.no_sound:
        ranked = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(_count(count, kind) for kind, count in ranked)
        parts.append(f"{_count(kinds.total(), 'file')} without sound ({listed})")
    if library.hidden:
        parts.append(_count(library.hidden, "hidden file or folder", "hidden files and folders"))
    if library.links:
        parts.append(_count(library.links, "link to a folder", "links to folders"))
    return f"Left out: {'; '.join(parts)}.\n" if parts else ""


def _count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"
