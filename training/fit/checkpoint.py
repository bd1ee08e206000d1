"""Checkpoints of trained members, in ``members/`` of a run's folder.

A run that was interrupted, or that gets more members, trains only the missing ones.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from training.data.dataset import Dataset
from training.files import write_atomically
from training.fit.config import CnnConfig, Config, MlpConfig
from training.fit.loop import Epoch
from training.models.base import EnsembleMember

FOLDER = "members"

M = TypeVar("M", bound=EnsembleMember)


def fingerprint(dataset: Dataset, config: Config, own: MlpConfig | CnnConfig) -> dict[str, Any]:
    """Return everything that a member is reproducible from, beside its split and fold.

    Parameters
    ----------
    dataset : Dataset
    config : Config
    own : MlpConfig or CnnConfig
        The member's own part of `config`. The number of members, and the way in which they are
        combined, do not invalidate a checkpoint.
    """
    common = config.model_dump(exclude={"mlp", "cnn", "danceability_to_valence"})
    return {"dataset": dataset.digest, **common, "own": own.model_dump(exclude={"members"})}


def load_or_fit(
    path: Path,
    made_from: dict[str, Any],
    restore: Callable[[dict[str, torch.Tensor]], M],
    fit: Callable[[], tuple[M, list[Epoch]]],
) -> tuple[M, list[Epoch]]:
    """Load the checkpoint of a member, or train the member and save it.

    Parameters
    ----------
    path : Path
        The checkpoint. One with another fingerprint is replaced.
    made_from : dict
        The fingerprint.
    restore : callable
        Returns a member with a given state.
    fit : callable
        Trains the member.
    """
    if path.exists():
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["made_from"] == made_from:
            return restore(saved["state"]), [Epoch(**epoch) for epoch in saved["history"]]
    member, history = fit()
    checkpoint = {
        "made_from": made_from,
        "state": member.state_dict(),
        "history": [asdict(epoch) for epoch in history],
    }
    write_atomically(path, partial(torch.save, checkpoint))
    return member, history
