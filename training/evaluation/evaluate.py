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
from sklearn.metrics import f1_score
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
    calibration_error,
    calibration_error_by_chance,
    cases,
    figure_of_file,
    figure_of_folds,
    measure,
    medians_by_genre,
    percentiles,
    top_genre,
)
from training.evaluation.neighbours import fidelity, measure_neighbours
from training.files import write_atomically
from training.fit.feature_cache import FeatureCache
from training.fit.predict import concatenate
from training.fit.run import (
    STATE_FILE,
    STUDENT_FILE,
    RunMismatchError,
    check_same_config,
    load,
    run_folder,
    trained_seeds,
)
from training.types import Indices

EVALUATION_FILE = "evaluation.json"
TOGETHER = "together"
EXCERPT_SECONDS = (3, 5, 10, 15)


class SourceFigures(BaseModel):
    """Figures of whole recordings of one source, take ``raw``.

    Attributes
    ----------
    macro_f1 : float
        Over the genres that the source has.
    calibration_error : float
        Expected calibration error, as in `service.card.GenreFigures`.
    calibration_by_chance : float
        The error that exactly right probabilities have on so few recordings.
    coverage : float or None
        Share of true emotions in their intervals; None if there are none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: float
    macro_f1: float
    calibration_error: float
    calibration_by_chance: float
    coverage: float | None


class SourceRow(BaseModel):
    """One source's recordings, with and without that source in the training of the heads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    clips: int
    in_training: SourceFigures
    left_out: SourceFigures


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
    medians : dict of str to (dict of str to float)
        Median of each emotion over the recordings of each genre.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: dict[str, str]
    figures: Figures
    percentiles: dict[Emotion, list[float]]
    sources: list[SourceRow]
    medians: dict[str, dict[Emotion, float]]


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
    network, config, _ = load(dataset, run_folder(runs, fixed, seeds[0]))
    cache = FeatureCache(dataset, runs / STUDENT_FILE, config.head.copies, runs)
    test = [predict_held_out(dataset, cache, runs, [fixed], seed) for seed in seeds]
    excerpts = accuracy_by_seconds(dataset, runs, [fixed], seeds[0])
    on_test = measure(dataset, test, excerpts, figure_of_file)
    on_folds, sources, first = on_test, [], test[0]
    if folds := trained_folds(dataset, runs):
        over_folds = _predict_folds(dataset, cache, runs, folds)
        excerpts = accuracy_by_seconds(dataset, runs, folds, seeds[0])
        on_folds = measure(dataset, over_folds, excerpts, figure_of_folds)
        first = over_folds[0]
        sources = compare_sources(dataset, cache, runs, first)
    evaluation = Evaluation(
        runs=run_digests(runs),
        figures=Figures(
            folds=on_folds,
            test=on_test,
            neighbours=measure_neighbours(dataset, cache),
            features=fidelity(cache.student),
        ),
        percentiles=percentiles(dataset, first.clips, network.emotions),
        sources=sources,
        medians=medians_by_genre(dataset, first.clips, network.emotions),
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
    dataset: Dataset, cache: FeatureCache, runs: Path, folds: Sequence[Split]
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
                window = audio.windows(waveform[: seconds * audio.SAMPLE_RATE])[:1]
                genres = network(torch.from_numpy(audio.log_mel(window)))[0]
                outcomes.append(int(genres[0].argmax()) == dataset.label[track])
        del network
    return {str(seconds): round(float(np.mean(each)), 4) for seconds, each in right.items()}


def compare_sources(
    dataset: Dataset, cache: FeatureCache, runs: Path, within: HeldOut
) -> list[SourceRow]:
    """Compare figures of each source with and without that source in the training of the heads.

    The last row, `TOGETHER`, has the recordings of all these sources, each predicted without its
    own: as many recordings as a calibration error needs.

    Parameters
    ----------
    dataset : Dataset
    cache : FeatureCache
    runs : Path
    within : HeldOut
        Of the cross-validation.
    """
    found = [
        (split, predict_held_out(dataset, cache, runs, [split], seeds[0]))
        for split in splits.leave_one_source_out(dataset)
        if (seeds := trained_seeds(runs, split))
    ]
    parts = [(split.name.removeprefix(splits.WITHOUT), split.test, each) for split, each in found]
    if len(parts) > 1:
        tracks = np.concatenate([split.test for split, _ in found])
        parts.append((TOGETHER, tracks, concatenate([each for _, each in found])))
    return [
        SourceRow(
            source=source,
            clips=int(dataset.is_genre[tracks].sum()),
            in_training=_source_figures(dataset, within, tracks),
            left_out=_source_figures(dataset, without, tracks),
        )
        for source, tracks, without in parts
    ]


def _source_figures(dataset: Dataset, held_out: HeldOut, tracks: Indices) -> SourceFigures:
    """Return the figures of some tracks."""
    clips = held_out.clips.of(tracks)
    true, predicted = cases(dataset, clips, phone=False)
    probability, right = top_genre(dataset, clips)
    chosen = np.isin(held_out.clips.track, tracks) & ~held_out.clips.phone
    known = ~np.isnan(dataset.emotion[held_out.clips.track[chosen]])
    inside = held_out.inside[chosen][known]
    return SourceFigures(
        accuracy=round(float((true == predicted).mean()), 4),
        macro_f1=round(
            float(f1_score(true, predicted, labels=np.unique(true), average="macro")), 4
        ),
        calibration_error=round(calibration_error(probability, right), 4),
        calibration_by_chance=round(calibration_error_by_chance(probability), 4),
        coverage=round(float(inside.mean()), 4) if len(inside) else None,
    )
