"""What networks are trained to say, and the loss of saying otherwise."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from service.card import EMOTIONS
from training.device import device
from training.member import Member
from training.prepared import Prepared, Rows


class Targets:
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

    def __init__(self, prepared: Prepared, train_tracks: Rows, emotion_weight: float) -> None:
        known = torch.from_numpy(prepared.label >= 0)
        classes = one_hot(torch.from_numpy(prepared.label).clamp(min=0), len(prepared.classes))
        self._classes = (classes * known[:, None]).float().to(device())
        self._emotion = torch.from_numpy(prepared.emotion).to(device())
        self._origin = torch.from_numpy(prepared.origin).to(device())
        self._weights = torch.zeros(len(EMOTIONS))
        for column in prepared.learnt:
            labels = prepared.emotion[train_tracks, column]
            labels = labels[~np.isnan(labels)]
            variance = float(labels.var()) if len(labels) else 0.0
            self._weights[column] = emotion_weight / variance if variance else 0
        self._weights = self._weights.to(device())

    def loss(
        self,
        member: Member,
        inputs: Tensor,
        tracks: Rows,
        partners: Rows | None = None,
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
        self, member: Member, said: tuple[Tensor, Tensor], tracks: Rows, shares: Tensor
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


def origin_shares(prepared: Prepared, tracks: Rows) -> Tensor:
    """Return the share of each origin among the labels of each emotion.

    Returns
    -------
    shares : float32 [shape=(n_origins, len(EMOTIONS))]
    """
    counts = np.zeros((len(prepared.origins), len(EMOTIONS)), np.float32)
    for column in range(len(EMOTIONS)):
        known = tracks[~np.isnan(prepared.emotion[tracks, column])]
        np.add.at(counts[:, column], prepared.origin[known, column], 1)
    return torch.from_numpy(counts / np.maximum(counts.sum(axis=0), 1))
