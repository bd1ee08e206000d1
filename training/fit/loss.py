"""The loss of heads, over classes and emotions."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from service.card import EMOTIONS
from training.data.dataset import Dataset
from training.fit.config import Config
from training.fit.feature_cache import FeatureCache
from training.models.base import device
from training.models.head import Head
from training.types import Indices


class MultitaskLoss:
    """Cross-entropy of the classes plus the weighted squared errors of the emotions.

    Each term is a mean over labelled tracks. An emotion's squared error is divided by the variance
    of its labels. With mixup, each label counts by its share.

    Parameters
    ----------
    dataset : Dataset
    cache : FeatureCache
        With the labels of the emotions.
    config : Config
        Its weights of emotions, and of true values.
    train_tracks : int64 [shape=(n,)]
        The tracks whose labels determine the variance.
    """

    def __init__(
        self, dataset: Dataset, cache: FeatureCache, config: Config, train_tracks: Indices
    ) -> None:
        known = torch.from_numpy(dataset.label >= 0)
        classes = one_hot(torch.from_numpy(dataset.label).clamp(min=0), len(dataset.classes))
        self._classes = (classes * known[:, None]).float().to(device())
        self._emotion = torch.from_numpy(cache.emotion).to(device())
        counts = np.where(cache.is_true, config.true_weight, 1) * ~np.isnan(cache.emotion)
        self._counts = torch.from_numpy(counts).float().to(device())
        weights = torch.zeros(len(EMOTIONS))
        for column in range(len(EMOTIONS)):
            labels = cache.emotion[train_tracks, column]
            labels = labels[~np.isnan(labels)]
            variance = float(labels.var()) if len(labels) else 0.0
            weights[column] = config.emotion_weight / variance if variance else 0
        self._weights = weights.to(device())

    def __call__(
        self,
        head: Head,
        inputs: Tensor,
        tracks: Indices,
        partners: Indices | None = None,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        head : Head
        inputs : float32 [shape=(n, n_inputs)]
            Standardised.
        tracks : int64 [shape=(n,)]
        partners : int64 [shape=(n,)], optional
            The tracks of the mixup partners.
        shares : float32 [shape=(n,)], optional
            Weights of the labels of `tracks`; the rest is the weight of those of `partners`.
        """
        classes, emotion = head(inputs)
        if partners is None or shares is None:
            sums, counts = self._sums(classes, emotion, tracks, torch.ones(len(tracks)))
        else:
            sums, counts = self._sums(classes, emotion, tracks, shares)
            more, further = self._sums(classes, emotion, partners, 1 - shares)
            sums, counts = sums + more, counts + further
        means = sums / counts.clamp(min=1e-6)
        return means[0] + (self._weights * means[1:]).sum()

    def _sums(
        self, classes: Tensor, emotion: Tensor, tracks: Indices, shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the summed errors of classes and emotions, and the weight of their labels.

        Returns
        -------
        sums, counts : float32 [shape=(1 + len(EMOTIONS),)]
        """
        places, shares = torch.from_numpy(tracks).to(device()), shares.to(device())
        target, label, known = self._classes[places], self._emotion[places], self._counts[places]
        entropy = -(target * log_softmax(classes, dim=1)).sum(1)
        error = known * (torch.sigmoid(emotion) - label.nan_to_num()) ** 2
        sums = torch.cat([(entropy * shares).sum()[None], (error * shares[:, None]).sum(0)])
        counts = torch.cat([(target.sum(1) * shares).sum()[None], (known * shares[:, None]).sum(0)])
        return sums, counts
