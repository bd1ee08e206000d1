"""Vectors of length 1 around a direction for each label, as a space of few dimensions has them."""

import json

import numpy as np

from service.heads.fit import Examples
from service.heads.head import reference_of
from service.library.labelled import Labelled
from service.library.teach import head_of

DIMENSIONS = 16


def examples(labels=3, tracks=10, groups=5, spread=0.3, seed=0):
    """Recordings of each label, in groups of the same size that also have a direction."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(labels), tracks)
    group = label * groups + np.tile(np.arange(tracks) % groups, labels)
    albums = rng.normal(0, spread / 2, (labels * groups, DIMENSIONS))
    vectors = np.eye(DIMENSIONS)[label] + albums[group] / 4
    vectors += rng.normal(0, spread / 4, vectors.shape)
    return Examples(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), label, group)


def write_head(path, model, name="mine", labels=("loud", "soft"), limit=None):
    """Teach a head of a model's space two directions, the first of them that of `loud_vector`."""
    rng = np.random.default_rng(0)
    centre = loud_vector(model)
    recordings, vectors = [], []
    for label, direction in zip(labels, (centre, -centre), strict=True):
        for number in range(6):
            vector = direction + rng.normal(0, 0.01, len(centre))
            vectors.append(vector / np.linalg.norm(vector))
            recordings.append(Labelled(path / label / str(number), label, str(number)))
    card = head_of(name, recordings, vectors, model).model_dump(mode="json")
    if limit is not None:
        card["limit"] = limit
    file = path / f"{name}.json"
    file.write_text(json.dumps(card))
    return file


def loud_vector(model):
    """The reference recording in a model's space."""
    return reference_of(model.card)
