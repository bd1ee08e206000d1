import torch

from tests.training.conftest import CONFIG, changed
from training.fit.cnn import fit_cnn

LONGER = changed(CONFIG, cnn={"epochs": 3, "steps": 40, "width": 4})


def test_a_cnn_classifies_validation_tracks(dataset, fold):
    member, _ = fit_cnn(dataset, LONGER, fold, 0)
    assert not member.training
    tracks = fold.valid[dataset.is_genre[fold.valid]]
    rows = dataset.rows("raw", tracks)
    with torch.no_grad():
        classes = member(torch.from_numpy(dataset.spectrograms(rows)))[0].numpy()
    assert (classes.argmax(1) == dataset.label[dataset.track_of[rows]]).mean() > 0.8


def test_training_is_reproducible_from_the_seed(dataset, fold):
    one, other, third = (fit_cnn(dataset, CONFIG, fold, seed)[0] for seed in (0, 0, 1))
    torch.testing.assert_close(one.class_head.weight, other.class_head.weight)
    assert not torch.equal(one.class_head.weight, third.class_head.weight)
