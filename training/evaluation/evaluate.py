"""Measures trained models on tracks that they were not trained on.

The take ``raw`` is the output of the service's decoder; ``phone`` is a simulated recording by a
phone. In the cross-validation every track is predicted once, by the model of the split whose test
part it is in; figures are computed over all of them together, once for each seed. The model of the
first seed ships; no measurement chooses it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from service import audio
from service.card import Emotion, Figures
from training.data import splits
from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.data.splits import Split
from training.data.takes import track_waveform
from training.evaluation.held_out import HeldOut, predict_held_out
from training.evaluation.metrics import (
    accuracy_on,
    figure_of_file,
    figure_of_folds,
    measure,
    percentiles,
)
from training.files import write_atomically
from training.fit.descriptor_cache import DescriptorCache
from training.fit.predict import Predictions
from training.fit.run import (
    STATE_FILE,
    RunMismatchError,
    check_same_config,
    load,
    run_folder,
    trained_seeds,
)

EVALUATION_FILE = "evaluation.json"
EXCERPT_SECONDS = (3, 5, 10, 15)


class SourceRow(BaseModel):
    """The accuracy for one source's recordings, with and without that source in training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    clips: int
    in_training: float
    left_out: float


class Evaluation(BaseModel):
    """Everything that was measured of a folder of runs.

    Attributes
    ----------
    runs : dict of str to str
        SHA-256 of the state of each run that was measured.
    figures : Figures
        `Figures.folds` equals `Figures.test` if the cross-validation was not trained.
    percentiles : dict of str to list of float
        As in `service.card.Card`.
    sources : list of SourceRow
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: dict[str, str]
    figures: Figures
    percentiles: dict[Emotion, list[float]]
    sources: list[SourceRow]


def evaluate(dataset: Dataset, runs: Path) -> Evaluation:
    """Measure all runs, and write `EVALUATION_FILE`.

    Parameters
    ----------
    dataset : Dataset
        The dataset of the runs.
    runs : Path
        Written by `training.fit.train`.

    Raises
    ------
    CorpusError
        If no test recording has a genre.
    RunMismatchError
        If runs have another dataset or another configuration, or the cross-validation is
        incomplete.
    FileNotFoundError
        If there is no run.
    """
    fixed = splits.fixed_split(dataset)
    seeds = trained_seeds(runs, fixed)
    if not seeds:
        raise FileNotFoundError(f"{runs} has no trained runs.")
    if not dataset.is_genre[fixed.test].any():
        raise CorpusError("No test recording has a genre: there is nothing to measure.")
    check_same_config(runs)
    config = load(dataset, run_folder(runs, fixed, seeds[0]))[1]
    cache = DescriptorCache(dataset, config.mlp.copies, runs)
    test = [predict_held_out(dataset, cache, runs, [fixed], seed) for seed in seeds]
    excerpts = accuracy_by_seconds(dataset, runs, [fixed], seeds[0])
    on_test = measure(dataset, test, excerpts, figure_of_file)
    on_folds, sources, first = on_test, [], test[0].clips
    if folds := trained_folds(dataset, runs):
        over_folds = _predict_folds(dataset, cache, runs, folds)
        excerpts = accuracy_by_seconds(dataset, runs, folds, seeds[0])
        on_folds = measure(dataset, over_folds, excerpts, figure_of_folds)
        first = over_folds[0].clips
        sources = compare_sources(dataset, cache, runs, first)
    evaluation = Evaluation(
        runs=run_digests(runs),
        figures=Figures(folds=on_folds, test=on_test),
        percentiles=percentiles(dataset, first),
        sources=sources,
    )
    write_atomically(runs / EVALUATION_FILE, evaluation.model_dump_json(indent=1))
    return evaluation


def read_evaluation(runs: Path) -> Evaluation:
    """Return the evaluation of a folder of runs.

    Raises
    ------
    RunMismatchError
        If the runs were not evaluated, or changed since.
    """
    path = runs / EVALUATION_FILE
    evaluation = Evaluation.model_validate_json(path.read_text()) if path.exists() else None
    if evaluation is None or evaluation.runs != run_digests(runs):
        raise RunMismatchError(f"The runs in {runs} are not evaluated as they are: evaluate them.")
    return evaluation


def _predict_folds(
    dataset: Dataset, cache: DescriptorCache, runs: Path, folds: Sequence[Split]
) -> list[HeldOut]:
    """Return the predictions of the cross-validation, one for each seed."""
    seeds = [trained_seeds(runs, fold) for fold in folds]
    if any(found != seeds[0] for found in seeds):
        raise RunMismatchError(f"The cross-validation in {runs} is incomplete: train the rest.")
    return [predict_held_out(dataset, cache, runs, folds, seed) for seed in seeds[0]]


def trained_folds(dataset: Dataset, runs: Path) -> list[Split]:
    """Return the splits of the cross-validation; none if only the fixed split was trained."""
    return splits.cross_validation(dataset) if any(runs.glob("fold-*")) else []


def run_digests(runs: Path) -> dict[str, str]:
    """Return the SHA-256 of the state of each run."""
    return {
        state.parent.relative_to(runs).as_posix(): hashlib.sha256(state.read_bytes()).hexdigest()
        for state in sorted(runs.glob(f"*/*/{STATE_FILE}"))
    }


@torch.no_grad()
def accuracy_by_seconds(
    dataset: Dataset, runs: Path, of_splits: Sequence[Split], seed: int
) -> dict[str, float]:
    """Return the accuracy for the first seconds of each test recording.

    The waveform passes through the whole front-end again. One network is in memory at a time.
    """
    right: dict[int, list[bool]] = {seconds: [] for seconds in EXCERPT_SECONDS}
    for split in of_splits:
        network = load(dataset, run_folder(runs, split, seed))[0]
        tracks = split.test[dataset.is_genre[split.test]]
        for track in tqdm(tracks, desc=f"excerpts of {split.name}", unit="clip"):
            waveform = track_waveform(dataset.tracks[track])
            for seconds, outcomes in right.items():
                windows = audio.windows(waveform[: seconds * audio.SAMPLE_RATE])
                genres = network(torch.from_numpy(audio.log_mel(windows)))[0]
                outcomes.append(int(genres[0].argmax()) == dataset.label[track])
        del network
    return {str(seconds): round(float(np.mean(each)), 4) for seconds, each in right.items()}


def compare_sources(
    dataset: Dataset, cache: DescriptorCache, runs: Path, within: Predictions
) -> list[SourceRow]:
    """Compare the accuracy for each source with and without that source in training.

    Parameters
    ----------
    dataset : Dataset
    cache : DescriptorCache
    runs : Path
    within : Predictions
        For clips, of the cross-validation.
    """
    rows = []
    for split in splits.leave_one_source_out(dataset):
        if not (seeds := trained_seeds(runs, split)):
            continue
        without = predict_held_out(dataset, cache, runs, [split], seeds[0])
        row = SourceRow(
            source=split.name.removeprefix("without-"),
            clips=int(dataset.is_genre[split.test].sum()),
            in_training=accuracy_on(dataset, within, split.test),
            left_out=accuracy_on(dataset, without.clips, split.test),
        )
        rows.append(row)
    return rows
