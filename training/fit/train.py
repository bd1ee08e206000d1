"""Trains models: their members, each chosen on a validation part of its own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from training.data import splits
from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.data.splits import Split
from training.fit.calibrate import calibrate, validation
from training.fit.checkpoint import FOLDER, fingerprint, load_or_fit
from training.fit.cnn import fit_cnn
from training.fit.config import Config
from training.fit.descriptor_cache import DescriptorCache
from training.fit.mlp import fit_mlp
from training.fit.predict import Logits
from training.fit.run import Trained, assemble, is_done, restore_cnn, restore_mlp, run_folder, save
from training.models.base import device


def train(
    dataset: Dataset, config: Config, runs: Path, *, seeds: int, everything: bool, jobs: int
) -> None:
    """Train every model that is not there yet.

    Parameters
    ----------
    prepared : Prepared
    config : Config
        Its seed is that of the first run.
    runs : Path
        Where the runs go.
    seeds : int
        How many, of the fixed split and of every fold.
    everything : bool
        Whether to train the folds and, from one seed, the left-out sources too, beside the fixed
        split.
    jobs : int
        Processes, where there is no GPU.

    Raises
    ------
    CorpusError
        If there are not two genres to tell apart, or too few groups to divide.
    TrainingDivergedError
        If no epoch of a member has a finite loss.
    """
    if len(dataset.genres) < 2:
        raise CorpusError("There are not two genres to tell apart.")
    described = DescriptorCache(dataset, config.mlp.copies, runs)
    chosen = [splits.fixed(dataset), *(splits.folds(dataset) if everything else [])]
    plans = [(d, replace(config, seed=config.seed + i)) for i in range(seeds) for d in chosen]
    plans += [(d, config) for d in splits.leave_one_source_out(dataset) if everything]
    for split in chosen:
        _check_genres(dataset, split)
    missing = [
        (split, of_seed, run)
        for split, of_seed in plans
        if not is_done(dataset, run := run_folder(runs, split, of_seed.seed), of_seed)
    ]
    train_model = partial(_train_model, dataset, described)
    if device().type == "cuda" or jobs == 1:
        for plan in tqdm(missing, desc="train", unit="model"):
            train_model(*plan)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        done = pool.map(train_model, *zip(*missing, strict=True))
        for _ in tqdm(done, total=len(missing), desc="train", unit="model"):
            pass


def _check_genres(dataset: Dataset, split: Split) -> None:
    """Refuse a division that has all of a genre in its test part."""
    for code, genre in enumerate(dataset.genres):
        if code not in dataset.label[split.learn]:
            raise CorpusError(
                f"All of {genre} is in the test part of {split.name}: nothing is left to learn "
                "it from. Add recordings of more albums or artists."
            )


def _train_model(
    dataset: Dataset, described: DescriptorCache, split: Split, config: Config, run: Path
) -> None:
    """Train the members of one model, calibrate it, and record the run.

    What calibrates it are the parts without which both a perceptron and a convolutional network
    were trained.
    """
    trained = Trained([], [], {})
    heard = []
    parts = splits.parts(dataset, split.learn, config.parts, config.seed)
    for number, part in enumerate(parts):
        seed = config.seed * config.parts + number
        mlp, history = load_or_fit(
            run / FOLDER / f"mlp-{number}.pt",
            fingerprint(dataset, config, config.mlp),
            partial(restore_mlp, dataset, config),
            partial(fit_mlp, dataset, described, config, part, seed),
        )
        trained.mlps.append(mlp)
        trained.histories[f"mlp {number}"] = history
        if number >= config.cnn.members:
            continue
        cnn, history = load_or_fit(
            run / FOLDER / f"cnn-{number}.pt",
            fingerprint(dataset, config, config.cnn),
            partial(restore_cnn, dataset, config),
            partial(fit_cnn, dataset, config, part, seed),
        )
        trained.cnns.append(cnn)
        trained.histories[f"cnn {number}"] = history
        pair = assemble(dataset, config, [mlp], [cnn])
        heard.append(Logits.of(dataset, described, pair, part.valid))
    on_validation = Logits.joined(heard)
    calibration = calibrate(dataset, on_validation)
    save(
        dataset,
        run,
        config,
        trained,
        calibration=calibration,
        validation=validation(dataset, on_validation, calibration),
    )
