"""Measures trained models on what they never heard.

Conventions
-----------
* Recordings are heard as the service hears them: decoded and cut into windows by `service.audio`,
  their silences left in (take ``heard``), and as a phone would have recorded them (``phone``).
* By *window*: each 15 s window is a case. By *clip*: each recording is one, its windows' answers
  averaged, as the service averages them.
* Over the folds, every recording is answered once, by the model that learnt from the other folds;
  figures are computed over all of them together, once for each seed.
* Emotion is compared within one origin of labels, by clip: by ranks (Spearman) and by whether the
  80 % interval, moved to the origin's own scale, holds the label. A mood is compared with that of
  the labels, both parted in the middle of their scales.
* The model of the first seed ships; no measurement chooses it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)
from tqdm import tqdm

from service import audio
from service.card import (
    EMOTIONS,
    EmotionFigures,
    Figure,
    Figures,
    GenreFigures,
    GenreRow,
    Measured,
    MoodFigures,
    VerdictRow,
)
from service.mood import mood_of
from service.verdict import VERDICTS
from training import divisions
from training.answers import Answers, answers_of
from training.calibrate import Floats
from training.corpus import REFERENCE, CorpusError
from training.described import Described
from training.divisions import Division
from training.prepare import track_waveform
from training.prepared import Flags, Prepared, Rows
from training.runs import STATE_FILE, AnotherRunError, check_alike, load, run_folder, seeds_of

FIGURES_FILE = "figures.json"
SOURCES_FILE = "sources.json"
PERCENTILES_FILE = "percentiles.json"
MEASURED_FILE = "measured.json"
HEARD_SECONDS = (3, 5, 10, 15)
FEWEST_CLIPS = 10  # of one origin, to compute a correlation at all
RELIABILITY_BINS = 15

Summary = Callable[[list[float]], Figure]


def evaluate(prepared: Prepared, runs: Path) -> Figures:
    """Measure all runs, and write `FIGURES_FILE`, `PERCENTILES_FILE` and `SOURCES_FILE`.

    Parameters
    ----------
    prepared : Prepared
        What the runs were trained on.
    runs : Path
        As `training.train` leaves it.

    Returns
    -------
    figures : Figures
        `Figures.folds` is that of the fixed split where the folds were not trained.

    Raises
    ------
    CorpusError
        If there is nothing to measure.
    AnotherRunError
        If a run was trained on something else or otherwise, or the folds are not complete.
    FileNotFoundError
        If there is no run.
    """
    fixed = divisions.fixed(prepared)
    seeds = seeds_of(runs, fixed)
    if not seeds:
        raise FileNotFoundError(f"{runs} holds no trained runs.")
    if not prepared.is_genre[fixed.test].any():
        raise CorpusError("No recording in test has a genre: there is nothing to measure.")
    check_alike(runs)
    config = load(prepared, run_folder(runs, fixed, seeds[0]))[1]
    described = Described(prepared, config.perceptron.copies, runs)
    test = [answers_of(prepared, described, runs, [fixed], seed) for seed in seeds]
    figures = _measured(prepared, test, _by_seconds(prepared, runs, [fixed], seeds[0]), _figure)
    over_folds = _over_folds(prepared, described, runs)
    measured = Figures(folds=figures, test=figures)
    if over_folds:
        heard = _by_seconds(prepared, runs, divisions.folds(prepared), seeds[0])
        folds = _measured(prepared, over_folds, heard, _figure_of_no_file)
        measured = Figures(folds=folds, test=figures)
    (runs / FIGURES_FILE).write_text(measured.model_dump_json(indent=1))
    scores = percentiles(prepared, (over_folds or test)[0])
    (runs / PERCENTILES_FILE).write_text(json.dumps(scores, indent=1))
    sources = across_sources(prepared, described, runs, over_folds[0]) if over_folds else []
    (runs / SOURCES_FILE).write_text(json.dumps(sources, indent=1))
    (runs / MEASURED_FILE).write_text(stamps(runs))
    return measured


def _over_folds(prepared: Prepared, described: Described, runs: Path) -> list[Answers]:
    """Have the folds' models answer, if they were trained, once for each seed."""
    folds = trained_folds(prepared, runs)
    seeds = [seeds_of(runs, fold) for fold in folds]
    if any(found != seeds[0] for found in seeds):
        raise AnotherRunError(f"The folds in {runs} are not trained to their end.")
    each = seeds[0] if folds else []
    return [answers_of(prepared, described, runs, folds, seed) for seed in each]


def trained_folds(prepared: Prepared, runs: Path) -> list[Division]:
    """Return the folds; none where only the fixed split was trained."""
    return divisions.folds(prepared) if any(runs.glob("fold-*")) else []


def stamps(runs: Path) -> str:
    """Return what tells these trained runs from any others, as JSON."""
    states = sorted(runs.glob(f"*/*/{STATE_FILE}"))
    digests = {
        state.parent.relative_to(runs).as_posix(): hashlib.sha256(state.read_bytes()).hexdigest()
        for state in states
    }
    return json.dumps(digests, indent=1)


def _measured(
    prepared: Prepared, answers: list[Answers], heard: dict[str, float], figure: Summary
) -> Measured:
    """Measure answers to the same recordings, one for each seed."""
    return Measured(
        genre=_genre(prepared, answers, heard, figure),
        emotion=list(_emotion(prepared, answers, figure)),
        mood=list(_mood(prepared, answers, figure)),
        verdicts=_verdicts(prepared, answers[0]),
    )


def _figure(values: list[float]) -> Figure:
    """Sum up one measurement over the seeds, the one in the file first."""
    spread = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
    return Figure(
        value=round(values[0], 4),
        mean=round(float(np.mean(values)), 4),
        spread=spread,
        seeds=len(values),
    )


def _figure_of_no_file(values: list[float]) -> Figure:
    """Sum up one measurement over the folds, which no model in a file answered alone."""
    return _figure(values).model_copy(update={"value": None})


def _genre(
    prepared: Prepared, answers: list[Answers], heard: dict[str, float], figure: Summary
) -> GenreFigures:
    cases = [window_cases(prepared, a) for a in answers]
    clean = [clip_cases(prepared, a, phone=False) for a in answers]
    phone = [clip_cases(prepared, a, phone=True) for a in answers]
    labels = np.unique(clean[0][0]).tolist()  # a genre without recordings has no figure

    def macro_f1(true: Rows, answered: Rows) -> float:
        return float(f1_score(true, answered, average="macro", labels=labels, zero_division=0))

    return GenreFigures(
        window_accuracy=figure([float(accuracy_score(*case)) for case in cases]),
        window_macro_f1=figure([macro_f1(*case) for case in cases]),
        clip_accuracy=figure([float(accuracy_score(*case)) for case in clean]),
        clip_macro_f1=figure([macro_f1(*case) for case in clean]),
        phone_accuracy=figure([float(accuracy_score(*case)) for case in phone]),
        calibration_error=figure([calibration_error(*window_top(prepared, a)) for a in answers]),
        clip_calibration_error=figure([calibration_error(*top(prepared, a)) for a in answers]),
        unknown_auroc=_unknown_auroc(prepared, answers, figure),
        music_auroc=_music_auroc(prepared, answers, figure),
        per_genre=_per_genre(prepared, labels, *clean[0]),
        accuracy_by_seconds=heard,
    )


def window_cases(prepared: Prepared, answers: Answers) -> tuple[Rows, Rows]:
    """Return true and answered genres of the windows, as heard, of what has a genre."""
    tracks = prepared.track_of[answers.window_rows]
    chosen = prepared.is_genre[tracks]
    return prepared.label[tracks][chosen], answers.window_genres.argmax(axis=1)[chosen]


def clip_cases(prepared: Prepared, answers: Answers, *, phone: bool) -> tuple[Rows, Rows]:
    """Return true and answered genres of the recordings of one take that have a genre."""
    clips = answers.clips
    chosen = prepared.is_genre[clips.track] & (clips.phone == phone)
    return prepared.label[clips.track][chosen], clips.genres.argmax(axis=1)[chosen]


def top(prepared: Prepared, answers: Answers) -> tuple[Floats, Flags]:
    """Return the top genre's probability, and whether it is right, of recordings as heard."""
    clips = answers.clips
    chosen = prepared.is_genre[clips.track] & ~clips.phone
    right = clips.genres.argmax(axis=1) == prepared.label[clips.track]
    return clips.genres.max(axis=1)[chosen], np.asarray(right[chosen])


def window_top(prepared: Prepared, answers: Answers) -> tuple[Floats, Flags]:
    """Return the top genre's probability, and whether it is right, of windows as heard."""
    chosen = prepared.is_genre[prepared.track_of[answers.window_rows]]
    true, answered = window_cases(prepared, answers)
    return answers.window_genres[chosen].max(axis=1), np.asarray(true == answered)


def calibration_error(probability: Floats, right: Flags) -> float:
    """Return the expected calibration error over `RELIABILITY_BINS` bins of equal width.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015.
    """
    places = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    gaps = np.bincount(places, probability - right, RELIABILITY_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _unknown_auroc(prepared: Prepared, answers: list[Answers], figure: Summary) -> Figure | None:
    """Measure `known`: recordings of the genres against other music, as heard."""
    clips = answers[0].clips
    chosen = (prepared.label[clips.track] >= 0) & prepared.is_music[clips.track] & ~clips.phone
    genre = prepared.is_genre[clips.track][chosen]
    return _auroc(genre, [a.clips.known[chosen] for a in answers], figure)


def _music_auroc(prepared: Prepared, answers: list[Answers], figure: Summary) -> Figure | None:
    """Measure `music`: recordings against made sounds, both as heard and by phone."""
    music = prepared.is_music[answers[0].clips.track]
    return _auroc(music, [a.clips.music for a in answers], figure)


def _auroc(positive: Flags, scores: list[Floats], figure: Summary) -> Figure | None:
    if positive.all() or not positive.any():
        return None
    return figure([float(roc_auc_score(positive, score)) for score in scores])


def _per_genre(prepared: Prepared, labels: list[int], true: Rows, answered: Rows) -> list[GenreRow]:
    table = precision_recall_fscore_support(true, answered, labels=labels, zero_division=0)
    real = ~prepared.made
    return [
        GenreRow(
            genre=prepared.genres[label],
            clips=int(clips),
            artists=len(set(prepared.groups[real & (prepared.label == label)])),
            precision=round(float(precision), 4),
            recall=round(float(recall), 4),
            f1=round(float(f1), 4),
        )
        for label, precision, recall, f1, clips in zip(labels, *table, strict=True)
    ]


@torch.no_grad()
def _by_seconds(
    prepared: Prepared, runs: Path, parts: list[Division], seed: int
) -> dict[str, float]:
    """Return the accuracy where only the first seconds are heard, through the whole front-end."""
    right = dict.fromkeys(HEARD_SECONDS, 0)
    cases = [
        (load(prepared, run_folder(runs, part, seed))[0], track)
        for part in parts
        for track in part.test[prepared.is_genre[part.test]]
    ]
    for network, track in tqdm(cases, desc="evaluate", unit="clip"):
        waveform = track_waveform(prepared.tracks[track])
        for seconds in HEARD_SECONDS:
            windows = audio.windows(waveform[: seconds * audio.SAMPLE_RATE])
            genres = network(torch.from_numpy(audio.log_mel(windows)))[0]
            right[seconds] += int(genres[0].argmax() == prepared.label[track])
    return {str(seconds): round(n / len(cases), 4) for seconds, n in right.items()}


def _emotion(
    prepared: Prepared, answers: list[Answers], figure: Summary
) -> Iterator[EmotionFigures]:
    """Compare with the labels of each origin, then with the values that training never sees."""
    tracks, as_heard = answers[0].clips.track, ~answers[0].clips.phone
    for column, emotion in enumerate(EMOTIONS):
        for code, origin in enumerate([*prepared.origins, REFERENCE]):
            seen = origin != REFERENCE
            values = (prepared.emotion if seen else prepared.reference)[tracks, column]
            chosen = ~np.isnan(values) & as_heard
            if seen:
                chosen &= prepared.origin[tracks, column] == code
            if chosen.sum() < FEWEST_CLIPS:
                continue
            ranks = [_spearman(values[chosen], a.clips.emotion[chosen, column]) for a in answers]
            inside = [float(a.inside[chosen, column].mean()) for a in answers]
            yield EmotionFigures(
                emotion=emotion,
                origin=origin,
                clips=int(chosen.sum()),
                spearman=figure(ranks),
                coverage=figure(inside) if seen else None,
            )


def _mood(prepared: Prepared, answers: list[Answers], figure: Summary) -> Iterator[MoodFigures]:
    """Compare moods with those of labels that have both valence and energy, by their origin."""
    plane = [EMOTIONS.index("valence"), EMOTIONS.index("energy")]
    clips = answers[0].clips
    origins = prepared.origin[clips.track][:, plane]
    labelled = ~np.isnan(prepared.emotion[clips.track][:, plane]).any(axis=1) & ~clips.phone
    for code, origin in enumerate(prepared.origins):
        chosen = labelled & (origins == code).all(axis=1)
        if chosen.sum() < FEWEST_CLIPS:
            continue
        labels = _moods(prepared.emotion[clips.track[chosen]][:, plane])
        right = [
            float((_moods(a.clips.emotion[chosen][:, plane]) == labels).mean()) for a in answers
        ]
        yield MoodFigures(
            origin=origin,
            clips=len(labels),
            accuracy=figure(right),
            commonest=round(float(np.unique(labels, return_counts=True)[1].max() / len(labels)), 4),
        )


def _moods(plane: Floats) -> NDArray[np.str_]:
    """Name the moods of points of the plane; [shape=(n, 2)], valence and energy."""
    return np.array([mood_of(valence, energy) for valence, energy in plane])


def _spearman(labels: Floats, answers: Floats) -> float:
    """Return the rank correlation; 0 where all answers, or all labels, are the same."""
    if np.ptp(labels) == 0 or np.ptp(answers) == 0:
        return 0.0
    return float(spearmanr(labels, answers)[0])


def _verdicts(prepared: Prepared, answers: Answers) -> list[VerdictRow]:
    clips = answers.clips
    genre, music = prepared.is_genre[clips.track], prepared.is_music[clips.track]
    other = music & (prepared.label[clips.track] >= 0) & ~genre
    right = clips.genres.argmax(axis=1) == prepared.label[clips.track]
    kinds = {"genres": genre & ~clips.phone, "genres, by phone": genre & clips.phone}
    kinds |= {"other music": other & ~clips.phone, "no music": ~music}
    return [
        _verdict_row(kind, answers.verdicts[chosen], right[chosen] if "genres" in kind else None)
        for kind, chosen in kinds.items()
        if chosen.any()
    ]


def _verdict_row(kind: str, verdicts: Rows, right: Flags | None) -> VerdictRow:
    counts = np.bincount(verdicts, minlength=len(VERDICTS))
    shares = (counts / len(verdicts)).round(4).tolist()
    confident = verdicts == VERDICTS.index("confident")
    accuracy = None
    if right is not None and confident.any():
        accuracy = round(float(right[confident].mean()), 4)
    return VerdictRow(
        kind=kind,
        clips=len(verdicts),
        verdicts=dict(zip(VERDICTS, shares, strict=True)),
        confident_accuracy=accuracy,
    )


def percentiles(prepared: Prepared, answers: Answers) -> dict[str, list[float]]:
    """Return each learnt emotion's scores at the percentiles 0 to 100 of held-out recordings."""
    clips = answers.clips
    heard = prepared.is_music[clips.track] & ~clips.phone
    scores = np.percentile(clips.emotion[heard], np.arange(101), axis=0).round(4)
    return {EMOTIONS[place]: scores[:, place].tolist() for place in prepared.learnt}


def across_sources(
    prepared: Prepared, described: Described, runs: Path, within: Answers
) -> list[dict[str, object]]:
    """Compare recordings of a source with and without that source among the training.

    Parameters
    ----------
    prepared : Prepared
    described : Described
    runs : Path
    within : Answers
        Over the folds.

    Returns
    -------
    rows : list of dict
        ``source``, ``clips``, and the accuracy of the left-out source's own recordings,
        ``without`` by the model that never saw the source and ``with`` over the folds.
    """
    rows: list[dict[str, object]] = []
    for division in divisions.left_out_sources(prepared):
        if not (seeds := seeds_of(runs, division)):
            continue
        without = answers_of(prepared, described, runs, [division], seeds[0])
        rows.append(
            {
                "source": division.name.removeprefix("without-"),
                "clips": int(prepared.is_genre[division.test].sum()),
                "without": _accuracy_of(prepared, without, division.test),
                "with": _accuracy_of(prepared, within, division.test),
            }
        )
    return rows


def _accuracy_of(prepared: Prepared, answers: Answers, tracks: Rows) -> float:
    clips = answers.clips
    chosen = prepared.is_genre[clips.track] & ~clips.phone & np.isin(clips.track, tracks)
    right = clips.genres.argmax(axis=1) == prepared.label[clips.track]
    return round(float(right[chosen].mean()), 4)
