"""A trained model behind one function: spectrograms in, scores out.

`training.release` writes model files, by this contract:

* input ``log_mel``, float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)]: from `audio.log_mel`. If the
  file leaves the number of frames open, the model takes short windows, too;
* output ``genre_probabilities``, float32 [shape=(n, n_genres)]: each row sums to 1;
* output ``emotion``, float32 [shape=(n, n_emotions)], in [0, 1];
* output ``music``, float32 [shape=(n,)]: probability that the window is music;
* output ``known``, float32 [shape=(n,)]: probability that, if music, it is of one of the genres;
* if the card has features, output ``audio_features``, float32 [shape=(n, n_features)], in [0, 1];
* if the card has an embedding, output ``embedding``, float32 [shape=(n, n_dimensions)], of any
  length: the mean over the windows of a recording is normalised;
* metadata ``card``: a `service.card.Card` as JSON.

If a file ``name.onnx.sha256`` exists, in the format of sha256sum, ``name.onnx`` must have its
digest.
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
from service.card import Card, EmbeddingSpace

MAX_BATCH = 1  # windows in one run; more need more memory and are 5 % faster
ANSWER_TOLERANCE = 1e-3  # largest difference between the reference answer and the output

INPUT = "log_mel"
OUTPUTS = ("genre_probabilities", "emotion", "music", "known")  # of every model
FEATURES, EMBEDDING = "audio_features", "embedding"  # of some
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
    """The model was trained with another front-end, or its output differs from that at export."""


class UnknownModelError(LookupError):
    """No model of that name and version is installed."""


class NoEmbeddingError(LookupError):
    """The model has no embedding. The message is for the sender of a request."""


def outputs_of(card: Card) -> dict[str, list[int]]:
    """Return the outputs of a model with a card, in order, and the shape of each for a window."""
    shapes = dict(zip(OUTPUTS, ([len(card.genres)], [len(card.emotions)], [], []), strict=True))
    if card.features:
        shapes[FEATURES] = [len(card.features)]
    if card.embedding:
        shapes[EMBEDDING] = [card.embedding.dimensions]
    return shapes


@dataclass(frozen=True)
class Scores:
    """The output of a model for a batch of windows; all but the embedding is in [0, 1].

    Attributes
    ----------
    genres : float32 [shape=(n_windows, n_genres)]
        Each row sums to 1. Columns in the order of `Card.genres`.
    emotion : float32 [shape=(n_windows, n_emotions)]
        Columns in the order of `Card.emotions`.
    music : float32 [shape=(n_windows,)]
        Probability that the window is music.
    known : float32 [shape=(n_windows,)]
        Probability that the window, if it is music, is of one of the genres.
    features : float32 [shape=(n_windows, n_features)]
        Columns in the order of `Card.features`; none for a model without features.
    embedding : float32 [shape=(n_windows, n_dimensions)]
        No columns for a model without an embedding.
    """

    genres: NDArray[np.float32]
    emotion: NDArray[np.float32]
    music: NDArray[np.float32]
    known: NDArray[np.float32]
    features: NDArray[np.float32]
    embedding: NDArray[np.float32]

    def windows(self, start: int, end: int) -> "Scores":
        """Return the scores of a range of windows."""
        return self.chosen(slice(start, end))

    def chosen(self, some: slice | NDArray[np.bool_]) -> "Scores":
        """Return the scores of the windows that a slice or a mask selects."""
        return Scores(*(values[some] for values in vars(self).values()))

    @staticmethod
    def together(batches: Sequence["Scores"]) -> "Scores":
        """Concatenate the scores of several batches."""
        parts = zip(*(vars(each).values() for each in batches), strict=True)
        return Scores(*(np.concatenate(part) for part in parts))

    def flat(self) -> NDArray[np.float32]:
        """Return all values of all windows in one row, in the order of `Card.reference_answer`."""
        return np.concatenate([values.ravel() for values in vars(self).values()])


class Scorer(ABC):
    """A model that scores windows: a `Model` in this process, or one on another machine.

    Attributes
    ----------
    card : Card
    digest : str
        SHA-256 of the model file.
    shortest : int
        Samples of the shortest window that it scores: those of a short window, or of a whole one.
    """

    card: Card
    digest: str
    shortest: int

    def space(self) -> EmbeddingSpace:
        """Return the space of the model's embedding.

        Raises
        ------
        NoEmbeddingError
            If it has none.
        """
        if self.card.embedding is None:
            raise NoEmbeddingError(
                f"Version {self.card.version} of the model {self.card.name} has no embedding."
            )
        return self.card.embedding

    @abstractmethod
    def score(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows as one batch.

        Parameters
        ----------
        spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
            As `audio.log_mel` returns them. Those of windows of `shortest` samples or more have
            fewer frames.
        """

    def verify(self) -> None:
        """Compare the output for a fixed recording with that at export.

        Raises
        ------
        ModelMismatchError
            If they differ by more than `ANSWER_TOLERANCE`.
        """
        answer = self.score(audio.log_mel(audio.reference_windows())).flat()
        expected, distance = np.asarray(self.card.reference_answer), float("inf")
        if answer.shape == expected.shape:
            distance = float(np.abs(answer - expected).max())
        if not distance <= ANSWER_TOLERANCE:  # true for NaN, too
            raise ModelMismatchError(
                f"The output of {self.card.name} differs by {distance:.2g} from that at export."
            )


class Model(Scorer):
    """An ONNX model and its card.

    Parameters
    ----------
    path : Path
        A file that follows the contract above.

    Raises
    ------
    UnreadableModelError
        If the file is missing, is not an ONNX model, does not have the digest in the file beside
        it, or has no card or a card that does not match.
    ModelMismatchError
        If it was trained with another front-end than that of `service.audio`.
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
        n_frames = self._session.get_inputs()[0].shape[-1]  # a name or None where any may be
        self.shortest = audio.N_SAMPLES if isinstance(n_frames, int) else audio.N_SHORT_SAMPLES
        self._check(path.name)

    def _check(self, name: str) -> None:
        """Compare the card with the outputs of the file and with the installed front-end."""
        shapes = {output.name: output.shape[1:] for output in self._session.get_outputs()}
        if shapes != outputs_of(self.card):
            raise UnreadableModelError(
                f"{name} has the outputs {shapes}, which do not match its card."
            )
        skew = audio.skew(self.card.signature)
        if self.card.front_end != audio.front_end() or not skew <= audio.SKEW_TOLERANCE:
            raise ModelMismatchError(
                f"{name} was trained with another front-end: its signature is {skew:.2g} dB away."
            )

    def score(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows, up to `MAX_BATCH` in one run.

        One by one, a window has exactly the same scores wherever it is: `service.live` scores it
        before the others have been heard.

        ONNX Runtime never returns the memory of its largest run to the system. A recording of ten
        minutes in one run costs a process more than 100 MB until it ends.
        """
        starts = range(0, len(spectrograms), MAX_BATCH)
        return Scores.together(
            [self._run(spectrograms[start : start + MAX_BATCH]) for start in starts]
        )

    def _run(self, spectrograms: audio.Spectrograms) -> Scores:
        """Score windows in one run."""
        names = list(outputs_of(self.card))
        found = dict(zip(names, self._session.run(names, {INPUT: spectrograms}), strict=True))
        none = np.empty((len(spectrograms), 0), np.float32)
        outputs = (found.get(name, none) for name in (*OUTPUTS, FEATURES, EMBEDDING))
        return Scores(*(np.asarray(output) for output in outputs))


class Models:
    """The installed models, by name and version.

    Parameters
    ----------
    models : sequence of Scorer
        No two with the same name and version.
    """

    def __init__(self, models: Sequence[Scorer]) -> None:
        self._models = sorted(models, key=lambda each: (each.card.name, _order(each.card.version)))

    def __iter__(self) -> Iterator[Scorer]:
        """Iterate by name, the oldest version of each first."""
        return iter(self._models)

    def __getitem__(self, reference: str) -> Scorer:
        """Return the model ``name:version``, or the newest version of ``name``.

        Raises
        ------
        UnknownModelError
            If there is no such model.
        """
        name, _, version = reference.partition(":")
        for model in reversed(self._models):
            if model.card.name == name and version in ("", model.card.version):
                return model
        raise UnknownModelError(f"There is no model {reference}; see /v1/models.")


def _digest_file(path: Path) -> Path:
    """Return the path of the digest of a model file."""
    return path.with_name(path.name + DIGEST_SUFFIX)


def write_digest(path: Path) -> None:
    """Write the digest of a model file into a file beside it, in the format of sha256sum."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _digest_file(path).write_text(f"{digest}  {path.name}\n")


def _checked_digest(path: Path, content: bytes) -> str:
    """Return the digest of a model file; refuse one that differs from the file beside it."""
    digest = hashlib.sha256(content).hexdigest()
    expected = _digest_file(path)
    if expected.exists() and expected.read_text(errors="replace").split()[:1] != [digest]:
        raise UnreadableModelError(
            f"{path.name} was changed or damaged: its digest is not the one in {expected.name}."
        )
    return f"sha256:{digest}"


def _one_thread() -> ort.SessionOptions:
    """Return options for one thread: recordings are scored in parallel, each on one processor."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def _order(version: str) -> list[tuple[bool, int | str]]:
    """Return the sort key of a version: its numbers as numbers, so that 10 comes after 9."""
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return [(part.isdecimal(), int(part) if part.isdecimal() else part) for part in parts]


def load_models(folder: Path) -> Models:
    """Load every ``*.onnx`` in a folder.

    Raises
    ------
    ModelError
        If a model cannot be served, two have the same name and version, or there is none.
    """
    models = [Model(path) for path in sorted(folder.glob("*.onnx"))]
    if not models:
        raise UnreadableModelError(f"There is no model in {folder}.")
    names = [f"{model.card.name}:{model.card.version}" for model in models]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UnreadableModelError(f"Two files in {folder} are {min(twice)}.")
    return Models(models)
