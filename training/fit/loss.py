"""The loss of members, over classes and emotions."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from service.card import EMOTIONS
from training.data.dataset import Dataset
from training.models.base import EnsembleMember, device
from training.types import Indices


class MultitaskLoss:
    """Cross-entropy of the classes plus the weighted squared errors of the emotions.

    Each term is a mean over labelled tracks. An emotion's squared error is divided by the variance
    of its labels. With mixup, each label counts by its share.

    Parameters
    ----------
    dataset : Dataset
    train_tracks : int64 [shape=(n,)]
        The tracks whose labels determine the variance.
    emotion_weight : float
        As `fit.config.Config.emotion_weight`.
    """

    def __init__(self, dataset: Dataset, train_tracks: Indices, emotion_weight: float) -> None:
        known = torch.from_numpy(dataset.label >= 0)
        classes = one_hot(torch.from_numpy(dataset.label).clamp(min=0), len(dataset.classes))
        self._classes = (classes * known[:, None]).float().to(device())
        self._emotion = torch.from_numpy(dataset.emotion).to(device())
        self._origin = torch.from_numpy(dataset.origin).to(device())
        weights = torch.zeros(len(EMOTIONS))
        for column in dataset.learnable_emotions:
            labels = dataset.emotion[train_tracks, column]
            labels = labels[~np.isnan(labels)]
            variance = float(labels.var()) if len(labels) else 0.0
            weights[column] = emotion_weight / variance if variance else 0
        self._weights = weights.to(device())

    def __call__(
        self,
        member: EnsembleMember,
        inputs: Tensor,
        tracks: Indices,
        partners: Indices | None = None,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        member : EnsembleMember
        inputs : float32 [shape=(n, ...)]
            The member's input.
        tracks : int64 [shape=(n,)]
        partners : int64 [shape=(n,)], optional
            The tracks of the mixup partners.
        shares : float32 [shape=(n,)], optional
            Weights of the labels of `tracks`; the rest is the weight of those of `partners`.
        """
        classes, emotion = (logits.float() for logits in member(inputs))
        if partners is None or shares is None:
            sums, counts = self._sums(member, classes, emotion, tracks, torch.ones(len(tracks)))
        else:
            sums, counts = self._sums(member, classes, emotion, tracks, shares)
            more, further = self._sums(member, classes, emotion, partners, 1 - shares)
            sums, counts = sums + more, counts + further
        means = sums / counts.clamp(min=1e-6)
        return means[0] + (self._weights * means[1:]).sum()

    def _sums(
        self,
        member: EnsembleMember,
        classes: Tensor,
        emotion: Tensor,
        tracks: Indices,
        shares: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the summed errors of classes and emotions, and the number of labels.

        Returns
        -------
        sums, counts : float32 [shape=(1 + len(EMOTIONS),)]
        """
        places, shares = torch.from_numpy(tracks).to(device()), shares.to(device())
        target, label = self._classes[places], self._emotion[places]
        entropy = -(target * log_softmax(classes, dim=1)).sum(1)
        known = (~label.isnan()).float()
        scores = torch.sigmoid(emotion + member.offsets(self._origin[places]))
        error = known * (scores - label.nan_to_num()) ** 2
        sums = torch.cat([(entropy * shares).sum()[None], (error * shares[:, None]).sum(0)])
        counts = torch.cat([(target.sum(1) * shares).sum()[None], (known * shares[:, None]).sum(0)])
        return sums, counts


def origin_shares(dataset: Dataset, tracks: Indices) -> Tensor:
    """Return the share of each origin among the labels of each emotion.

    Returns
    -------
    shares : float32 [shape=(n_origins, len(EMOTIONS))]
    """
    counts = np.zeros((len(dataset.origins), len(EMOTIONS)), np.float32)
    for column in range(len(EMOTIONS)):
        known = tracks[~np.isnan(dataset.emotion[tracks, column])]
        np.add.at(counts[:, column], dataset.origin[known, column], 1)
    return torch.from_numpy(counts / np.maximum(counts.sum(axis=0), 1))
