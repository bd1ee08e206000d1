"""Trains models: members over descriptors, each chosen on a validation part of its own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot
from tqdm import tqdm

from service.card import EMOTIONS
from training import divisions
from training.calibrate import Heard, calibrate, validation
from training.corpus import CorpusError
from training.described import Described, device
from training.divisions import Division
from training.networks import Member
from training.prepared import Prepared, Rows
from training.runs import Config, Epoch, best_epoch, is_done, learnt, run_folder, save, shape

WARM_UP = 0.3  # share of the steps in which the learning rate rises
SMALLEST_CLASS = 5  # tracks; a rarer class is drawn as if it had so many


def train(
    prepared: Prepared, config: Config, runs: Path, *, seeds: int, everything: bool, jobs: int
) -> None:
    """Train every model that is not there yet.

    Parameters
    ----------
    prepared : Prepared
    config : Config
        Its seed is that of the first run.
    runs : Path
        Where the runs go.
    seeds : int
        How many, of the fixed split and of every fold.
    everything : bool
        Whether to train the folds and, from one seed, the left-out sources too, beside the fixed
        split.
    jobs : int
        Processes, where there is no GPU.

    Raises
    ------
    CorpusError
        If there are not two genres to tell apart, or too few groups to divide.
    TrainingDivergedError
        If no epoch of a member has a finite loss.
    """
    if len(prepared.genres) < 2:
        raise CorpusError("There are not two genres to tell apart.")
    described = Described(prepared, config.copies, runs)
    chosen = [divisions.fixed(prepared), *(divisions.folds(prepared) if everything else [])]
    plans = [(d, replace(config, seed=config.seed + i)) for i in range(seeds) for d in chosen]
    plans += [(d, config) for d in divisions.left_out_sources(prepared) if everything]
    for division in chosen:
        _check_genres(prepared, division)
    missing = [
        (division, of_seed, run)
        for division, of_seed in plans
        if not is_done(prepared, run := run_folder(runs, division, of_seed.seed), of_seed)
    ]
    train_model = partial(_train_model, prepared, described)
    if device().type == "cuda" or jobs == 1:
        for plan in tqdm(missing, desc="train", unit="model"):
            train_model(*plan)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        done = pool.map(train_model, *zip(*missing, strict=True))
        for _ in tqdm(done, total=len(missing), desc="train", unit="model"):
            pass


def _check_genres(prepared: Prepared, division: Division) -> None:
    """Refuse a division that has all of a genre in its test part."""
    for code, genre in enumerate(prepared.genres):
        if code not in prepared.label[division.learn]:
            raise CorpusError(
                f"All of {genre} is in the test part of {division.name}: nothing is left to learn "
                "it from. Add recordings of more albums or artists."
            )


def _train_model(
    prepared: Prepared, described: Described, division: Division, config: Config, run: Path
) -> None:
    """Train the members of one model, calibrate it, and record the run."""
    members, histories, heard = [], [], []
    parts = divisions.members(prepared, division.learn, config.members, config.seed)
    for number, (train_tracks, valid_tracks) in enumerate(parts):
        trainer = _Trainer(prepared, described, config, train_tracks)
        history = trainer.run(valid_tracks, seed=config.seed * config.members + number)
        member = trainer.member.cpu().eval()
        members.append(member)
        histories.append(history)
        heard.append(Heard.of(prepared, described.values, member, valid_tracks))
    on_validation = Heard.joined(heard)
    calibration = calibrate(prepared, on_validation)
    save(
        prepared,
        run,
        config,
        calibration,
        members=members,
        histories=histories,
        validation=validation(prepared, on_validation, calibration),
    )


class _Trainer:
    """Trains one member on some tracks."""

    def __init__(
        self, prepared: Prepared, described: Described, config: Config, tracks: Rows
    ) -> None:
        self.prepared, self.described, self.config = prepared, described, config
        entries = described.entries_of(tracks)
        entries = entries[np.argsort(described.track_of[entries], kind="stable")]
        self.tracks, self._first, self._count = np.unique(
            described.track_of[entries], return_index=True, return_counts=True
        )
        self._shares = _draw_shares(prepared.label[self.tracks], config.balance)
        self._targets = _Targets(prepared, self.tracks, config.emotion_weight)
        self._values = torch.from_numpy(described.values[entries])

    def run(self, valid_tracks: Rows, seed: int) -> list[Epoch]:
        """Train `self.member`, and leave it in its best state on validation."""
        torch.manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self.member = self._member()
        steps = max(len(self.tracks) // self.config.batch_size, 1)
        optimizer = torch.optim.AdamW(
            self.member.parameters(),
            self.config.learning_rate,
            weight_decay=self.config.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            self.config.learning_rate,
            total_steps=self.config.epochs * steps,
            pct_start=WARM_UP,
        )
        history: list[Epoch] = []
        best: dict[str, Tensor] = {}
        for epoch in range(1, self.config.epochs + 1):
            losses = [self._step(optimizer, schedule) for _ in range(steps)]
            history.append(Epoch(epoch, float(np.mean(losses)), self._valid_loss(valid_tracks)))
            if history[-1] is best_epoch(history):
                best = {name: value.clone() for name, value in self.member.state_dict().items()}
        self.member.load_state_dict(best)
        return history

    def _member(self) -> Member:
        """Return a new member that standardises by what trains it."""
        config = self.config
        member = Member(
            shape(self.prepared, config), config.dropout, config.input_dropout, config.input_noise
        )
        member.mean.copy_(self._values.mean(0))
        member.scale.copy_(self._values.std(0) + 1e-6)
        member.origin_shares.copy_(_origin_shares(self.prepared, self.tracks))
        self._inputs = member.standardised(self._values).to(device())
        return member.to(device())

    def _step(
        self, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler
    ) -> float:
        self.member.train()
        optimizer.zero_grad()
        loss = self._batch_loss()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        return loss.item()

    def _batch_loss(self) -> Tensor:
        """Draw tracks by class, some window of each, perhaps blended in pairs."""
        config, rng = self.config, self._rng
        drawn = rng.choice(len(self.tracks), config.batch_size, p=self._shares)
        entries = self._first[drawn] + rng.integers(self._count[drawn])
        inputs, tracks = self._inputs[torch.from_numpy(entries)], self.tracks[drawn]
        if rng.random() >= config.mixup:
            return self._targets.loss(self.member, inputs, tracks)
        drawn_share = rng.beta(config.mixup_alpha, config.mixup_alpha, len(drawn))
        larger = np.maximum(drawn_share, 1 - drawn_share).astype(np.float32)
        share = torch.from_numpy(larger).to(device())
        partner = rng.permutation(len(drawn))
        blended = torch.lerp(inputs[torch.from_numpy(partner)], inputs, share[:, None])
        return self._targets.loss(self.member, blended, tracks, share, tracks[partner])

    @torch.no_grad()
    def _valid_loss(self, tracks: Rows) -> float:
        self.member.eval()
        takes = [self.prepared.rows(take, tracks) for take in ("heard", "phone")]
        rows = np.concatenate(takes)
        values = torch.from_numpy(self.described.values[rows]).to(device())
        inputs = self.member.standardised(values)
        return float(self._targets.loss(self.member, inputs, self.prepared.track_of[rows]))


def _draw_shares(labels: Rows, balance: float) -> NDArray[np.float64]:
    """Return how often to draw each track: those of rare classes more often."""
    known = labels >= 0
    counts = np.maximum(np.bincount(labels[known], minlength=1), SMALLEST_CLASS).astype(float)
    shares = np.ones(len(labels))
    shares[known] = counts[labels[known]] ** -balance
    shares[~known] = np.median(shares[known]) if known.any() else 1
    return np.asarray(shares / shares.sum())


def _origin_shares(prepared: Prepared, tracks: Rows) -> Tensor:
    """Return the share of each origin among the labels of each emotion."""
    counts = np.zeros((len(prepared.origins), len(EMOTIONS)), np.float32)
    for column in range(len(EMOTIONS)):
        known = tracks[~np.isnan(prepared.emotion[tracks, column])]
        np.add.at(counts[:, column], prepared.origin[known, column], 1)
    return torch.from_numpy(counts / np.maximum(counts.sum(axis=0), 1))


class _Targets:
    """The labels of tracks, and the loss against them.

    The loss is the classes' cross-entropy plus, for each emotion, its squared error over its
    variance, each a mean over what is labelled. Of blended windows each label counts by its share.
    """

    def __init__(self, prepared: Prepared, train_tracks: Rows, emotion_weight: float) -> None:
        known = torch.from_numpy(prepared.label >= 0)
        classes = one_hot(torch.from_numpy(prepared.label).clamp(min=0), len(prepared.classes))
        self._classes = (classes * known[:, None]).float().to(device())
        self._emotion = torch.from_numpy(prepared.emotion).to(device())
        self._origin = torch.from_numpy(prepared.origin).to(device())
        self._weights = torch.zeros(len(EMOTIONS))
        for column in learnt(prepared):
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
        share: Tensor | None = None,
        partners: Rows | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        member : Member
        inputs : float32 [shape=(n, n_descriptors)], standardised
        tracks : int64 [shape=(n,)]
        share : float32 [shape=(n,)], optional
            Of the labels of `tracks`; the rest is that of `partners`.
        partners : int64 [shape=(n,)], optional
        """
        said = member(inputs)
        share = torch.ones(len(tracks), device=inputs.device) if share is None else share
        sums, counts = self._sums(member, said, torch.from_numpy(tracks), share)
        if partners is not None:
            more, further = self._sums(member, said, torch.from_numpy(partners), 1 - share)
            sums, counts = sums + more, counts + further
        means = sums / counts.clamp(min=1e-6)
        return means[0] + (self._weights * means[1:]).sum()

    def _sums(
        self, member: Member, said: tuple[Tensor, Tensor], tracks: Tensor, share: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the summed errors of classes and emotions, and how much is labelled.

        Returns
        -------
        sums, counts : float32 [shape=(1 + len(EMOTIONS),)]
        """
        tracks = tracks.to(share.device)
        classes, label = self._classes[tracks], self._emotion[tracks]
        entropy = -(classes * log_softmax(said[0], dim=1)).sum(1)
        known = (~label.isnan()).float()
        scores = torch.sigmoid(said[1] + member.offsets(self._origin[tracks]))
        error = known * (scores - label.nan_to_num()) ** 2
        sums = torch.cat([(entropy * share).sum()[None], (error * share[:, None]).sum(0)])
        counts = torch.cat([(classes.sum(1) * share).sum()[None], (known * share[:, None]).sum(0)])
        return sums, counts
