import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from tests.training.conftest import CONFIG, changed
from training.data.takes import MEASURED_TAKES
from training.fit import linear as module
from training.fit.linear import fit_linear
from training.fit.run import output_shape
from training.models.head import LINEAR_SHARE_OF_EMOTION, Head
from training.models.statistics import N_STATISTICS


@pytest.fixture
def fitted(dataset, cache, fold, monkeypatch):
    """Returns a head with linear models, and the mean inputs of its recordings."""
    monkeypatch.setattr(module, "MIN_TRUE", 2)
    head = Head(output_shape(dataset, CONFIG), CONFIG.head.hidden)
    values = cache.inputs(cache.train_entries(fold.train))
    head.mean.copy_(values.mean(0))
    head.scale.copy_(values.std(0) + 1e-6)
    fit_linear(head, dataset, cache, CONFIG, fold.train)
    return head.eval()


def of_tracks(head, dataset, cache, tracks):
    tracks = np.sort(tracks)
    return torch.from_numpy(module._by_track(head, dataset, cache, "raw", tracks)).float()


@torch.no_grad()
def test_the_linear_model_classifies_its_recordings(fitted, dataset, cache, fold):
    tracks = np.sort(fold.train[dataset.label[fold.train] >= 0])
    inputs = of_tracks(fitted, dataset, cache, tracks)
    logits = fitted.linear_classes(inputs[:, : fitted.n_features])
    assert (logits.argmax(1).numpy() == dataset.label[tracks]).mean() > 0.9


@torch.no_grad()
def test_emotions_follow_the_true_values(fitted, dataset, cache, fold):
    place = EMOTIONS.index("energy")
    tracks = np.sort(fold.train[cache.is_true[fold.train, place]])
    scores = fitted.linear_emotions(of_tracks(fitted, dataset, cache, tracks))[:, place].numpy()
    assert np.corrcoef(scores, dataset.emotion[tracks, place])[0, 1] > 0.5


@torch.no_grad()
@pytest.mark.parametrize("origins", [[], ["votes", "words", "unknown"]])
def test_the_order_of_proxies_is_learned_where_the_recipe_says_so(
    origins, dataset, cache, fold, monkeypatch
):
    monkeypatch.setattr(module, "MIN_TRUE", 2)
    place = EMOTIONS.index("energy")
    reversed_ = {origin: -proxies for origin, proxies in dataset.proxies.items()}
    monkeypatch.setattr(dataset, "proxies", reversed_)
    head = Head(output_shape(dataset, CONFIG), CONFIG.head.hidden)
    recipe = changed(CONFIG, ranked_origins=origins, ranked_weight=100.0)
    fit_linear(head, dataset, cache, recipe, fold.train)
    tracks = np.sort(fold.train[~cache.is_true[fold.train, place]])
    scores = head.linear_emotions(of_tracks(head, dataset, cache, tracks))[:, place].numpy()
    votes = reversed_["votes"][tracks, place]
    known = np.isfinite(votes)
    correlation = np.corrcoef(scores[known], votes[known])[0, 1]
    assert correlation > 0.5 if origins else correlation < -0.5


def test_proxies_sort_the_scores_of_tracks_without_a_true_value():
    nan = np.nan
    labels = np.array([0.9, nan, nan, nan, nan, nan])
    proxies = np.array([5.0, 2.0, 7.0, nan, 2.0, 4.0])
    scores = np.array([0.0, 0.4, 0.1, 0.8, 0.2, 0.3])
    expected = [0.9, 0.15, 0.4, nan, 0.15, 0.3]
    np.testing.assert_allclose(module._in_order(labels, proxies, scores), expected)
    np.testing.assert_array_equal(labels[1:], nan)  # the argument stays


def test_an_emotion_with_few_true_values_has_no_linear_model(dataset, cache, fold):
    head = Head(output_shape(dataset, CONFIG), CONFIG.head.hidden)
    fit_linear(head, dataset, cache, CONFIG, fold.train[:4])
    assert (head.emotion_shares == 0).all()


def test_an_emotion_with_true_values_has_its_share(fitted, cache, fold):
    counts = cache.is_true[fold.train].sum(axis=0)
    expected = np.where(counts >= 2, LINEAR_SHARE_OF_EMOTION, 0)
    np.testing.assert_allclose(fitted.emotion_shares, expected)


def test_a_class_without_a_recording_is_never_the_answer(dataset, cache, fold):
    head = Head(output_shape(dataset, CONFIG), CONFIG.head.hidden)
    tracks = fold.train[(dataset.label[fold.train] >= 0) & (dataset.label[fold.train] != 1)]
    fit_linear(head, dataset, cache, CONFIG, tracks)
    assert (head.linear_classes.weight[1] == 0).all()
    assert head.linear_classes.bias[1] == module.LOWEST_LOGIT


def test_two_classes_have_opposite_logits(dataset, cache, fold):
    head = Head(output_shape(dataset, CONFIG), CONFIG.head.hidden)
    tracks = fold.train[np.isin(dataset.label[fold.train], [0, 1])]
    fit_linear(head, dataset, cache, CONFIG, tracks)
    one, other = head.linear_classes.weight[[0, 1]]
    torch.testing.assert_close(one, -other)
    tracks = np.sort(tracks)
    logits = head.linear_classes(of_tracks(head, dataset, cache, tracks)[:, : head.n_features])
    assert (logits[:, :2].argmax(1).numpy() == dataset.label[tracks]).mean() > 0.9


def test_a_ridge_without_data_of_its_own_follows_its_prior():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 8 + N_STATISTICS))
    prior = np.append(rng.standard_normal(8), np.zeros(N_STATISTICS))
    values = 0.2 * inputs @ prior + 0.5
    weight, bias = module._ridge(inputs, values, np.ones(60), prior)
    np.testing.assert_allclose(weight, 0.2 * prior, atol=1e-4)
    assert bias == pytest.approx(0.5, abs=1e-4)


def test_recordings_are_described_by_the_mean_of_their_windows(fitted, dataset, cache):
    tracks = np.array([1, 4])
    for take in MEASURED_TAKES:
        found = module._by_track(fitted, dataset, cache, take, tracks)
        rows = dataset.rows(take, tracks[1:])
        expected = fitted.standardised(cache.inputs(rows)).mean(0)
        np.testing.assert_allclose(found[1], expected, rtol=1e-4, atol=1e-4)
