"""Keeps each member of a run as soon as it is trained, in ``members/`` of the run's folder.

A run that was cut off, or is made again with more members, trains only what is not there.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from training.data.dataset import Dataset
from training.fit.config import CnnConfig, Config, MlpConfig
from training.fit.loop import Epoch
from training.fit.run import State
from training.models.base import EnsembleMember

FOLDER = "members"

M = TypeVar("M", bound=EnsembleMember)


def fingerprint(dataset: Dataset, config: Config, numbers: MlpConfig | CnnConfig) -> dict[str, Any]:
    """Return what a member of a run is reproducible from, beside its division and its part.

    Parameters
    ----------
    prepared : Prepared
    config : Config
    numbers : PerceptronConfig or ConvolutionalConfig
        Those of its kind. How many there are of it, and what is done with what they say, makes
        none of them another.
    """
    common = asdict(replace(config, groove=0))
    del common["mlp"], common["cnn"]
    return {"prepared": dataset.digest, **common, "numbers": asdict(numbers) | {"members": 0}}


def load_or_fit(
    path: Path,
    fingerprint: dict[str, Any],
    restore: Callable[[State], M],
    fit: Callable[[], tuple[M, list[Epoch]]],
) -> tuple[M, list[Epoch]]:
    """Return a member that is kept, or fit and keep it.

    Parameters
    ----------
    path : Path
        Where it is kept; a member that is made of something else is replaced.
    made_of : dict
    restore : callable
        Makes a member of its state.
    fit : callable
    """
    if path.exists():
        kept = torch.load(path, map_location="cpu", weights_only=True)
        if kept["made_of"] == fingerprint:
            return restore(kept["state"]), [Epoch(**epoch) for epoch in kept["history"]]
    member, history = fit()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    losses = [asdict(epoch) for epoch in history]
    torch.save(
        {"made_of": fingerprint, "state": member.state_dict(), "history": losses}, unfinished
    )
    unfinished.replace(path)
    return member, history
