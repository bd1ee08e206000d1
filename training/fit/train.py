"""Trains the heads of models: each head of a model is validated on another fold."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from training import parallel
from training.data import splits
from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.data.splits import Fold, Split
from training.files import write_atomically
from training.fit.calibrate import calibrate, validation_figures
from training.fit.checkpoint import FOLDER, fingerprint, load_or_fit
from training.fit.config import Config
from training.fit.feature_cache import FeatureCache
from training.fit.head import fit_head
from training.fit.predict import concatenate, predict
from training.fit.run import (
    STUDENT_FILE,
    TrainedMembers,
    assemble,
    is_complete,
    restore_head,
    run_folder,
    save,
)
from training.fit.student_file import load_student
from training.models.base import device
from training.models.head import Head

Result = TypeVar("Result")


def train(
    dataset: Dataset,
    student: Path,
    config: Config,
    runs: Path,
    *,
    seeds: int,
    fixed_only: bool,
    jobs: int | None,
) -> None:
    """Train every model whose run is not complete.

    Parameters
    ----------
    dataset : Dataset
    student : Path
        The student whose features the heads read; the folder of runs gets a copy.
    config : Config
        Its seed is that of the first run. Its width and features are replaced by the student's.
    runs : Path
        The folder of runs.
    seeds : int
        Number of seeds for the fixed split and for every split of the cross-validation.
    fixed_only : bool
        Train on the fixed split only. Otherwise train also for the cross-validation and, from one
        seed, with each source left out.
    jobs : int or None
        Number of processes; None for one per processor. A GPU is used by one.

    Raises
    ------
    CorpusError
        If there are fewer than two genres, or too few groups.
    TrainingDivergedError
        If no epoch of a member has a finite loss.
    """
    if len(dataset.genres) < 2:
        raise CorpusError("There are fewer than two genres.")
    config = config.model_copy(update={"student": load_student(student).config})
    write_atomically(runs / STUDENT_FILE, student.read_bytes())
    cache = FeatureCache(dataset, runs / STUDENT_FILE, config.head.copies, runs, jobs)
    chosen = [splits.fixed_split(dataset)]
    if not fixed_only:
        chosen += splits.cross_validation(dataset)
    for split in chosen:
        _check_genres(dataset, split)
    plans = [(split, config.seed + i) for i in range(seeds) for split in chosen]
    if not fixed_only:
        plans += [(split, config.seed) for split in splits.leave_one_source_out(dataset)]
    missing = []
    for split, seed in plans:
        run, of_seed = run_folder(runs, split, seed), config.model_copy(update={"seed": seed})
        if not is_complete(dataset, run, of_seed):
            missing.append((split, of_seed, run))
    run_trainings(partial(_train_model, dataset, cache), missing, jobs, "train")


def run_trainings(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    jobs: int | None,
    description: str,
) -> list[Result]:
    """Run tasks that train networks, in processes of one thread each, with a progress bar.

    On a GPU they run one after another in this process, since each of them would fill it.
    """
    if device().type == "cuda":
        jobs = 1
    results = parallel.run(function, tasks, jobs, threads=None if jobs == 1 else 1)
    return list(tqdm(results, total=len(tasks), desc=description, unit="model"))


def _check_genres(dataset: Dataset, split: Split) -> None:
    """Raise `CorpusError` if all tracks of a genre are in the test part."""
    for code, genre in enumerate(dataset.genres):
        if code not in dataset.label[split.develop]:
            raise CorpusError(
                f"All recordings of {genre} are in the test part of {split.name}, and none is left "
                "for training. Add recordings of more albums or artists."
            )


def _train_model(
    dataset: Dataset, cache: FeatureCache, split: Split, config: Config, run: Path
) -> None:
    """Train the heads of one model, calibrate the model, and save the run.

    It is calibrated on tracks that a head was not trained on: each track twice, by the head without
    its fold and by a head without its whole source. Music of a new source is met in use.
    """
    trained = TrainedMembers([], {})
    predicted = []

    def fitted(name: str, fold: Fold, seed: int) -> Head:
        head, history = load_or_fit(
            run / FOLDER / f"{name}.pt",
            fingerprint(dataset, cache.student.digest, config),
            partial(restore_head, dataset, config),
            partial(fit_head, dataset, cache, config, fold, seed),
        )
        trained.histories[name] = history
        alone = assemble(dataset, cache.student, [head])
        predicted.append(predict(dataset, cache, alone, fold.valid))
        return head

    folds = splits.member_folds(dataset, split.develop, config.folds, config.seed)
    for number, fold in enumerate(folds):
        trained.heads.append(fitted(f"head {number}", fold, config.seed * config.folds + number))
    for source, fold in splits.source_folds(dataset, split.develop):
        fitted(f"without {source}", fold, config.seed)
    on_validation = concatenate(predicted)
    widths = {emotion: scale.width for emotion, scale in cache.student.scales.items()}
    calibration = calibrate(dataset, on_validation, widths)
    save(
        dataset,
        run,
        config,
        trained,
        calibration=calibration,
        validation=validation_figures(dataset, on_validation, calibration),
    )
