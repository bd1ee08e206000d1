"""The recordings of a corpus, with columns of the manifests that only the comparison uses."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from training.data.corpus import EMOTION_MANIFEST, MANIFEST, Subset, read_corpus, read_rows

VOTES = "gems_"  # prefix of columns of the emotion manifest: share of listeners who chose a feeling


@dataclass(frozen=True)
class Clip:
    """A recording and its labels; see `training.data.corpus.Track`.

    Attributes
    ----------
    genre : str
        Empty if it has none of the genres.
    kind : str
        Its genre, or its kind if it has no genre; empty if unknown.
    subgenre : str
        As its source names it; empty if unknown.
    votes : dict of str to float
        Share of listeners by feeling; empty without votes.
    emotion : dict of str to float
        Spotify's values in [0, 1]; empty if unknown.
    """

    id: str
    path: Path
    group: str
    subset: Subset
    genre: str
    kind: str
    subgenre: str
    votes: dict[str, float]
    emotion: dict[str, float]


def read_clips(corpus: Path, most: int | None = None) -> list[Clip]:
    """Read a corpus; raise as `training.data.corpus.read_corpus`.

    Parameters
    ----------
    corpus : Path
    most : int, optional
        Maximum number of recordings of each kind in each subset; the first ones.
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
            emotion=dict(track.emotion),
        )
        for track in read_corpus(corpus.resolve())
    ]
    return clips if most is None else _first(clips, most)


def _by_clip(path: Path) -> dict[str, dict[str, str]]:
    return {row["clip_id"]: row for row in read_rows(path)}


def _votes(row: dict[str, str]) -> dict[str, float]:
    return {
        column.removeprefix(VOTES): float(value)
        for column, value in row.items()
        if column.startswith(VOTES) and value
    }


def _first(clips: list[Clip], most: int) -> list[Clip]:
    seen: Counter[tuple[str, str]] = Counter()
    chosen = []
    for clip in clips:
        seen[clip.kind, clip.subset] += 1
        if seen[clip.kind, clip.subset] <= most:
            chosen.append(clip)
    return chosen
