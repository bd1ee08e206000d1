"""What a row came to, and where that is kept."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.studies.compare.rows import Row
from training.studies.compare.sample import Epoch


@dataclass(frozen=True)
class Result:
    """What a row came to; of what a row is not asked, nothing.

    Attributes
    ----------
    made_of : str
        Digest of all that it depends on.
    reason : str
        Why the corpus cannot carry the row; empty where it does.
    accuracy, macro_f1, seconds : list of float
        One for each seed; seconds of a processor, of learning and answering, over all folds.
    spearman : dict of str to list of float
        By scale, over recordings.
    classes : list of str
    confusion : list of list of int
        Of the first seed; a row for each true class.
    history : list of Epoch
        Of the first seed's last network.
    elbow : list of float
    notes : list of str
    """

    made_of: str
    reason: str = ""
    accuracy: list[float] = field(default_factory=list)
    macro_f1: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    spearman: dict[str, list[float]] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)
    elbow: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def path_of(row: Row, work: Path) -> Path:
    """Return the file of a row's result."""
    said = " ".join([str(row.section), *row.features, row.name, row.task.name])
    return work / "rows" / f"{'-'.join(said.replace(',', '').split())}.json"


def read(row: Row, work: Path) -> Result | None:
    """Return a row's result, if there is one."""
    path = path_of(row, work)
    if not path.exists():
        return None
    said = json.loads(path.read_text())
    return Result(**said | {"history": [Epoch(**epoch) for epoch in said["history"]]})


def write(row: Row, work: Path, result: Result) -> None:
    """Keep a row's result, only as a whole."""
    path = path_of(row, work)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(result), indent=1))
    partial.replace(path)
