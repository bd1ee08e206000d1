"""Measures trained models on what they never heard.

Conventions
-----------
* Recordings are heard as the service hears them: decoded and cut into windows by `service.audio`,
  their silences left in (take ``heard``), and as a phone would have recorded them (``phone``).
* By *window*: each 15 s window is a case. By *clip*: each recording is one, its windows' answers
  averaged, as the service averages them.
* Over the folds, every recording is answered once, by the model that learnt from the other folds;
  figures are computed over all of them together, once for each seed.
* Emotion is compared within one origin of labels, by clip: by ranks (Spearman) and by whether the
  80 % interval, moved to the origin's own scale, holds the label. A mood is compared with that of
  the labels, both parted in the middle of their scales.
* The model of the first seed ships; no measurement chooses it.
"""

import hashlib
import json
from pathlib import Path

import torch
from tqdm import tqdm

from service import audio
from service.card import (
    Figures,
)
from training.data import splits
from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.data.splits import Split
from training.data.takes import track_waveform
from training.evaluation.held_out import HeldOut, held_out_predictions
from training.evaluation.metrics import (
    accuracy_on,
    figure_of_file,
    figure_without_file,
    measure,
    percentiles,
)
from training.fit.descriptor_cache import DescriptorCache
from training.fit.run import STATE_FILE, RunMismatchError, check_alike, load, run_folder, seeds_of

FIGURES_FILE = "figures.json"
SOURCES_FILE = "sources.json"
PERCENTILES_FILE = "percentiles.json"
MEASURED_FILE = "measured.json"
HEARD_SECONDS = (3, 5, 10, 15)


def evaluate(dataset: Dataset, runs: Path) -> Figures:
    """Measure all runs, and write `FIGURES_FILE`, `PERCENTILES_FILE` and `SOURCES_FILE`.

    Parameters
    ----------
    prepared : Prepared
        What the runs were trained on.
    runs : Path
        As `training.fit.train` leaves it.

    Returns
    -------
    figures : Figures
        `Figures.folds` is that of the fixed split where the folds were not trained.

    Raises
    ------
    CorpusError
        If there is nothing to measure.
    AnotherRunError
        If a run was trained on something else or otherwise, or the folds are not complete.
    FileNotFoundError
        If there is no run.
    """
    fixed = splits.fixed(dataset)
    seeds = seeds_of(runs, fixed)
    if not seeds:
        raise FileNotFoundError(f"{runs} holds no trained runs.")
    if not dataset.is_genre[fixed.test].any():
        raise CorpusError("No recording in test has a genre: there is nothing to measure.")
    check_alike(runs)
    config = load(dataset, run_folder(runs, fixed, seeds[0]))[1]
    described = DescriptorCache(dataset, config.mlp.copies, runs)
    test = [held_out_predictions(dataset, described, runs, [fixed], seed) for seed in seeds]
    figures = measure(dataset, test, _by_seconds(dataset, runs, [fixed], seeds[0]), figure_of_file)
    over_folds = _over_folds(dataset, described, runs)
    measured = Figures(folds=figures, test=figures)
    if over_folds:
        heard = _by_seconds(dataset, runs, splits.folds(dataset), seeds[0])
        folds = measure(dataset, over_folds, heard, figure_without_file)
        measured = Figures(folds=folds, test=figures)
    (runs / FIGURES_FILE).write_text(measured.model_dump_json(indent=1))
    scores = percentiles(dataset, (over_folds or test)[0])
    (runs / PERCENTILES_FILE).write_text(json.dumps(scores, indent=1))
    sources = across_sources(dataset, described, runs, over_folds[0]) if over_folds else []
    (runs / SOURCES_FILE).write_text(json.dumps(sources, indent=1))
    (runs / MEASURED_FILE).write_text(stamps(runs))
    return measured


def _over_folds(dataset: Dataset, described: DescriptorCache, runs: Path) -> list[HeldOut]:
    """Have the folds' models answer, if they were trained, once for each seed."""
    folds = trained_folds(dataset, runs)
    seeds = [seeds_of(runs, fold) for fold in folds]
    if any(found != seeds[0] for found in seeds):
        raise RunMismatchError(f"The folds in {runs} are not trained to their end.")
    each = seeds[0] if folds else []
    return [held_out_predictions(dataset, described, runs, folds, seed) for seed in each]


def trained_folds(dataset: Dataset, runs: Path) -> list[Split]:
    """Return the folds; none where only the fixed split was trained."""
    return splits.folds(dataset) if any(runs.glob("fold-*")) else []


def stamps(runs: Path) -> str:
    """Return what tells these trained runs from any others, as JSON."""
    states = sorted(runs.glob(f"*/*/{STATE_FILE}"))
    digests = {
        state.parent.relative_to(runs).as_posix(): hashlib.sha256(state.read_bytes()).hexdigest()
        for state in states
    }
    return json.dumps(digests, indent=1)


@torch.no_grad()
def _by_seconds(dataset: Dataset, runs: Path, parts: list[Split], seed: int) -> dict[str, float]:
    """Return the accuracy where only the first seconds are heard, through the whole front-end."""
    right = dict.fromkeys(HEARD_SECONDS, 0)
    cases = [
        (load(dataset, run_folder(runs, part, seed))[0], track)
        for part in parts
        for track in part.test[dataset.is_genre[part.test]]
    ]
    for network, track in tqdm(cases, desc="evaluate", unit="clip"):
        waveform = track_waveform(dataset.tracks[track])
        for seconds in HEARD_SECONDS:
            windows = audio.windows(waveform[: seconds * audio.SAMPLE_RATE])
            genres = network(torch.from_numpy(audio.log_mel(windows)))[0]
            right[seconds] += int(genres[0].argmax() == dataset.label[track])
    return {str(seconds): round(n / len(cases), 4) for seconds, n in right.items()}


def across_sources(
    dataset: Dataset, described: DescriptorCache, runs: Path, within: HeldOut
) -> list[dict[str, object]]:
    """Compare recordings of a source with and without that source among the training.

    Parameters
    ----------
    prepared : Prepared
    described : Described
    runs : Path
    within : Answers
        Over the folds.

    Returns
    -------
    rows : list of dict
        ``source``, ``clips``, and the accuracy of the left-out source's own recordings,
        ``without`` by the model that never saw the source and ``with`` over the folds.
    """
    rows: list[dict[str, object]] = []
    for split in splits.leave_one_source_out(dataset):
        if not (seeds := seeds_of(runs, split)):
            continue
        without = held_out_predictions(dataset, described, runs, [split], seeds[0])
        rows.append(
            {
                "source": split.name.removeprefix("without-"),
                "clips": int(dataset.is_genre[split.test].sum()),
                "without": accuracy_on(dataset, without, split.test),
                "with": accuracy_on(dataset, within, split.test),
            }
        )
    return rows
