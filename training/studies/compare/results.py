"""The results of rows, and their files."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.files import write_atomically
from training.studies.compare.rows import Row
from training.studies.compare.sample import Epoch


@dataclass(frozen=True)
class Result:
    """The result of one row; metrics that do not apply are empty.

    Attributes
    ----------
    made_from : str
        Digest of everything that the result depends on.
    reason : str
        Why the corpus does not suffice for the row; empty if it does.
    accuracy, macro_f1, seconds : list of float
        One for each seed; seconds are processor time of training and prediction, over all folds.
    spearman : dict of str to list of float
        By scale, by recording.
    classes : list of str
    confusion : list of list of int
        Of the first seed; one row per true class.
    history : list of Epoch
        Of the first seed's last network.
    elbow : list of float
    notes : list of str
    """

    made_from: str
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
    name = " ".join([str(row.section), *row.features, row.name, row.task.name])
    return work / "rows" / f"{'-'.join(name.replace(',', '').split())}.json"


def read(row: Row, work: Path) -> Result | None:
    """Return a row's result, if there is one."""
    path = path_of(row, work)
    if not path.exists():
        return None
    saved = json.loads(path.read_text())
    if "made_from" not in saved:  # an older format
        return None
    return Result(**saved | {"history": [Epoch(**epoch) for epoch in saved["history"]]})


def write(row: Row, work: Path, result: Result) -> None:
    """Write a row's result."""
    write_atomically(path_of(row, work), json.dumps(asdict(result), indent=1))
