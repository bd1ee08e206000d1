"""Measures trained models on one part of the split, once for every seed.

Choices are made on validation; test is for the report.

Conventions
-----------
* Recordings are heard as the service hears them: decoded and cut into windows by `service.audio`,
  their silences left in.
* By *window*: each 15 s window is a case. By *clip*: each recording is one, its windows' answers
  averaged, as the service averages them.
* The model that ships is the one of the lowest loss on validation; the others give the spread.
* Emotion is compared within one origin of labels, by clip: ranks (Spearman) and, with the offset
  that was learnt for the origin, values (R2).
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import spearmanr
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    r2_score,
)
from tqdm import tqdm

from service import audio
from service.card import EMOTIONS, EmotionFigures, Figure, Figures, GenreFigures, GenreRow
from training.corpus import CorpusError, Split
from training.networks import FifteenNetwork
from training.prepared import Prepared, Rows
from training.train import HISTORY_FILE, STATE_FILE, AnotherRunError, Epoch, best_epoch, load

FIGURES_FILE = "figures-{split}.json"
CONFUSION_FILE = "confusion-{split}.png"
MEASURED_FILE = "measured-{split}.json"
HEARD_SECONDS = (3, 5, 10, 15)
FEWEST_CLIPS = 10  # of one origin, to compute a correlation at all

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What one model says of the recordings of one part of the split.

    Attributes
    ----------
    tracks : int64 [shape=(n_clips,)]
        Index into `Prepared.tracks`.
    window_genres, window_tracks :
        Probabilities float64 [shape=(n_windows, n_genres)], and the track of each.
    genres : float64 [shape=(n_clips, n_genres)]
    emotion : float64 [shape=(n_clips, 3)]
        On the common scale; NaN where the model has not learnt it.
    own_scale : float64 [shape=(n_clips, 3)]
        The same on the scale of each label's origin.
    """

    tracks: Rows
    window_genres: Floats
    window_tracks: Rows
    genres: Floats
    emotion: Floats
    own_scale: Floats


def run_folders(runs: Path) -> list[Path]:
    """Return the folders of the seeds in a folder of runs.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    folders = sorted(path.parent for path in runs.glob(f"*/{HISTORY_FILE}"))
    if not folders:
        raise FileNotFoundError(f"{runs} holds no trained runs.")
    return folders


def stamps(runs: Path) -> str:
    """Return what tells these trained runs from any others, as JSON."""
    digests = {
        run.name: hashlib.sha256((run / STATE_FILE).read_bytes()).hexdigest()
        for run in run_folders(runs)
    }
    return json.dumps(digests, indent=1)


def shipped_run(runs: Path) -> Path:
    """Return the run of the lowest loss on validation, summed over its networks."""

    def loss(run: Path) -> float:
        histories = json.loads((run / HISTORY_FILE).read_text())
        return sum(best_epoch([Epoch(**e) for e in h]).valid_loss for h in histories.values())

    return min(run_folders(runs), key=loss)


def evaluate(prepared: Prepared, runs: Path, split: Split = "test") -> Figures:
    """Measure every run of a folder, and write `FIGURES_FILE` and `CONFUSION_FILE` into it.

    Parameters
    ----------
    prepared : Prepared
        What the runs were trained on.
    runs : Path
        Holds one folder for each seed.
    split : str
        Where it is measured.

    Raises
    ------
    CorpusError
        If there is nothing to measure.
    AnotherRunError
        If a run was trained on something else, or differs in more than its seed.
    FileNotFoundError
        If there is no run.
    """
    shipped = shipped_run(runs)
    others = [run for run in run_folders(runs) if run != shipped]
    models, configs = zip(*(load(prepared, run) for run in (shipped, *others)), strict=True)
    if len({replace(config, seed=0) for config in configs}) > 1:
        raise AnotherRunError(f"The runs in {runs} differ in more than their seed.")
    tracks = np.unique(prepared.track_of[prepared.rows(split)])
    if not (prepared.genre[tracks] >= 0).any():
        raise CorpusError(f"No recording in {split} has a genre: there is nothing to measure.")
    answers = _answers(prepared, list(models), tracks)
    heard = _accuracy_by_seconds(prepared, models[0], tracks)
    figures = Figures(genre=_genre(prepared, answers, heard), emotion=_emotion(prepared, answers))
    (runs / FIGURES_FILE.format(split=split)).write_text(figures.model_dump_json(indent=1))
    (runs / MEASURED_FILE.format(split=split)).write_text(stamps(runs))
    _picture_confusion(prepared, answers[0], runs / CONFUSION_FILE.format(split=split))
    return figures


@torch.no_grad()
def predict(model: FifteenNetwork, spectrograms: audio.Spectrograms) -> tuple[Floats, Floats]:
    """Return genre probabilities and emotion scores of a batch of windows, as float64."""
    genres, emotion = model(torch.from_numpy(spectrograms))
    return genres.double().numpy(), emotion.double().numpy()


def _answers(prepared: Prepared, models: list[FifteenNetwork], tracks: Rows) -> list[Answers]:
    """Have every model listen to whole recordings, as the service would."""
    window_tracks: list[int] = []
    genres: list[list[Floats]] = [[] for _ in models]
    emotion: list[list[Floats]] = [[] for _ in models]
    for track in tqdm(tracks, desc="evaluate", unit="clip"):
        spectrograms = audio.log_mel(audio.windows(_waveform(prepared, track)))
        window_tracks += [track] * len(spectrograms)
        for i, model in enumerate(models):
            of_windows, learnt = predict(model, spectrograms)
            genres[i].append(of_windows)
            emotion[i].append(_every_emotion(model, learnt))
    return [
        _summed_up(prepared, model, np.array(window_tracks), *map(np.concatenate, parts))
        for model, *parts in zip(models, genres, emotion, strict=True)
    ]


def _waveform(prepared: Prepared, track: int) -> audio.Waveform:
    return audio.decode(prepared.tracks[track].path.read_bytes()).waveform


def _every_emotion(model: FifteenNetwork, learnt: Floats) -> Floats:
    """Spread what a model has learnt over the columns of `EMOTIONS`, NaN elsewhere."""
    emotion = np.full((len(learnt), len(EMOTIONS)), np.nan)
    emotion[:, [EMOTIONS.index(name) for name in model.emotions]] = learnt
    return emotion


def _summed_up(
    prepared: Prepared, model: FifteenNetwork, window_tracks: Rows, genres: Floats, emotion: Floats
) -> Answers:
    tracks = np.unique(window_tracks)
    clip_emotion = _by_clip(emotion, window_tracks)
    return Answers(
        tracks=tracks,
        window_genres=genres,
        window_tracks=window_tracks,
        genres=_by_clip(genres, window_tracks),
        emotion=clip_emotion,
        own_scale=_own_scale(model, clip_emotion, prepared.origin[tracks]),
    )


def _by_clip(values: Floats, tracks: Rows) -> Floats:
    """Average the rows of each track, in order of track."""
    return np.stack([values[tracks == track].mean(axis=0) for track in np.unique(tracks)])


@torch.no_grad()
def _own_scale(model: FifteenNetwork, emotion: Floats, origins: Rows) -> Floats:
    shifted = logit(emotion.clip(1e-6, 1 - 1e-6))
    for network in model.task_networks():
        if network.emotions:
            columns = network.emotions
            shifted[:, columns] += network.offsets(torch.from_numpy(origins[:, columns])).numpy()
    return np.asarray(expit(shifted))


def _accuracy_by_seconds(
    prepared: Prepared, model: FifteenNetwork, tracks: Rows
) -> dict[str, float]:
    """Return the accuracy where only the first seconds are heard, through the whole front-end."""
    labelled = tracks[prepared.genre[tracks] >= 0]
    right = dict.fromkeys(HEARD_SECONDS, 0)
    for track in labelled:
        waveform = _waveform(prepared, track)
        for seconds in HEARD_SECONDS:
            windows = audio.windows(waveform[: seconds * audio.SAMPLE_RATE])
            genres, _ = predict(model, audio.log_mel(windows))
            right[seconds] += int(genres[0].argmax() == prepared.genre[track])
    return {str(seconds): round(n / len(labelled), 4) for seconds, n in right.items()}


def _figure(values: list[float]) -> Figure:
    """Sum up one measurement over the seeds, the shipped one first."""
    spread = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
    return Figure(
        value=round(values[0], 4),
        mean=round(float(np.mean(values)), 4),
        spread=spread,
        seeds=len(values),
    )


def _genre(prepared: Prepared, answers: list[Answers], heard: dict[str, float]) -> GenreFigures:
    cases = [_genre_cases(prepared, a) for a in answers]
    labels = np.unique(cases[0][1][0]).tolist()  # a genre without test recordings has no figure

    def accuracy(kind: int) -> Figure:
        return _figure([float(accuracy_score(*case[kind])) for case in cases])

    def macro_f1(kind: int) -> Figure:
        return _figure(
            [
                float(f1_score(*case[kind], average="macro", labels=labels, zero_division=0))
                for case in cases
            ]
        )

    return GenreFigures(
        window_accuracy=accuracy(0),
        window_macro_f1=macro_f1(0),
        clip_accuracy=accuracy(1),
        clip_macro_f1=macro_f1(1),
        per_genre=_per_genre(prepared, labels, *cases[0][1]),
        accuracy_by_seconds=heard,
    )


def _genre_cases(
    prepared: Prepared, answers: Answers
) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
    """Return true and answered genres, by window and by clip, of what has a genre."""

    def cases(tracks: Rows, genres: Floats) -> tuple[Rows, Rows]:
        true = prepared.genre[tracks]
        return true[true >= 0], genres.argmax(axis=1)[true >= 0]

    return (
        cases(answers.window_tracks, answers.window_genres),
        cases(answers.tracks, answers.genres),
    )


def _per_genre(prepared: Prepared, labels: list[int], true: Rows, answered: Rows) -> list[GenreRow]:
    table = precision_recall_fscore_support(true, answered, labels=labels, zero_division=0)
    genres = [prepared.genres[label] for label in labels]
    return [
        GenreRow(
            genre=genre,
            clips=int(clips),
            precision=round(float(precision), 4),
            recall=round(float(recall), 4),
            f1=round(float(f1), 4),
        )
        for genre, precision, recall, f1, clips in zip(genres, *table, strict=True)
    ]


def _emotion(prepared: Prepared, answers: list[Answers]) -> list[EmotionFigures]:
    figures = []
    tracks = answers[0].tracks
    for column, emotion in enumerate(EMOTIONS):
        value = prepared.emotion[tracks, column]
        for code, origin in enumerate(prepared.origins):
            chosen = ~np.isnan(value) & (prepared.origin[tracks, column] == code)
            if chosen.sum() < FEWEST_CLIPS or np.isnan(answers[0].emotion[0, column]):
                continue
            ranks = [_spearman(value[chosen], a.emotion[chosen, column]) for a in answers]
            fits = [float(r2_score(value[chosen], a.own_scale[chosen, column])) for a in answers]
            figures.append(
                EmotionFigures(
                    emotion=emotion,
                    origin=origin,
                    clips=int(chosen.sum()),
                    spearman=_figure(ranks),
                    r2=_figure(fits),
                )
            )
    return figures


def _spearman(labels: Floats, answers: Floats) -> float:
    """Return the rank correlation; 0 where all answers, or all labels, are the same."""
    if np.ptp(labels) == 0 or np.ptp(answers) == 0:
        return 0.0
    return float(spearmanr(labels, answers)[0])


def _picture_confusion(prepared: Prepared, answers: Answers, path: Path) -> None:
    """Draw the confusion matrix of the shipped model, by clip."""
    true, answered = _genre_cases(prepared, answers)[1]
    picture = Picture(figsize=(7, 6), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        true,
        answered,
        labels=list(range(len(prepared.genres))),
        display_labels=prepared.genres,
        xticks_rotation="vertical",
        cmap="Blues",
        colorbar=False,
        ax=picture.subplots(),
    )
    picture.savefig(path, dpi=100)
