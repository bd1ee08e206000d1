"""The networks: spectrograms in, logits out."""

import torch
from torch import Tensor, nn

from service import audio
from service.card import EMOTIONS

SEED_FEATURES = 64
SEED_DROPOUT = 0.5

SHARING: dict[str, tuple[tuple[str, ...], ...]] = {
    "none": (("genre",), *((emotion,) for emotion in EMOTIONS)),
    "emotion": (("genre",), EMOTIONS),
    "all": (("genre", *EMOTIONS),),
}
"""Which tasks share one trunk, and so are trained together."""


class SeedTrunk(nn.Sequential):
    """The convolutions and the first dense layer of the nine-genre network of the student project.

    Convolutions are unpadded. With nine genres on top it has 32 969 parameters.

    Input: [shape=(n, 1, audio.N_MELS, audio.N_FRAMES)]; output: [shape=(n, SEED_FEATURES)].
    """

    def __init__(self) -> None:
        def block(channels: int, kernel: int, stride: int, pool: int) -> list[nn.Module]:
            convolution = nn.Conv2d(channels, 32, kernel, stride)
            # ReLU after max-pooling gives what ReLU before it gives, on a ninth of the points.
            return [convolution, nn.MaxPool2d(pool), nn.ReLU(), nn.BatchNorm2d(32)]

        convolutions = nn.Sequential(*block(1, 3, 1, 6), *block(32, 3, 1, 3), *block(32, 2, 2, 2))
        with torch.no_grad():
            n_inputs = convolutions.eval()(torch.zeros(1, 1, audio.N_MELS, audio.N_FRAMES)).numel()
        super().__init__(
            *convolutions.train(),
            nn.Flatten(),
            nn.Linear(n_inputs, SEED_FEATURES),
            nn.ReLU(),
            nn.Dropout(SEED_DROPOUT),
        )


class TaskNetwork(nn.Module):
    """A trunk and the heads of the tasks that share it.

    Origins of emotion labels are on scales of their own, so each has an offset that is learnt with
    the network. The offsets average to zero over the training labels: the network's own answer is
    on their common scale.

    Parameters
    ----------
    tasks : tuple of str
        ``genre`` or emotions, at least one.
    n_genres : int
    origin_counts : Tensor, [shape=(n_origins, len(EMOTIONS))]
        Number of training labels of each origin.
    """

    origin_shares: Tensor

    def __init__(self, tasks: tuple[str, ...], n_genres: int, origin_counts: Tensor) -> None:
        super().__init__()
        self.tasks = tasks
        self.emotions = [EMOTIONS.index(task) for task in tasks if task != "genre"]
        self.trunk = SeedTrunk()
        self.genre_head = nn.Linear(SEED_FEATURES, n_genres) if "genre" in tasks else None
        self.emotion_head = nn.Linear(SEED_FEATURES, len(self.emotions)) if self.emotions else None
        counts = origin_counts[:, self.emotions]
        self.register_buffer("origin_shares", counts / counts.sum(0).clamp(min=1))
        self.origin_offsets = nn.Parameter(torch.zeros_like(self.origin_shares))

    def forward(self, log_mel: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return genre logits and emotion logits, each None where it is not among the tasks.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
            As `audio.log_mel` returns it.

        Returns
        -------
        genre : float32 [shape=(n, n_genres)]
        emotion : float32 [shape=(n, len(self.emotions))]
            On the common scale; see `offsets`.
        """
        features = self.trunk(1 + log_mel[:, None] / audio.SPAN_DB)
        genre = None if self.genre_head is None else self.genre_head(features)
        emotion = None if self.emotion_head is None else self.emotion_head(features)
        return genre, emotion

    def offsets(self, origins: Tensor) -> Tensor:
        """Return what takes emotion logits from the common scale to that of their labels.

        Parameters
        ----------
        origins : int64 [shape=(n, len(self.emotions))]

        Returns
        -------
        offsets : float32 [shape=(n, len(self.emotions))]
        """
        centred = self.origin_offsets - (self.origin_shares * self.origin_offsets).sum(0)
        seen = self.origin_shares > 0  # an origin that training never showed has no offset
        return torch.where(seen, centred, 0).gather(0, origins)


class FifteenNetwork(nn.Module):
    """All tasks in one graph, to the contract of `service.model`.

    Parameters
    ----------
    networks : list of TaskNetwork
        Together they have the genre and any number of emotions, each task once.

    Attributes
    ----------
    emotions : list of str
        Those that the networks have learnt, in the order of `EMOTIONS`.
    """

    def __init__(self, networks: list[TaskNetwork]) -> None:
        super().__init__()
        self._networks = nn.ModuleList(networks)
        learnt = sorted(column for network in networks for column in network.emotions)
        self.emotions = [EMOTIONS[column] for column in learnt]

    def task_networks(self) -> list[TaskNetwork]:
        """Return the networks as they were given."""
        return [network for network in self._networks if isinstance(network, TaskNetwork)]

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return genre probabilities and emotion scores.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB

        Returns
        -------
        genre_probabilities : float32 [shape=(n, n_genres)]
            Rows sum to 1.
        emotion : float32 [shape=(n, len(self.emotions))]
            In [0, 1].
        """
        genre = torch.empty(0)
        columns: dict[int, Tensor] = {}  # by their place in EMOTIONS
        for network in self.task_networks():
            genre_logits, emotion_logits = network(log_mel)
            if genre_logits is not None:
                genre = torch.softmax(genre_logits, dim=1)
            if emotion_logits is not None:
                columns |= zip(network.emotions, emotion_logits.sigmoid().unbind(1), strict=True)
        if not columns:
            return genre, log_mel[:, 0, :0]
        return genre, torch.stack([columns[place] for place in sorted(columns)], dim=1)
