"""Runs the comparison: features, embeddings, rows, page. Complete steps are skipped."""

from pathlib import Path

from tqdm import tqdm

from training import parallel
from training.fit.train import run_trainings
from training.studies.compare import backbone, elsewhere, results
from training.studies.compare.classical import AsTheyAre, Classical, KMeansClusters
from training.studies.compare.clips import read_clips
from training.studies.compare.measure import digest_of, measure
from training.studies.compare.page import write_page
from training.studies.compare.rows import ROWS
from training.studies.compare.sample import Budget
from training.studies.compare.store import Store, extract

CLASSICAL = (Classical, AsTheyAre, KMeansClusters)


def compare(
    corpus: Path,
    work: Path,
    docs: Path,
    budget: Budget,
    *,
    teachers: Path | None = None,
    jobs: int | None = None,
) -> Path:
    """Run every row on a corpus, and write the page.

    Parameters
    ----------
    corpus : Path
        As `training.corpus.read_corpus` takes it.
    work : Path
        Folder for features and results; existing ones are used.
    docs : Path
        Folder for the page and its pictures.
    budget : Budget
    teachers : Path, optional
        Folder of networks trained elsewhere; without it, their rows have no figures.
    jobs : int, optional
        Number of processes; one per processor by default.

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
    elsewhere.declare(store, teachers)
    wanted, embedded, heard = _wanted(store)
    extract(store, wanted, jobs)
    backbone.embed(store, embedded, budget, jobs)
    elsewhere.listen(store, heard, teachers, jobs)
    _measure_missing(store, work, budget, jobs)
    return write_page(clips, work, docs)


def _measure_missing(store: Store, work: Path, budget: Budget, jobs: int | None) -> None:
    """Measure the rows without an up-to-date result."""
    missing = [(place, store, work, budget) for place in _missing(store, work, budget)]
    missing.reverse()  # the last take longest
    networks = [task for task in missing if not isinstance(ROWS[task[0]].model, CLASSICAL)]
    others = [task for task in missing if isinstance(ROWS[task[0]].model, CLASSICAL)]
    for message in run_trainings(_run, networks, jobs, "networks"):
        tqdm.write(message)
    results_of_others = parallel.run(_run, others, jobs)
    for message in tqdm(results_of_others, total=len(others), desc="classifiers", unit="row"):
        tqdm.write(message)


Wanted = dict[str, set[int]]


def _wanted(store: Store) -> tuple[Wanted, Wanted, Wanted]:
    """Return the recordings that need each feature: of sound, of backbones, from elsewhere."""
    wanted: Wanted = {}
    for row in ROWS:
        concerned = {i for i, clip in enumerate(store.clips) if row.task.applies_to(clip)}
        for feature in (*row.features, *row.task.needs):
            wanted.setdefault(feature, set()).update(concerned)
    embedded = {name: wanted.pop(name) for name in backbone.BACKBONES}
    heard = {name: wanted.pop(name) for name in elsewhere.ELSEWHERE}
    for name, places in embedded.items():
        wanted[backbone.INPUT] |= places | set(backbone.training_places(name, store.clips))
    return wanted, embedded, heard


def _missing(store: Store, work: Path, budget: Budget) -> list[int]:
    """Return the positions of the rows without an up-to-date result, one of rows that are alike."""
    missing: dict[str, int] = {}
    for place, row in enumerate(ROWS):
        digest, result = digest_of(row, store, budget), results.read(row, work)
        if result is None or result.made_from != digest:
            missing.setdefault(digest, place)
    return list(missing.values())


def _run(place: int, store: Store, work: Path, budget: Budget) -> str:
    """Measure a row, and write its result, also for rows that are alike; return a message."""
    result = measure(ROWS[place], store, budget)
    for row in ROWS:
        if digest_of(row, store, budget) == result.made_from:
            results.write(row, work, result)
    figures = result.reason or f"{sum(result.seconds):.0f} s"
    return f"{results.path_of(ROWS[place], work).stem}: {figures}"
