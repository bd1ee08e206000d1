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

from training import divisions
from training.described import Described
from training.divisions import Part
from training.fit_perceptron import fit_perceptron
from training.prepared import Prepared, Rows
from training.runs import Config

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the groups of each class
SEEDS = 3


def learning_curve(prepared: Prepared, config: Config, runs: Path, page: Path, jobs: int) -> None:
    """Train on every share from every seed, and write a page about it.

    Parameters
    ----------
    prepared : Prepared
    config : Config
    runs : Path
        Where descriptors are kept, as in `training.train`.
    page : Path
        Markdown, written anew.
    jobs : int
        Processes.
    """
    described = Described(prepared, config.perceptron.copies, runs)
    plans = list(product(SHARES, range(SEEDS)))
    answer = partial(_answers, prepared, described, config)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        done = pool.map(answer, *zip(*plans, strict=True))
        answers = list(tqdm(done, total=len(plans), desc="learning curve", unit="model"))
    by_share = [answers[i : i + SEEDS] for i in range(0, len(plans), SEEDS)]
    page.write_text(_page(prepared, by_share))


def _answers(
    prepared: Prepared, described: Described, config: Config, share: float, seed: int
) -> tuple[Rows, Rows]:
    """Return true and answered genres of all windows, as heard, that may be validated on."""
    true, answered = [], []
    learn = divisions.fixed(prepared).learn
    rng = np.random.default_rng(seed)
    for part in divisions.parts(prepared, learn, config.parts, seed):
        some = Part(share_of_groups(prepared, part.train, share, rng), part.valid)
        member, _ = fit_perceptron(prepared, described, config, some, seed)
        rows = prepared.rows("heard", part.valid[prepared.is_genre[part.valid]])
        with torch.no_grad():
            classes, _ = member.logits(torch.from_numpy(described.values[rows]))
        true.append(prepared.label[prepared.track_of[rows]])
        answered.append(classes[:, : len(prepared.genres)].argmax(1).numpy())
    return np.concatenate(true), np.concatenate(answered)


def share_of_groups(
    prepared: Prepared, tracks: Rows, share: float, rng: np.random.Generator
) -> Rows:
    """Return the tracks of a share of the groups of each class, of at least one group.

    Parameters
    ----------
    prepared : Prepared
    tracks : int64 [shape=(n,)]
    share : float
    rng : numpy.random.Generator
    """
    kept: set[str] = set()
    for label in np.unique(prepared.label[tracks]):
        groups = np.unique(prepared.groups[tracks[prepared.label[tracks] == label]])
        kept |= set(rng.permutation(groups)[: max(round(share * len(groups)), 1)])
    return tracks[np.isin(prepared.groups[tracks], list(kept))]


def _page(prepared: Prepared, by_share: Sequence[Sequence[tuple[Rows, Rows]]]) -> str:
    """Print tables: overall and by genre, mean and spread over the seeds."""
    labels = list(range(len(prepared.genres)))
    rows = {"accuracy": [[accuracy_score(*each) for each in seeds] for seeds in by_share]}
    rows["macro F1"] = [
        [f1_score(*each, average="macro", labels=labels, zero_division=0) for each in seeds]
        for seeds in by_share
    ]
    for label, genre in enumerate(prepared.genres):
        rows[_counted(prepared, label, genre)] = [
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


def _counted(prepared: Prepared, label: int, genre: str) -> str:
    learn = divisions.fixed(prepared).learn
    real = learn[(prepared.label[learn] == label) & ~prepared.made[learn]]
    return f"{genre} ({len(real)}, {len(set(prepared.groups[real]))})"


def _row(name: str, values: list[list[float]]) -> str:
    cells = [f"{np.mean(each):.2f} ± {np.std(each, ddof=1):.2f}" for each in values]
    gain = np.mean(values[-1]) - np.mean(values[-2])
    error = np.sqrt((np.var(values[-1], ddof=1) + np.var(values[-2], ddof=1)) / SEEDS)
    return f"| {' | '.join([name, *cells, f'{gain:+.2f} ± {error:.2f}'])} |"
