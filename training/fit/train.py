"""Trains models: ensembles whose members are each validated on another fold."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from training import parallel
from training.data import splits
from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.data.splits import Split
from training.fit.calibrate import calibrate, validation_figures
from training.fit.checkpoint import FOLDER, fingerprint, load_or_fit
from training.fit.cnn import fit_cnn
from training.fit.config import Config
from training.fit.descriptor_cache import DescriptorCache
from training.fit.mlp import fit_mlp
from training.fit.predict import concatenate, predict
from training.fit.run import (
    TrainedMembers,
    assemble,
    is_complete,
    restore_cnn,
    restore_mlp,
    run_folder,
    save,
)
from training.models.base import device

Result = TypeVar("Result")


def train(
    dataset: Dataset, config: Config, runs: Path, *, seeds: int, fixed_only: bool, jobs: int | None
) -> None:
    """Train every model whose run is not complete.

    Parameters
    ----------
    dataset : Dataset
    config : Config
        Its seed is that of the first run.
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
    cache = DescriptorCache(dataset, config.mlp.copies, runs)
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
    dataset: Dataset, cache: DescriptorCache, split: Split, config: Config, run: Path
) -> None:
    """Train the members of one model, calibrate the model, and save the run.

    It is calibrated on the folds that have both an MLP and a CNN.
    """
    trained = TrainedMembers([], [], {})
    predicted = []
    folds = splits.member_folds(dataset, split.develop, config.folds, config.seed)
    for number, fold in enumerate(folds):
        seed = config.seed * config.folds + number
        mlp, history = load_or_fit(
            run / FOLDER / f"mlp-{number}.pt",
            fingerprint(dataset, config, config.mlp),
            partial(restore_mlp, dataset, config),
            partial(fit_mlp, dataset, cache, config, fold, seed),
        )
        trained.mlps.append(mlp)
        trained.histories[f"mlp {number}"] = history
        if number >= config.cnn.members:
            continue
        cnn, history = load_or_fit(
            run / FOLDER / f"cnn-{number}.pt",
            fingerprint(dataset, config, config.cnn),
            partial(restore_cnn, dataset, config),
            partial(fit_cnn, dataset, config, fold, seed),
        )
        trained.cnns.append(cnn)
        trained.histories[f"cnn {number}"] = history
        pair = assemble(dataset, config, [mlp], [cnn])
        predicted.append(predict(dataset, cache, pair, fold.valid))
    on_validation = concatenate(predicted)
    calibration = calibrate(dataset, on_validation)
    save(
        dataset,
        run,
        config,
        trained,
        calibration=calibration,
        validation=validation_figures(dataset, on_validation, calibration),
    )
