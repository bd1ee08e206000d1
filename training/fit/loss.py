"""What networks are trained to say, and the loss of saying otherwise."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from service.card import EMOTIONS
from training.data.dataset import Dataset
from training.models.base import EnsembleMember, device
from training.types import Indices


class MultitaskLoss:
    """The labels of tracks, and the loss against them.

    The loss is the classes' cross-entropy plus, for each emotion, its squared error over its
    variance, each a mean over what is labelled. Of blended windows each label counts by its share.

    Parameters
    ----------
    prepared : Prepared
    train_tracks : int64 [shape=(n,)]
        Those whose labels' variance is taken.
    emotion_weight : float
        Of the emotions' loss beside that of the classes.
    """

    def __init__(self, dataset: Dataset, train_tracks: Indices, emotion_weight: float) -> None:
        known = torch.from_numpy(dataset.label >= 0)
        classes = one_hot(torch.from_numpy(dataset.label).clamp(min=0), len(dataset.classes))
        self._classes = (classes * known[:, None]).float().to(device())
        self._emotion = torch.from_numpy(dataset.emotion).to(device())
        self._origin = torch.from_numpy(dataset.origin).to(device())
        self._weights = torch.zeros(len(EMOTIONS))
        for column in dataset.learned:
            labels = dataset.emotion[train_tracks, column]
            labels = labels[~np.isnan(labels)]
            variance = float(labels.var()) if len(labels) else 0.0
            self._weights[column] = emotion_weight / variance if variance else 0
        self._weights = self._weights.to(device())

    def loss(
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
        member : Member
        inputs : float32 [shape=(n, ...)]
            As the member takes them.
        tracks : int64 [shape=(n,)]
        partners : int64 [shape=(n,)], optional
            The tracks that the inputs are blended with.
        shares : float32 [shape=(n,)], optional
            Of the labels of `tracks`; the rest is that of `partners`.
        """
        classes, emotion = member(inputs)
        said = classes.float(), emotion.float()
        if partners is None or shares is None:
            sums, counts = self._sums(member, said, tracks, torch.ones(len(tracks)))
        else:
            sums, counts = self._sums(member, said, tracks, shares)
            more, further = self._sums(member, said, partners, 1 - shares)
            sums, counts = sums + more, counts + further
        means = sums / counts.clamp(min=1e-6)
        return means[0] + (self._weights * means[1:]).sum()

    def _sums(
        self, member: EnsembleMember, said: tuple[Tensor, Tensor], tracks: Indices, shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the summed errors of classes and emotions, and how much is labelled.

        Returns
        -------
        sums, counts : float32 [shape=(1 + len(EMOTIONS),)]
        """
        places, shares = torch.from_numpy(tracks).to(device()), shares.to(device())
        classes, label = self._classes[places], self._emotion[places]
        entropy = -(classes * log_softmax(said[0], dim=1)).sum(1)
        known = (~label.isnan()).float()
        scores = torch.sigmoid(said[1] + member.offsets(self._origin[places]))
        error = known * (scores - label.nan_to_num()) ** 2
        sums = torch.cat([(entropy * shares).sum()[None], (error * shares[:, None]).sum(0)])
        counts = torch.cat(
            [(classes.sum(1) * shares).sum()[None], (known * shares[:, None]).sum(0)]
        )
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
