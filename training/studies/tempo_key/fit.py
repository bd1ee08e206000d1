"""Fits the ranker of tempi and the weights of keys."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from service.music.fitted import TempoRanker
from service.music.key import N_KEYS
from training.studies.tempo_key.clips import WITH_A_BEAT, Clip, Heard, Sound
from training.types import Floats

RIGHT = 0.04  # a tempo is right within 4 %
MEMBERS, HIDDEN = 4, 32  # networks whose scores are averaged, and the units of each
EPOCHS, BATCH, RATE = 30, 64, 3e-3
WEIGHT_DECAY, DROPOUT = 3.0, 0.4
SOUND_SHARE = 1.0  # weight of a sound that is not music, that of a part of a clip being 1
PENALTY = 1e-5  # of the squared weights of the keys


@dataclass(frozen=True)
class _Cases:
    """Parts with their candidates, padded to the greatest number of them.

    Attributes
    ----------
    features : float32 [shape=(n_parts, most, n_features)]
    padding : bool [shape=(n_parts, most)]
    targets : float32 [shape=(n_parts, most + 1)]
        Sums to 1; the last column is that no candidate is right.
    """

    features: torch.Tensor
    padding: torch.Tensor
    targets: torch.Tensor


def fit_tempo(clips: Sequence[Clip], sounds: Sequence[Sound], seed: int = 0) -> TempoRanker:
    """Fit a ranker to the parts of clips, and to sounds without a beat."""
    parts = [
        (heard, clip.bpm)
        for clip in clips
        if np.isfinite(clip.bpm)
        for heard in (clip.middle, *clip.others)
    ]
    parts += [(sound.heard, np.nan) for sound in sounds if sound.kind not in WITH_A_BEAT]
    cases = _cases([part for part in parts if len(part[0].tempi)])
    seen = cases.features[~cases.padding]
    centre, scale = seen.mean(dim=0), seen.std(dim=0) + 1e-6
    members = [_member(cases, centre, scale, seed * MEMBERS + index) for index in range(MEMBERS)]
    hidden = torch.cat([member.hidden.weight for member, _ in members]) / scale
    bias = torch.cat([member.hidden.bias for member, _ in members]) - hidden @ centre
    output = torch.cat([member.output.weight[0] for member, _ in members]) / MEMBERS
    none = np.mean([float(none - member.output.bias[0]) for member, none in members])
    return TempoRanker(hidden.T.numpy(), bias.numpy(), output.numpy(), float(none))


def _cases(parts: Sequence[tuple[Heard, float]]) -> _Cases:
    most = max(len(heard.tempi) for heard, _ in parts)
    features = np.zeros((len(parts), most, parts[0][0].tempo_features.shape[1]), np.float32)
    padding = np.ones((len(parts), most), np.bool_)
    targets = np.zeros((len(parts), most + 1), np.float32)
    for row, (heard, bpm) in enumerate(parts):
        count = len(heard.tempi)
        features[row, :count] = heard.tempo_features
        padding[row, :count] = False
        targets[row, :count] = np.abs(heard.tempi / bpm - 1) <= RIGHT  # never for NaN
        targets[row, -1] = not targets[row].any()
    targets /= targets.sum(axis=1, keepdims=True)
    return _Cases(*map(torch.from_numpy, (features, padding, targets)))


class _Network(torch.nn.Module):
    """One member of the ranker."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(n_features, HIDDEN)
        self.output = torch.nn.Linear(HIDDEN, 1)
        self.none = torch.nn.Parameter(torch.zeros(1))

    def forward(self, features: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        """Return the log probability of each candidate and of none."""
        inside = torch.nn.functional.dropout(
            self.hidden(features).relu(), DROPOUT, training=self.training
        )
        scores = self.output(inside)[..., 0].masked_fill(padding, -torch.inf)
        none = self.none.expand(len(scores), 1)
        return torch.cat([scores, none], dim=1).log_softmax(dim=1)


def _member(
    cases: _Cases, centre: torch.Tensor, scale: torch.Tensor, seed: int
) -> tuple[_Network, float]:
    """Train one network; return it and its score of none."""
    torch.manual_seed(seed)
    features = (cases.features - centre) / scale
    network = _Network(features.shape[-1])
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    batches = -(-len(features) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * batches)
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(features)), BATCH):
            log_probabilities = network(features[batch], cases.padding[batch])
            possible = cases.targets[batch] > 0
            losses = torch.where(possible, cases.targets[batch] * log_probabilities, 0)
            optimiser.zero_grad()
            loss = -losses.sum() / len(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network.requires_grad_(requires_grad=False), float(network.none[0])


def fit_key(clips: Sequence[Clip], sounds: Sequence[Sound]) -> Floats:
    """Fit the weights of `music.key_features`.

    A clip of which only the key signature is known counts for both keys that have it.
    """
    parts = [
        (heard.key_features, _possible(clip))
        for clip in clips
        if _possible(clip).any()
        for heard in (clip.middle, *clip.others)
    ]
    nothing = np.append(np.zeros(N_KEYS), 1.0)
    parts += [(sound.heard.key_features, nothing) for sound in sounds]
    features = np.stack([part for part, _ in parts])
    possible = np.stack([keys for _, keys in parts])

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = features @ weights
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        right = probabilities * possible
        likelihood = np.maximum(right.sum(axis=1, keepdims=True), 1e-12)
        slope = (probabilities - right / likelihood) / len(features)
        gradient = np.einsum("nk,nkf->f", slope, features) + 2 * PENALTY * weights
        return -float(np.log(likelihood).mean()) + PENALTY * float(weights @ weights), gradient

    start = np.zeros(features.shape[-1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def _possible(clip: Clip) -> Floats:
    """Return 1 for the keys that a clip may have; [shape=(N_KEYS + 1,)]."""
    possible = np.zeros(N_KEYS + 1)
    if clip.key >= 0:
        possible[clip.key] = 1
    elif clip.relative_major >= 0:
        possible[[clip.relative_major, 12 + (clip.relative_major + 9) % 12]] = 1
    return possible
