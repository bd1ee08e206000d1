"""Fits the linear models of a head: one in closed form, one by its only optimum.

They are fitted on recordings, not on windows: on the mean over the windows of each take that is
measured. A recording by a simulated phone counts less than the clean one.

An emotion is fitted twice: on true values, then on these and on proxies. The listeners of an origin
order its recordings, but have a scale of their own. So the first model's scores of an origin stand
for the values, sorted as its proxies are. They count little: each origin means something else by an
emotion.
"""

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression, Ridge

from service.card import EMOTIONS
from training.data.dataset import Dataset
from training.data.takes import MEASURED_TAKES, Take
from training.fit.config import Config
from training.fit.feature_cache import FeatureCache
from training.fit.student_file import TrainedStudent
from training.models.head import LINEAR_SHARE_OF_EMOTION, Head
from training.models.statistics import N_STATISTICS
from training.types import Floats, Indices

CLASS_STRENGTH = 0.01  # inverse of the penalty
EMOTION_PENALTY = 1_500.0
PHONE_WEIGHT = 0.3  # of a recording by a simulated phone, for emotions
MIN_TRUE = 50  # recordings with a true value, for a linear model of an emotion
MAX_STEPS = 300
LOWEST_LOGIT = -14.0  # of a class: one in a million
STATISTICS_GAIN = 8**0.5  # there are fewer statistics than features, but they are to count as much


@torch.no_grad()
def fit_linear(
    head: Head, dataset: Dataset, cache: FeatureCache, config: Config, tracks: Indices
) -> None:
    """Fit the linear models of a head whose inputs are standardised already.

    Parameters
    ----------
    head : Head
        On the CPU.
    dataset : Dataset
    cache : FeatureCache
    config : Config
        Its balance of classes and what it says of proxies.
    tracks : int64 [shape=(n,)]
        The tracks to fit on.
    """
    tracks = np.sort(tracks)
    takes = [_by_track(head, dataset, cache, take, tracks) for take in MEASURED_TAKES]
    inputs = np.concatenate(takes)
    _fit_classes(head, inputs, np.tile(dataset.label[tracks], len(takes)), config.balance)
    for place in range(len(EMOTIONS)):
        is_true = cache.is_true[tracks, place]
        if is_true.sum() < MIN_TRUE:
            continue
        labels = np.where(is_true, dataset.emotion[tracks, place], np.nan)
        weights = np.where(is_true, 1.0, config.ranked_weight)
        prior = _direction(head, cache.student, place)
        weight, bias = _fit_emotion(takes, labels, weights, prior)
        for origin in config.ranked_origins:
            if origin in dataset.proxies:
                proxies = dataset.proxies[origin][tracks, place]
                labels = _in_order(labels, proxies, takes[0] @ weight + bias)
        weight, bias = _fit_emotion(takes, labels, weights, prior)
        head.linear_emotions.weight[place] = torch.from_numpy(weight)
        head.linear_emotions.bias[place] = bias
        head.emotion_shares[place] = LINEAR_SHARE_OF_EMOTION


def _by_track(
    head: Head, dataset: Dataset, cache: FeatureCache, take: Take, tracks: Indices
) -> Floats:
    """Return the mean standardised input of each of some tracks, which ascend."""
    rows = dataset.rows(take, tracks)
    standardised = head.standardised(cache.inputs(rows)).double().numpy()
    place = np.searchsorted(tracks, dataset.track_of[rows])
    sums = np.zeros((len(tracks), standardised.shape[1]))
    np.add.at(sums, place, standardised)
    return np.asarray(sums / np.bincount(place, minlength=len(tracks))[:, None])


def _fit_classes(head: Head, inputs: Floats, labels: Indices, balance: float) -> None:
    """Fit the linear model of the classes; one without a track gets a very low logit."""
    labelled = labels >= 0
    counts = np.bincount(labels[labelled])
    weights = counts[labels[labelled]] ** -balance
    model = LogisticRegression(C=CLASS_STRENGTH, max_iter=MAX_STEPS)
    features = inputs[labelled, : head.n_features]
    model.fit(features, labels[labelled], sample_weight=weights / weights.mean())
    head.linear_classes.weight.zero_()
    head.linear_classes.bias.fill_(LOWEST_LOGIT)
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn has one logit for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.append(-bias, bias) / 2
    head.linear_classes.weight[model.classes_] = torch.from_numpy(weight).float()
    head.linear_classes.bias[model.classes_] = torch.from_numpy(bias).float()


def _direction(head: Head, student: TrainedStudent, place: int) -> Floats:
    """Return how the student's own score of an emotion depends on standardised inputs, if any."""
    direction = np.zeros(len(head.scale))
    scale = student.scales.get(EMOTIONS[place])
    if scale:
        weight = student.network.to_targets.weight[scale.column].cpu()
        direction[: head.n_features] = weight * head.scale[: head.n_features]
    return direction


def _fit_emotion(
    takes: list[Floats], labels: Floats, weights: Floats, prior: Floats
) -> tuple[Floats, float]:
    """Return weight and bias of the ridge regression of an emotion on the tracks with a label."""
    known = np.isfinite(labels)
    return _ridge(
        np.concatenate([take[known] for take in takes]),
        np.tile(labels[known], len(takes)),
        np.concatenate([weights[known], PHONE_WEIGHT * weights[known]]),
        prior,
    )


def _in_order(labels: Floats, proxies: Floats, scores: Floats) -> Floats:
    """Return labels with, where only a proxy is known, the scores sorted as the proxies are."""
    labels = labels.copy()
    known = np.flatnonzero(np.isnan(labels) & np.isfinite(proxies))
    if len(known):
        ranks = rankdata(proxies[known])  # equal proxies get the mean of their ranks
        labels[known] = np.interp(ranks, np.arange(len(known)) + 1, np.sort(scores[known]))
    return labels


def _ridge(inputs: Floats, values: Floats, weights: Floats, prior: Floats) -> tuple[Floats, float]:
    """Return weight and bias of a ridge regression that shrinks towards a multiple of `prior`."""
    scores = (inputs @ prior)[:, None]
    base = Ridge(alpha=1e-6).fit(scores, values, sample_weight=weights)
    rest = Ridge(alpha=EMOTION_PENALTY * (1 + PHONE_WEIGHT))
    gain = np.ones(inputs.shape[1])
    gain[-N_STATISTICS:] = STATISTICS_GAIN
    rest.fit(inputs * gain, values - base.predict(scores), sample_weight=weights)
    weight = base.coef_[0] * prior + rest.coef_ * gain
    return weight.astype(np.float32), float(base.intercept_ + rest.intercept_)
