"""The recordings of a corpus, with what only the comparison asks of its manifests."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from training.data.corpus import EMOTION_MANIFEST, MANIFEST, Subset, read_corpus

VOTES = "gems_"  # columns of the emotion manifest: the share of listeners who ticked a feeling


@dataclass(frozen=True)
class Clip:
    """A recording and what is known of it; see `training.corpus.Track`.

    Attributes
    ----------
    genre : str
        One of the genres, or empty.
    kind : str
        Its genre, or what it is where it is of none; empty where nobody knows.
    subgenre : str
        As its source says it; empty where it does not.
    votes : dict of str to float
        Share of listeners by feeling; empty where nobody was asked.
    emotion : dict of str to (float, str)
        Value in [0, 1] and origin of valence and energy.
    """

    id: str
    path: Path
    group: str
    subset: Subset
    genre: str
    kind: str
    subgenre: str
    votes: dict[str, float]
    emotion: dict[str, tuple[float, str]]


def read_clips(corpus: Path, most: int | None = None) -> list[Clip]:
    """Read a corpus as `training.corpus.read_corpus` does, and raise as it does.

    Parameters
    ----------
    corpus : Path
    most : int, optional
        Recordings of each kind on each side of the split; the first ones.
    """
    rows = _by_clip(corpus / MANIFEST)
    labels = _by_clip(corpus / EMOTION_MANIFEST)
    clips = [
        Clip(
            id=track.id,
            path=track.path,
            group=track.group,
            subset=track.subset,
            genre=track.genre or "",
            kind=track.genre or track.other or "",
            subgenre=rows.get(track.id, {}).get("subgenre", ""),
            votes=_votes(labels.get(track.id, {})),
            emotion={name: (e.value, e.origin) for name, e in track.emotion.items()},
        )
        for track in read_corpus(corpus.resolve())
    ]
    return clips if most is None else _first(clips, most)


def _by_clip(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["clip_id"]: row for row in csv.DictReader(file)}


def _votes(row: dict[str, str]) -> dict[str, float]:
    return {
        column.removeprefix(VOTES): float(value)
        for column, value in row.items()
        if column.startswith(VOTES) and value
    }


def _first(clips: list[Clip], most: int) -> list[Clip]:
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for clip in clips:
        seen[clip.kind, clip.subset] += 1
        if seen[clip.kind, clip.subset] <= most:
            kept.append(clip)
    return kept
