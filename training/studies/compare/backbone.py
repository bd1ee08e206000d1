"""Embeddings by the project's own convolutional network, trained here on genres.

The shipped network has learnt from most of what the folds measure. The comparison therefore
trains the same network itself, shortly: on the train side of the split, and once more without
any artist whom listeners voted on, for rows about those votes.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.models import cnn
from training.models.base import device
from training.parallel import run
from training.studies.compare import neural
from training.studies.compare.clips import Clip
from training.studies.compare.labels import of_names
from training.studies.compare.neural import Classifier, Network, fit, tensor
from training.studies.compare.sample import Budget, Sample, Trial
from training.studies.compare.store import Store, digest, save
from training.types import AnyFloats

HEARS = "log-mel"
PIECE = 29  # frames: 0.97 s
N_PIECES = 15

BACKBONES = ("embeddings", "embeddings without the voted")
"""Features that are made here; an array of [shape=(n, n_features, N_PIECES)]."""


def declare(store: Store, budget: Budget) -> None:
    """Tell the store what embeddings are made of."""
    code = [Path(str(module.__file__)).read_text() for module in (neural, cnn)]
    for name in BACKBONES:
        learned = [(clip.id, clip.genre, clip.subset) for clip in _learnt(name, store.clips)]
        store.made_of(name, digest(store.name_of(HEARS), learned, asdict(budget), code))


def _learnt(name: str, clips: Sequence[Clip]) -> list[Clip]:
    """Return what a trunk learns from and is stopped on."""
    voted = {clip.group for clip in clips if clip.votes} if name == BACKBONES[1] else set()
    return [
        clip for clip in clips if clip.genre and clip.subset != "test" and clip.group not in voted
    ]


def hears(name: str, clips: Sequence[Clip]) -> list[int]:
    """Return the places of what a trunk needs the spectrograms of, to learn."""
    learned = {clip.id for clip in _learnt(name, clips)}
    return [place for place, clip in enumerate(clips) if clip.id in learned]


def embed(store: Store, wanted: dict[str, set[int]], budget: Budget, jobs: int) -> None:
    """Train the trunks whose embeddings are wanted and not there, and write those.

    Parameters
    ----------
    store : Store
        With the spectrograms of all that is wanted.
    wanted : dict of str to set of places
        By name of the trunk.
    budget : Budget
    jobs : int
        Processes.
    """
    missing = {name: store.missing(name, places) for name, places in wanted.items()}
    tasks = [(store, name, places, budget) for name, places in missing.items() if places]
    done = run(_embed, tasks, min(jobs, max(len(tasks), 1)))
    for _ in tqdm(done, total=len(tasks), desc="trunks", unit="network"):
        pass


def _embed(store: Store, name: str, places: list[int], budget: Budget) -> None:
    heard = hears(name, store.clips)
    if {store.clips[place].subset for place in heard} != {"train", "valid"}:
        return  # rows that need it say that no recording has it
    learned = _trial(store, heard, budget)
    network = Classifier(("trunk",)).network(learned)
    fit(network, learned)
    for place in places:
        if store.path(HEARS, place).exists():
            save(store.path(name, place), embeddings(network, np.load(store.path(HEARS, place))))


def _trial(store: Store, places: list[int], budget: Budget) -> Trial:
    labels = of_names([clip.genre for clip in store.clips])
    inputs, clip_of = store.cases([HEARS], places)
    known = labels.label[clip_of]
    whole = Sample(tuple(inputs), known, labels.numbers[clip_of], labels.classes)
    side = np.array([store.clips[place].subset for place in clip_of])
    train, valid = whole.at(side == "train"), whole.at(side == "valid")
    return Trial(train, valid, valid, seed=0, budget=budget)


@torch.no_grad()
def embeddings(network: Network, log_mel: AnyFloats) -> AnyFloats:
    """Hear each piece of windows by itself.

    Parameters
    ----------
    network : Network
        Of one `neural.Trunk`.
    log_mel : float [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB

    Returns
    -------
    embeddings : float32 [shape=(n, n_features, N_PIECES)]
    """
    network.to(device()).eval()
    n, n_bands = log_mel.shape[:2]
    pieces = tensor(log_mel[..., : PIECE * N_PIECES]).reshape(n, n_bands, N_PIECES, PIECE)
    flat = pieces.transpose(1, 2).reshape(n * N_PIECES, n_bands, PIECE).to(device())
    features: Tensor = network.towers[0](network.standardised(0, flat))
    return np.asarray(features.reshape(n, N_PIECES, -1).transpose(1, 2).cpu().numpy())
