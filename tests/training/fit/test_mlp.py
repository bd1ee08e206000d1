import numpy as np
import torch

from tests.training.conftest import CONFIG
from training.fit.mlp import fit_mlp


def test_an_mlp_classifies_validation_tracks(dataset, cache, fold):
    member, _ = fit_mlp(dataset, cache, CONFIG, fold, 0)
    assert not member.training
    tracks = fold.valid[dataset.is_genre[fold.valid]]
    rows = dataset.rows("raw", tracks)
    with torch.no_grad():
        classes = member.logits(torch.from_numpy(cache.values[rows]))[0].numpy()
    assert (classes.argmax(1) == dataset.label[dataset.track_of[rows]]).mean() > 0.7


def test_an_mlp_standardises_by_its_training_data(dataset, cache, fold):
    member, _ = fit_mlp(dataset, cache, CONFIG, fold, 0)
    values = cache.values[cache.train_entries(fold.train)]
    np.testing.assert_allclose(member.mean.numpy(), values.mean(0), rtol=1e-3, atol=1e-3)
