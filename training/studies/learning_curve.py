"""Estimates the gain of more recordings: trains on shares of the present ones.

Only MLPs are trained, since they need seconds. Each is trained on a share of the groups of each
class, and predicts the validation part of its fold. Test is not used.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score

from training.data import splits
from training.data.dataset import Dataset
from training.data.splits import Fold
from training.files import write_atomically
from training.fit.config import Config
from training.fit.feature_cache import FeatureCache
from training.fit.head import fit_head
from training.fit.run import STUDENT_FILE
from training.fit.train import run_trainings
from training.markdown import table
from training.types import Indices

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the groups of each class
SEEDS = 3

INTRODUCTION = """\
# What more recordings would bring

*Written by `python -m training learning-curve`; run it again rather than edit.*

MLPs that are trained on a share of the artists of each class predict validation recordings; mean ±
spread over {seeds} seeds. By genre: F1, with the numbers of recordings and artists outside test.
The last column is the gain of the last doubling of the artists, with its standard error.

"""


def study(dataset: Dataset, config: Config, runs: Path, page: Path, jobs: int | None) -> None:
    """Train on every share from every seed, and write a page.

    Parameters
    ----------
    dataset : Dataset
    config : Config
    runs : Path
        Contains the descriptor cache, as for `training.fit.train`.
    page : Path
        Markdown; an existing page is replaced.
    jobs : int or None
        Number of processes; None for one per processor.
    """
    cache = FeatureCache(dataset, runs / STUDENT_FILE, config.head.copies, runs)
    plans = list(product(SHARES, range(SEEDS)))
    pairs = run_trainings(partial(_predict, dataset, cache, config), plans, jobs, "learning curve")
    by_share = [pairs[i : i + SEEDS] for i in range(0, len(plans), SEEDS)]
    write_atomically(page, INTRODUCTION.format(seeds=SEEDS) + _table(dataset, by_share) + "\n")


def _predict(
    dataset: Dataset, cache: FeatureCache, config: Config, share: float, seed: int
) -> tuple[Indices, Indices]:
    """Return true and predicted genres of the validation windows of all folds, take ``raw``."""
    true, predicted = [], []
    develop = splits.fixed_split(dataset).develop
    rng = np.random.default_rng(seed)
    for fold in splits.member_folds(dataset, develop, config.folds, seed):
        smaller = Fold(share_of_groups(dataset, fold.train, share, rng), fold.valid)
        member, _ = fit_head(dataset, cache, config, smaller, seed)
        rows = dataset.rows("raw", fold.valid[dataset.is_genre[fold.valid]])
        with torch.no_grad():
            classes, _ = member.logits(cache.features(rows))
        true.append(dataset.label[dataset.track_of[rows]])
        predicted.append(classes[:, : len(dataset.genres)].argmax(1).numpy())
    return np.concatenate(true), np.concatenate(predicted)


def share_of_groups(
    dataset: Dataset, tracks: Indices, share: float, rng: np.random.Generator
) -> Indices:
    """Return the tracks of a random share of the groups of each class, and of at least one."""
    chosen: set[str] = set()
    for label in np.unique(dataset.label[tracks]):
        groups = np.unique(dataset.groups[tracks[dataset.label[tracks] == label]])
        chosen |= set(rng.permutation(groups)[: max(round(share * len(groups)), 1)])
    return tracks[np.isin(dataset.groups[tracks], list(chosen))]


def _table(dataset: Dataset, by_share: Sequence[Sequence[tuple[Indices, Indices]]]) -> str:
    """Return the table: overall and by genre, mean and spread over the seeds."""
    labels = list(range(len(dataset.genres)))

    def f1(average: str | None, chosen: list[int]) -> list[list[float]]:
        options = {"average": average, "labels": chosen, "zero_division": 0}
        return [
            [float(np.mean(f1_score(*pair, **options))) for pair in seeds] for seeds in by_share
        ]

    rows = {"accuracy": [[accuracy_score(*pair) for pair in seeds] for seeds in by_share]}
    rows["macro F1"] = f1("macro", labels)
    for label in labels:
        rows[_genre_with_counts(dataset, label)] = f1(None, [label])
    header = ["one window", *(f"{share:.3g}" for share in SHARES), "last doubling"]
    return table(header, [_row(name, values) for name, values in rows.items()])


def _genre_with_counts(dataset: Dataset, label: int) -> str:
    develop = splits.fixed_split(dataset).develop
    recorded = develop[(dataset.label[develop] == label) & ~dataset.synthetic[develop]]
    return f"{dataset.genres[label]} ({len(recorded)}, {len(set(dataset.groups[recorded]))})"


def _row(name: str, values: list[list[float]]) -> list[str]:
    cells = [f"{np.mean(each):.2f} ± {np.std(each, ddof=1):.2f}" for each in values]
    gain = np.mean(values[-1]) - np.mean(values[-2])
    error = np.sqrt((np.var(values[-1], ddof=1) + np.var(values[-2], ddof=1)) / SEEDS)
    return [name, *cells, f"{gain:+.2f} ± {error:.2f}"]
