"""Embeddings by the project's own convolutional network, trained here on genres.

The shipped network was trained on most of what the folds measure. The comparison therefore trains
the same network itself: on train, and for rows about listeners' votes once more without the artists
that listeners voted on.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.fit.train import run_trainings
from training.models import student
from training.models.base import device
from training.studies.compare import neural
from training.studies.compare.clips import Clip
from training.studies.compare.labels import labels_of
from training.studies.compare.neural import Classifier, Network, fit, tensor
from training.studies.compare.sample import Budget, Sample, Trial
from training.studies.compare.store import Store, digest, save
from training.types import AnyFloats

INPUT = "log-mel"
PIECE = 32  # frames: 1.07 s, the least that the network takes
N_PIECES = 14

BACKBONES = ("embeddings", "embeddings without the voted")
"""Features of this module; float32 [shape=(n, n_features, N_PIECES)]."""


def declare(store: Store, budget: Budget) -> None:
    """Register the versions of the embeddings in the store."""
    code = [Path(str(module.__file__)).read_text() for module in (neural, student)]
    for name in BACKBONES:
        trained = [
            (clip.id, clip.genre, clip.subset) for clip in _training_clips(name, store.clips)
        ]
        store.set_version(name, digest(store.name_of(INPUT), trained, asdict(budget), code))


def _training_clips(name: str, clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips that a backbone is trained and stopped on."""
    voted = {clip.group for clip in clips if clip.votes} if name == BACKBONES[1] else set()
    return [
        clip for clip in clips if clip.genre and clip.subset != "test" and clip.group not in voted
    ]


def training_places(name: str, clips: Sequence[Clip]) -> list[int]:
    """Return the positions of the clips that a backbone is trained and stopped on."""
    trained = {clip.id for clip in _training_clips(name, clips)}
    return [place for place, clip in enumerate(clips) if clip.id in trained]


def embed(store: Store, wanted: dict[str, set[int]], budget: Budget, jobs: int | None) -> None:
    """Train the backbones whose embeddings are missing, and write the embeddings.

    Parameters
    ----------
    store : Store
        With the spectrograms of these clips.
    wanted : dict of str to set of int
        Positions of clips, by name of the backbone.
    budget : Budget
    jobs : int or None
        Number of processes; None for one per processor.
    """
    missing = {name: store.missing(name, places) for name, places in wanted.items()}
    tasks = [(store, name, places, budget) for name, places in missing.items() if places]
    run_trainings(write_embeddings, tasks, jobs, "backbones")


def write_embeddings(store: Store, name: str, places: list[int], budget: Budget) -> None:
    """Train a backbone, and write the embeddings of some clips."""
    used = training_places(name, store.clips)
    if {store.clips[place].subset for place in used} != {"train", "valid"}:
        return  # the result of rows that need it will say so
    trial = training_trial(store, used, budget)
    network = Classifier(("backbone",)).network(trial)
    fit(network, trial)
    for place in places:
        if store.path(INPUT, place).exists():
            save(store.path(name, place), embeddings(network, np.load(store.path(INPUT, place))))


def training_trial(store: Store, places: list[int], budget: Budget) -> Trial:
    """Return the trial that a backbone is trained on."""
    labels = labels_of([clip.genre for clip in store.clips])
    inputs, clip_of = store.cases([INPUT], places)
    known = labels.label[clip_of]
    whole = Sample(tuple(inputs), known, labels.scores[clip_of], labels.classes)
    side = np.array([store.clips[place].subset for place in clip_of])
    train, valid = whole.at(side == "train"), whole.at(side == "valid")
    return Trial(train, valid, valid, seed=0, budget=budget)


@torch.no_grad()
def embeddings(network: Network, log_mel: AnyFloats) -> AnyFloats:
    """Return the features of each piece of windows.

    Parameters
    ----------
    network : Network
        With one `neural.Backbone`.
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
