import numpy as np
import torch

from tests.training.conftest import CONFIG
from training.fit.head import fit_head


def test_a_head_classifies_validation_tracks(dataset, cache, fold):
    member, _ = fit_head(dataset, cache, CONFIG, fold, 0)
    assert not member.training
    tracks = fold.valid[dataset.is_genre[fold.valid]]
    rows = dataset.rows("raw", tracks)
    with torch.no_grad():
        classes = member.logits(cache.inputs(rows))[0].numpy()
    assert (classes.argmax(1) == dataset.label[dataset.track_of[rows]]).mean() > 0.7


def test_a_head_standardises_by_its_training_data(dataset, cache, fold):
    member, _ = fit_head(dataset, cache, CONFIG, fold, 0)
    values = cache.inputs(cache.train_entries(fold.train))
    np.testing.assert_allclose(member.mean, values.mean(0), rtol=1e-3, atol=1e-3)
