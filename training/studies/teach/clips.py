"""The clips of a corpus, and what the service says of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.heads.fit import Examples
from training.data.corpus import MANIFEST, UNCERTAIN, CorpusError, read_rows
from training.types import Flags, Floats, Indices

GUIDE = "genre node"  # in the source of a label: a guide to electronic music with its sounds


@dataclass(frozen=True)
class Clips:
    """Clips with a genre, and other music that no network heard in training.

    Attributes
    ----------
    genres : list of str
    vectors : float64 [shape=(n, n_dimensions)]
    genre : int64 [shape=(n,)]
        Place in `genres`; -1 for other music.
    shipped : float64 [shape=(n, n_genres)]
        The genres' probabilities by the shipped model.
    test, valid, uncertain : bool [shape=(n,)]
        Whether no network heard the clip in training, whether it is of the validation part, and
        whether it is other music that may have one of the genres.
    track, artist : int64 [shape=(n,)]
    subgenre : str [shape=(n,)]
        By one guide; empty if it does not name one.
    """

    genres: list[str]
    vectors: Floats
    genre: Indices
    shipped: Floats
    test: Flags
    valid: Flags
    uncertain: Flags
    track: Indices
    artist: Indices
    subgenre: NDArray[np.str_]

    @property
    def tested(self) -> Flags:
        """The clips with a genre that no network heard in training."""
        return self.test & (self.genre >= 0)

    @property
    def pool(self) -> Flags:
        """The clips with a genre of the other parts, by other artists."""
        return ~self.test & (self.genre >= 0)

    def examples(self, places: Indices, label: Indices) -> Examples:
        """Return clips as examples of labels, with artists as groups."""
        return Examples(self.vectors[places], label, self.artist[places])

    def one_of_each_track(self, places: Indices) -> Indices:
        """Return the first of the clips of each track, in the order of the places."""
        _, first = np.unique(self.track[places], return_index=True)
        return np.asarray(places[np.sort(first)])


def read_clips(corpus: Path, records: Path) -> Clips:
    """Read the clips of a corpus, and their records.

    Parameters
    ----------
    corpus : Path
        With a manifest that has subgenres, tracks and artists.
    records : Path
        ``*.jsonl`` file of the service with embeddings.

    Raises
    ------
    CorpusError
        If a clip that is needed has no record with an embedding.
    """
    rows = [row for row in read_rows(corpus / MANIFEST) if row["genre"] or row["split"] == "test"]
    paths = [str((corpus / row["file"]).absolute()) for row in rows]
    analyses = _analyses(records)
    missing = [path for path in paths if path not in analyses]
    if missing or not rows:
        raise CorpusError(
            f"{len(missing)} clips of {corpus} have no embedding in {records}, such as "
            f"{next(iter(missing), 'none')}: write them with python -m service analyze."
        )
    found = [analyses[path] for path in paths]
    genres = sorted({row["genre"] for row in rows} - {""})
    shares = [{each["genre"]: each["probability"] for each in one["genres"]} for one in found]
    return Clips(
        genres=genres,
        vectors=np.array([each["embedding"]["values"] for each in found], np.float64),
        genre=np.array([genres.index(row["genre"]) if row["genre"] else -1 for row in rows]),
        shipped=np.array([[share[genre] for genre in genres] for share in shares]),
        test=np.array([row["split"] == "test" for row in rows]),
        valid=np.array([row["split"] == "valid" for row in rows]),
        uncertain=np.array([row["other"].startswith(UNCERTAIN) for row in rows]),
        track=_numbers([row["track_id"] for row in rows]),
        artist=_numbers([row["artist_group"] or row["track_id"] for row in rows]),
        subgenre=np.array([_subgenre(row) for row in rows]),
    )


def _subgenre(row: dict[str, str]) -> str:
    """Return the subgenre by the guide; other sources name genres, or the same ones otherwise."""
    return row["subgenre"] if GUIDE in row["label_source"] else ""


def _analyses(records: Path) -> dict[str, dict[str, Any]]:
    """Return the analyses with an embedding by path."""
    found = {}
    with records.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record["analysis"] and record["analysis"]["embedding"]:
                found[record["path"]] = record["analysis"]
    return found


def _numbers(names: list[str]) -> Indices:
    return np.asarray(np.unique(names, return_inverse=True)[1])
