"""The whole comparison: features, embeddings, rows, page; each step only where it is not done."""

from pathlib import Path

from tqdm import tqdm

from training.parallel import run
from training.studies.compare import backbone, results
from training.studies.compare.clips import read_clips
from training.studies.compare.measure import made_of, measure
from training.studies.compare.page import write_page
from training.studies.compare.rows import ROWS
from training.studies.compare.sample import Budget
from training.studies.compare.store import Store, extract


def compare(corpus: Path, work: Path, docs: Path, budget: Budget, jobs: int) -> Path:
    """Run every row on a corpus, and write the page.

    Parameters
    ----------
    corpus : Path
        As `training.corpus.read_corpus` takes it.
    work : Path
        Where features and results are kept; what is there already stands.
    docs : Path
        Where the page and its pictures go.
    budget : Budget
    jobs : int
        Processes.

    Returns
    -------
    page : Path

    Raises
    ------
    CorpusError
        If the corpus cannot be used.
    """
    clips = read_clips(corpus, budget.recordings)
    store = Store(work / "features", clips)
    backbone.declare(store, budget)
    wanted, embedded = _wanted(store)
    extract(store, wanted, jobs)
    backbone.embed(store, embedded, budget, jobs)
    undone = reversed(_undone(store, work, budget))  # the last take longest
    tasks = [(place, store, work, budget) for place in undone]
    done = run(_run, tasks, jobs)
    for said in tqdm(done, total=len(tasks), desc="rows", unit="row"):
        tqdm.write(said)
    return write_page(clips, work, docs)


def _wanted(store: Store) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    """Return the recordings that each feature is wanted of: of sound, and of networks."""
    wanted: dict[str, set[int]] = {}
    for row in ROWS:
        concerned = {i for i, clip in enumerate(store.clips) if row.task.concerns(clip)}
        for feature in (*row.features, *row.task.needs):
            wanted.setdefault(feature, set()).update(concerned)
    embedded = {name: wanted.pop(name) for name in backbone.BACKBONES}
    for name, places in embedded.items():
        wanted[backbone.HEARS] |= places | set(backbone.hears(name, store.clips))
    return wanted, embedded


def _undone(store: Store, work: Path, budget: Budget) -> list[int]:
    """Return the rows without a result, or with one of other things."""
    found = [results.read(row, work) for row in ROWS]
    return [
        place
        for place, (row, result) in enumerate(zip(ROWS, found, strict=True))
        if result is None or result.made_of != made_of(row, store, budget)
    ]


def _run(place: int, store: Store, work: Path, budget: Budget) -> str:
    """Measure a row and keep its result; return what to tell."""
    result = measure(ROWS[place], store, budget)
    results.write(ROWS[place], work, result)
    figures = result.reason or f"{sum(result.seconds):.0f} s"
    return f"{results.path_of(ROWS[place], work).stem}: {figures}"
