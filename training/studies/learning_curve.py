"""Measures what more recordings would bring: trains on shares of those that there are.

Perceptrons alone, since they train in seconds; each learns from a share of the groups of each
class, and answers to the validation part that it was trained without. Test is not touched.
"""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from tqdm import tqdm

from training.data import splits
from training.data.dataset import Dataset
from training.data.splits import Fold
from training.fit.config import Config
from training.fit.descriptor_cache import DescriptorCache
from training.fit.mlp import fit_mlp
from training.types import Indices

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the groups of each class
SEEDS = 3


def learning_curve(dataset: Dataset, config: Config, runs: Path, page: Path, jobs: int) -> None:
    """Train on every share from every seed, and write a page about it.

    Parameters
    ----------
    prepared : Prepared
    config : Config
    runs : Path
        Where descriptors are kept, as in `training.fit.train`.
    page : Path
        Markdown, written anew.
    jobs : int
        Processes.
    """
    described = DescriptorCache(dataset, config.mlp.copies, runs)
    plans = list(product(SHARES, range(SEEDS)))
    probabilities = partial(_answers, dataset, described, config)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        done = pool.map(probabilities, *zip(*plans, strict=True))
        answers = list(tqdm(done, total=len(plans), desc="learning curve", unit="model"))
    by_share = [answers[i : i + SEEDS] for i in range(0, len(plans), SEEDS)]
    page.write_text(_page(dataset, by_share))


def _answers(
    dataset: Dataset, described: DescriptorCache, config: Config, share: float, seed: int
) -> tuple[Indices, Indices]:
    """Return true and answered genres of all windows, as heard, that may be validated on."""
    true, answered = [], []
    learn = splits.fixed(dataset).learn
    rng = np.random.default_rng(seed)
    for part in splits.parts(dataset, learn, config.parts, seed):
        some = Fold(share_of_groups(dataset, part.train, share, rng), part.valid)
        member, _ = fit_mlp(dataset, described, config, some, seed)
        rows = dataset.rows("heard", part.valid[dataset.is_genre[part.valid]])
        with torch.no_grad():
            classes, _ = member.logits(torch.from_numpy(described.values[rows]))
        true.append(dataset.label[dataset.track_of[rows]])
        answered.append(classes[:, : len(dataset.genres)].argmax(1).numpy())
    return np.concatenate(true), np.concatenate(answered)


def share_of_groups(
    dataset: Dataset, tracks: Indices, share: float, rng: np.random.Generator
) -> Indices:
    """Return the tracks of a share of the groups of each class, of at least one group.

    Parameters
    ----------
    prepared : Prepared
    tracks : int64 [shape=(n,)]
    share : float
    rng : numpy.random.Generator
    """
    kept: set[str] = set()
    for label in np.unique(dataset.label[tracks]):
        groups = np.unique(dataset.groups[tracks[dataset.label[tracks] == label]])
        kept |= set(rng.permutation(groups)[: max(round(share * len(groups)), 1)])
    return tracks[np.isin(dataset.groups[tracks], list(kept))]


def _page(dataset: Dataset, by_share: Sequence[Sequence[tuple[Indices, Indices]]]) -> str:
    """Print tables: overall and by genre, mean and spread over the seeds."""
    labels = list(range(len(dataset.genres)))
    rows = {"accuracy": [[accuracy_score(*each) for each in seeds] for seeds in by_share]}
    rows["macro F1"] = [
        [f1_score(*each, average="macro", labels=labels, zero_division=0) for each in seeds]
        for seeds in by_share
    ]
    for label, genre in enumerate(dataset.genres):
        rows[_counted(dataset, label, genre)] = [
            [f1_score(*each, average=None, labels=[label], zero_division=0)[0] for each in seeds]
            for seeds in by_share
        ]
    head = ["one window", *(f"{share:.3g}" for share in SHARES), "last doubling"]
    return "\n".join(
        [
            "# What more recordings would bring",
            "",
            "*Written by `python -m training learning-curve`; run it again rather than edit.*",
            "",
            "Perceptrons trained on a share of the artists of each class answer to validation",
            f"recordings; mean ± spread over {SEEDS} seeds. By genre: F1, with recordings and",
            "artists outside test. The last column is what the last doubling of the artists gave,",
            "with the standard error of that difference.",
            "",
            f"| {' | '.join(head)} |",
            f"|{' --- |' * len(head)}",
            *(_row(name, values) for name, values in rows.items()),
            "",
        ]
    )


def _counted(dataset: Dataset, label: int, genre: str) -> str:
    learn = splits.fixed(dataset).learn
    real = learn[(dataset.label[learn] == label) & ~dataset.synthetic[learn]]
    return f"{genre} ({len(real)}, {len(set(dataset.groups[real]))})"


def _row(name: str, values: list[list[float]]) -> str:
    cells = [f"{np.mean(each):.2f} ± {np.std(each, ddof=1):.2f}" for each in values]
    gain = np.mean(values[-1]) - np.mean(values[-2])
    error = np.sqrt((np.var(values[-1], ddof=1) + np.var(values[-2], ddof=1)) / SEEDS)
    return f"| {' | '.join([name, *cells, f'{gain:+.2f} ± {error:.2f}'])} |"
