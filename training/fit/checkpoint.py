"""Checkpoints of trained members, in ``members/`` of a run's folder.

A run that was interrupted, or that gets more members, trains only the missing ones.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from training.data.dataset import Dataset
from training.files import write_atomically
from training.fit.config import Config
from training.fit.loop import Epoch
from training.models.head import Head

FOLDER = "members"


def fingerprint(dataset: Dataset, student: str, config: Config) -> dict[str, Any]:
    """Return everything that a head is reproducible from, beside its split and fold.

    Parameters
    ----------
    dataset : Dataset
    student : str
        Digest of the student.
    config : Config
    """
    return {"dataset": dataset.digest, "digest": student, **config.model_dump()}


def load_or_fit(
    path: Path,
    made_from: dict[str, Any],
    restore: Callable[[dict[str, torch.Tensor]], Head],
    fit: Callable[[], tuple[Head, list[Epoch]]],
) -> tuple[Head, list[Epoch]]:
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
