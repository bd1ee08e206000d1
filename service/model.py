"""A trained model behind one function: spectrograms in, scores out.

The contract of a model file, which `training.release` writes:

* input ``log_mel``, float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)]: `audio.log_mel` as it is;
* output ``genre_probabilities``, float32 [shape=(n, n_genres)]: each row sums to 1;
* output ``emotion``, float32 [shape=(n, n_emotions)], in [0, 1];
* output ``music``, float32 [shape=(n,)]: probability that the window is music at all;
* output ``known``, float32 [shape=(n,)]: probability that, being music, it is of one of the genres;
* metadata ``card``: a `service.card.Card` as JSON.

Beside ``name.onnx`` may lie ``name.onnx.sha256``, as sha256sum writes it: the digest it must have.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from pydantic import ValidationError

from service import audio
from service.card import Card

MAX_BATCH = 4  # windows in one run; more need more memory and are not faster
ANSWER_TOLERANCE = 1e-3  # between the answer that a model was pinned by and the one it gives

INPUT = "log_mel"
OUTPUTS = ("genre_probabilities", "emotion", "music", "known")
CARD_KEY = "card"
DIGEST_SUFFIX = ".sha256"

_UNREADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
)


class ModelError(RuntimeError):
    """A model cannot be served. The message is written for the operator, in one line."""


class UnreadableModelError(ModelError):
    """The file is missing, damaged or without a valid card."""


class ModelMismatchError(ModelError):
    """The model was trained with another front-end, or answers otherwise than when exported."""


class UnknownModelError(LookupError):
    """No model of that name and version is installed."""


@dataclass(frozen=True)
class Scores:
    """What a model says of a batch of windows; every number is in [0, 1].

    Attributes
    ----------
    genres : float32 [shape=(n_windows, n_genres)]
        Rows sum to 1; columns as in `Card.genres`.
    emotion : float32 [shape=(n_windows, n_emotions)]
        Columns as in `Card.emotions`.
    music : float32 [shape=(n_windows,)]
        Probability that the window is music at all.
    known : float32 [shape=(n_windows,)]
        Probability that, being music, it is of one of the genres.
    """

    genres: NDArray[np.float32]
    emotion: NDArray[np.float32]
    music: NDArray[np.float32]
    known: NDArray[np.float32]

    def windows(self, start: int, end: int) -> "Scores":
        """Return the scores of some windows, as a batch of their own."""
        return self.chosen(slice(start, end))

    def chosen(self, some: slice | NDArray[np.bool_]) -> "Scores":
        """Return the scores of the windows that a mask or a slice chooses."""
        return Scores(self.genres[some], self.emotion[some], self.music[some], self.known[some])

    @staticmethod
    def together(batches: Sequence["Scores"]) -> "Scores":
        """Return the scores of several batches as those of one."""
        return Scores(
            np.concatenate([each.genres for each in batches]),
            np.concatenate([each.emotion for each in batches]),
            np.concatenate([each.music for each in batches]),
            np.concatenate([each.known for each in batches]),
        )


class Scorer(ABC):
    """What scores windows, wherever it does so: a `Model` here, or one on another machine.

    Attributes
    ----------
    card : Card
    digest : str
        Tells its file from any other.
    """

    card: Card
    digest: str

    @abstractmethod
    def score(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows as one batch.

        Parameters
        ----------
        spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
            As `audio.log_mel` returns them.
        """

    def verify(self) -> None:
        """Score the fixed recording once.

        Raises
        ------
        ModelMismatchError
            If the answer is not the one that the model was exported with.
        """
        scores = self.score(audio.log_mel(audio.reference_windows()))
        answer = np.concatenate([scores.genres[0], scores.emotion[0], scores.music, scores.known])
        distance = float(np.abs(answer - self.card.reference_answer).max())
        if not distance <= ANSWER_TOLERANCE:  # nor if it is not a number
            raise ModelMismatchError(
                f"{self.card.name} answers {distance:.2g} away from what it was exported with."
            )


class Model(Scorer):
    """An ONNX model and its card.

    Parameters
    ----------
    path : Path
        A file to the contract above.

    Raises
    ------
    UnreadableModelError
        If the file is missing, is no ONNX model, is not the one whose digest lies beside it, or
        has no card that fits it.
    ModelMismatchError
        If its front-end is not that of `service.audio` as installed here.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
            self.digest = _checked_digest(path, content)
            self._session = ort.InferenceSession(
                content, _one_thread(), providers=["CPUExecutionProvider"]
            )
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.card = Card.model_validate_json(metadata[CARD_KEY])
        except (OSError, KeyError, ValidationError, *_UNREADABLE) as error:
            raise UnreadableModelError(
                f"{path.name} is not a model of Fifteen: {type(error).__name__}."
            ) from error
        self._check(path.name)

    def _check(self, name: str) -> None:
        """Hold the card against the file and against the front-end installed here."""
        shapes = {output.name: output.shape[1:] for output in self._session.get_outputs()}
        widths = [len(self.card.genres)], [len(self.card.emotions)]
        if shapes != dict(zip(OUTPUTS, (*widths, [], []), strict=True)):
            raise UnreadableModelError(f"{name} gives {shapes} a window, unlike its card says.")
        skew = audio.skew(self.card.signature)
        if self.card.front_end != audio.front_end() or not skew <= audio.SKEW_TOLERANCE:
            raise ModelMismatchError(
                f"{name} was trained with another front-end, {skew:.2g} dB away."
            )

    def score(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows, up to `MAX_BATCH` in one run.

        ONNX Runtime never returns the memory of its largest run to the system. A recording of ten
        minutes in one run costs a process more than 100 MB for as long as it lives.
        """
        starts = range(0, len(spectrograms), MAX_BATCH)
        return Scores.together(
            [self._run(spectrograms[start : start + MAX_BATCH]) for start in starts]
        )

    def _run(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows in one run."""
        outputs = self._session.run(OUTPUTS, {INPUT: spectrograms})
        return Scores(*(np.asarray(output) for output in outputs))


class Models:
    """The installed models, which may be of several names and versions.

    Parameters
    ----------
    models : sequence of Scorer
        No two of one name and version.
    """

    def __init__(self, models: Sequence[Scorer]) -> None:
        self._models = sorted(models, key=lambda each: (each.card.name, _order(each.card.version)))

    def __iter__(self) -> Iterator[Scorer]:
        """Go through them by name, the oldest version of each first."""
        return iter(self._models)

    def __getitem__(self, asked: str) -> Scorer:
        """Return the model ``name:version``, or the newest that has a ``name``.

        Raises
        ------
        UnknownModelError
            If there is none.
        """
        name, _, version = asked.partition(":")
        for model in reversed(self._models):
            if model.card.name == name and version in ("", model.card.version):
                return model
        raise UnknownModelError(f"There is no model {asked}; see /v1/models.")


def _digest_file(path: Path) -> Path:
    """Return where the digest of a model file is written down."""
    return path.with_name(path.name + DIGEST_SUFFIX)


def write_digest(path: Path) -> None:
    """Write down the digest of a model file beside it, as ``sha256sum`` does."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _digest_file(path).write_text(f"{digest}  {path.name}\n")


def _checked_digest(path: Path, content: bytes) -> str:
    """Return the digest of a model file; refuse one that is not what was written down."""
    digest = hashlib.sha256(content).hexdigest()
    written = _digest_file(path)
    if written.exists() and written.read_text(errors="replace").split()[:1] != [digest]:
        raise UnreadableModelError(
            f"{path.name} was changed or damaged: its digest is not the one in {written.name}."
        )
    return f"sha256:{digest}"


def _one_thread() -> ort.SessionOptions:
    """Return options for recordings that are scored side by side, each by one processor."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def _order(version: str) -> list[tuple[bool, int | str]]:
    """Return what a version sorts by: its numbers as numbers, so that 10 comes after 9."""
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return [(part.isdecimal(), int(part) if part.isdecimal() else part) for part in parts]


def load_models(folder: Path) -> Models:
    """Load every ``*.onnx`` in a folder.

    Raises
    ------
    ModelError
        If one of them cannot be served, two have the same name and version, or there is none.
    """
    models = [Model(path) for path in sorted(folder.glob("*.onnx"))]
    if not models:
        raise UnreadableModelError(f"There is no model in {folder}.")
    names = [f"{model.card.name}:{model.card.version}" for model in models]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UnreadableModelError(f"Two files in {folder} are {min(twice)}.")
    return Models(models)
