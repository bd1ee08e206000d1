"""Trains models: their members, each chosen on a validation part of its own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from training import divisions
from training.calibrate import Heard, calibrate, validation
from training.corpus import CorpusError
from training.described import Described
from training.device import device
from training.divisions import Division
from training.fit_convolutional import fit_convolutional
from training.fit_perceptron import fit_perceptron
from training.kept import FOLDER, kept_or_fitted, made_of
from training.prepared import Prepared
from training.runs import (
    Config,
    Trained,
    assembled,
    convolutional_of,
    is_done,
    perceptron_of,
    run_folder,
    save,
)


def train(
    prepared: Prepared, config: Config, runs: Path, *, seeds: int, everything: bool, jobs: int
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
    if len(prepared.genres) < 2:
        raise CorpusError("There are not two genres to tell apart.")
    described = Described(prepared, config.perceptron.copies, runs)
    chosen = [divisions.fixed(prepared), *(divisions.folds(prepared) if everything else [])]
    plans = [(d, replace(config, seed=config.seed + i)) for i in range(seeds) for d in chosen]
    plans += [(d, config) for d in divisions.left_out_sources(prepared) if everything]
    for division in chosen:
        _check_genres(prepared, division)
    missing = [
        (division, of_seed, run)
        for division, of_seed in plans
        if not is_done(prepared, run := run_folder(runs, division, of_seed.seed), of_seed)
    ]
    train_model = partial(_train_model, prepared, described)
    if device().type == "cuda" or jobs == 1:
        for plan in tqdm(missing, desc="train", unit="model"):
            train_model(*plan)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        done = pool.map(train_model, *zip(*missing, strict=True))
        for _ in tqdm(done, total=len(missing), desc="train", unit="model"):
            pass


def _check_genres(prepared: Prepared, division: Division) -> None:
    """Refuse a division that has all of a genre in its test part."""
    for code, genre in enumerate(prepared.genres):
        if code not in prepared.label[division.learn]:
            raise CorpusError(
                f"All of {genre} is in the test part of {division.name}: nothing is left to learn "
                "it from. Add recordings of more albums or artists."
            )


def _train_model(
    prepared: Prepared, described: Described, division: Division, config: Config, run: Path
) -> None:
    """Train the members of one model, calibrate it, and record the run.

    What calibrates it are the parts without which both a perceptron and a convolutional network
    were trained.
    """
    trained = Trained([], [], {})
    heard = []
    parts = divisions.parts(prepared, division.learn, config.parts, config.seed)
    for number, part in enumerate(parts):
        seed = config.seed * config.parts + number
        perceptron, history = kept_or_fitted(
            run / FOLDER / f"perceptron-{number}.pt",
            made_of(prepared, config, config.perceptron),
            partial(perceptron_of, prepared, config),
            partial(fit_perceptron, prepared, described, config, part, seed),
        )
        trained.perceptrons.append(perceptron)
        trained.histories[f"perceptron {number}"] = history
        if number >= config.convolutional.members:
            continue
        convolutional, history = kept_or_fitted(
            run / FOLDER / f"convolutional-{number}.pt",
            made_of(prepared, config, config.convolutional),
            partial(convolutional_of, prepared, config),
            partial(fit_convolutional, prepared, config, part, seed),
        )
        trained.convolutionals.append(convolutional)
        trained.histories[f"convolutional {number}"] = history
        pair = assembled(prepared, config, [perceptron], [convolutional])
        heard.append(Heard.of(prepared, described, pair, part.valid))
    on_validation = Heard.joined(heard)
    calibration = calibrate(prepared, on_validation)
    save(
        prepared,
        run,
        config,
        trained,
        calibration=calibration,
        validation=validation(prepared, on_validation, calibration),
    )
