"""Measures heads that are taught from few recordings, and writes the page."""

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from training.files import write_atomically
from training.studies.teach import alternatives, measures
from training.studies.teach.clips import read_clips
from training.studies.teach.page import Results, page

COUNTS = (5, 10, 20)  # recordings of each label
DRAWS = 20
NOVELTY_DRAWS = 5  # of each, a head for every genre that is left out
LEFT_OUT = 20  # recordings of each label where a genre is left out
SUBGENRE_TRACKS, SUBGENRE_ARTISTS = 5, 3  # least of a subgenre


def study(corpus: Path, records: Path, destination: Path) -> None:
    """Teach heads, measure them, and write a page.

    Parameters
    ----------
    corpus : Path
        With a manifest that has subgenres, tracks and artists.
    records : Path
        ``*.jsonl`` file of the service for the clips of the corpus, with embeddings.
    destination : Path
        Markdown; an existing page is replaced.

    Raises
    ------
    CorpusError
        If a clip that is needed has no record with an embedding.
    """
    clips = read_clips(corpus, records)
    rng = np.random.default_rng(0)
    pool = clips.pool
    with threadpool_limits(1):
        drawn = {
            count: [measures.draw(clips, pool, count, rng) for _ in range(DRAWS)]
            for count in COUNTS
        }
        everything = clips.one_of_each_track(np.flatnonzero(pool))
        novelty = measures.draw(clips, pool, LEFT_OUT, rng)
        genres = range(len(clips.genres))
        subgenres = [
            measures.subgenres(clips, each, SUBGENRE_TRACKS, SUBGENRE_ARTISTS) for each in genres
        ]
        results = Results(
            genres=clips.genres,
            clips=np.bincount(clips.genre[clips.tested]),
            other=int((clips.test & (clips.genre < 0) & ~clips.uncertain).sum()),
            draws=DRAWS,
            shipped=measures.shipped(clips),
            everything=measures.taught(clips, everything),
            heard={
                count: [measures.taught(clips, places) for places in draws]
                for count, draws in drawn.items()
            },
            unheard={
                count: [measures.taught_unheard(clips, count, rng) for _ in range(DRAWS)]
                for count in COUNTS
            },
            claims={
                count: [measures.claim(clips, places) for places in draws]
                for count, draws in drawn.items()
            },
            left_out=[measures.left_out(clips, novelty, genre) for genre in genres],
            scalings=alternatives.scalings(clips, COUNTS, DRAWS),
            novelties=alternatives.novelties(clips, COUNTS, NOVELTY_DRAWS),
            subgenres=[each for each in subgenres if each],
        )
    write_atomically(destination, page(results))
