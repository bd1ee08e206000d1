"""A trained model behind one function: spectrograms in, scores out.

The contract of a model file, which `training.export` writes:

* input ``log_mel``, float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)]: `audio.log_mel` as it is;
* output ``genre_probabilities``, float32 [shape=(n, n_genres)]: each row sums to 1;
* output ``emotion``, float32 [shape=(n, n_emotions)], in [0, 1];
* output ``music``, float32 [shape=(n,)]: probability that the window is music at all;
* output ``known``, float32 [shape=(n,)]: probability that, being music, it is of one of the genres;
* metadata ``card``: a `service.card.Card` as JSON.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from pydantic import ValidationError

from service import audio
from service.card import Card

ANSWER_TOLERANCE = 1e-3  # between the answer that a model was pinned by and the one it gives

INPUT = "log_mel"
OUTPUTS = ("genre_probabilities", "emotion", "music", "known")
CARD_KEY = "card"

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
    """No model of that name is installed."""


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


class Model:
    """An ONNX model and its card.

    Parameters
    ----------
    path : Path
        A file to the contract above.

    Raises
    ------
    UnreadableModelError
        If the file is missing, is no ONNX model, or has no card that fits it.
    ModelMismatchError
        If its front-end is not that of `service.audio` as installed here.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
            self._session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.card = Card.model_validate_json(metadata[CARD_KEY])
        except (OSError, KeyError, ValidationError, *_UNREADABLE) as error:
            raise UnreadableModelError(
                f"{path.name} is not a model of Fifteen: {type(error).__name__}."
            ) from error
        self._check(path.name)
        self.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"

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
        """Score windows as one batch.

        Parameters
        ----------
        spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
            As `audio.log_mel` returns them.
        """
        outputs = self._session.run(OUTPUTS, {INPUT: spectrograms})
        return Scores(*(np.asarray(output) for output in outputs))

    def verify(self) -> None:
        """Run the model once on the fixed recording.

        Raises
        ------
        ModelMismatchError
            If its answer is not the one that it was exported with.
        """
        scores = self.score(audio.log_mel(audio.reference_windows()))
        answer = np.concatenate([scores.genres[0], scores.emotion[0], scores.music, scores.known])
        distance = float(np.abs(answer - self.card.reference_answer).max())
        if not distance <= ANSWER_TOLERANCE:  # nor if it is not a number
            raise ModelMismatchError(
                f"{self.card.name} answers {distance:.2g} away from what it was exported with."
            )


def load_models(folder: Path) -> dict[str, Model]:
    """Load every ``*.onnx`` in a folder.

    Returns
    -------
    models : dict of str to Model
        By name.

    Raises
    ------
    ModelError
        If one of them cannot be served, two have the same name, or there is none.
    """
    models: dict[str, Model] = {}
    for path in sorted(folder.glob("*.onnx")):
        model = Model(path)
        if model.card.name in models:
            raise UnreadableModelError(f"Two files in {folder} are named {model.card.name}.")
        models[model.card.name] = model
    if not models:
        raise UnreadableModelError(f"There is no model in {folder}.")
    return models
