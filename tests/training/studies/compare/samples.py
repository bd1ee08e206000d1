"""Samples that a model learns quickly."""

import numpy as np

from training.studies.compare.sample import FAST, Budget, Sample, Trial

QUICK = Budget(epochs=12, patience=4, seeds=1, fewest=FAST.fewest)


def sample(n, rng, shapes):
    """Cases of three classes, whose level determines the class and one score."""
    label = np.arange(n) % 3
    inputs = tuple(
        (label.reshape(-1, *[1] * len(shape)) + 0.3 * rng.normal(size=(n, *shape))).astype(
            np.float32
        )
        for shape in shapes
    )
    scores = np.stack([label + 0.1 * rng.normal(size=n), np.full(n, np.nan)], axis=1)
    scores[::2, 1] = label[::2] / 2
    return Sample(inputs, label.astype(np.int64), scores.astype(np.float32), ("a", "b", "c"))


def trial(*shapes, budget=QUICK):
    rng = np.random.default_rng(0)
    train, valid, test = (sample(n, rng, shapes) for n in (96, 24, 24))
    return Trial(train, valid, test, 0, budget)
