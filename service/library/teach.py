"""The command that teaches a head: labelled recordings in, one small file out."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from service.heads import Head, HeadCard, HeadFigures, read_head, space_of
from service.heads.card import LabelRow
from service.heads.fit import (
    Examples,
    Measured,
    calibration_error,
    centres_of,
    confusion,
    cross_validate,
    fit,
    limit,
    temperature,
)
from service.library.analyze import NO_SOUND_TYPES, analyze_all, loaded
from service.library.find import promises_sound
from service.library.labelled import (
    Labelled,
    TeachError,
    in_feedback,
    in_folders,
    in_table,
    require_enough,
    require_one_label,
    without_duplicates,
)
from service.library.printing import escape_the_rest, write
from service.library.records import part_of
from service.model import Scorer
from service.settings import LibrarySettings, TeachSettings

CANDIDATE = ".candidate"  # after the name of a head's file: no service loads it
DIGITS = 4  # of a figure
NUMBER_DIGITS = 6  # significant, of a weight


def run(settings: TeachSettings) -> int:
    """Teach a head, write its file, and print its figures.

    Returns
    -------
    status : int
        Exit status of the process: 1 if any recording has a problem, else 0.

    Raises
    ------
    service.model.ModelError
        If the installed model cannot be used.
    service.model.NoEmbeddingError
        If it has no embedding.
    TeachError
        If the recordings cannot teach a head, or the file cannot be written.
    HeadError
        If the output is another file than a head.
    OutputError
        If standard output cannot be written; the head is there.
    """
    escape_the_rest()
    output = settings.output or Path(f"{settings.name}.json")
    if not output.absolute().parent.is_dir():
        raise TeachError(f"{output} cannot be written: its folder does not exist.")
    older = read_head(output) if os.path.lexists(output) else None
    candidate = output.with_name(output.name + CANDIDATE)
    if settings.replace:
        return _replace(output, candidate, older)
    analysis = analysis_settings(settings)
    model, _ = loaded(analysis)
    space = model.space().space
    recordings, vectors, failed = _of_files(settings, analysis)
    require_one_label(recordings, vectors)
    said, words = _of_feedback(settings, space, recordings, vectors)
    recordings, vectors = [*recordings, *said], [*vectors, *words]
    require_enough(recordings)
    card = head_of(settings.name, recordings, vectors, model, feedback=len(said))
    _write(candidate if settings.store else output, card)
    write(f"{candidate if settings.store else output}\n")
    write(figures_text(card.figures, older))
    if said and older and older.belongs_to(model):
        write(_of_the_older(older, said, words))
    if settings.store:
        write(f"No service loads it. With --replace true it becomes {output}.\n")
    return 1 if failed else 0


def _replace(output: Path, candidate: Path, older: Head | None) -> int:
    """Put the candidate in the place of the head, and print the figures of both."""
    newer = read_head(candidate)
    try:
        candidate.replace(output)
    except OSError as error:
        raise TeachError(f"{output} cannot be written: {error.strerror}.") from error
    write(f"{output}\n{figures_text(newer.card.figures, older)}")
    return 0


def _of_feedback(
    settings: TeachSettings,
    space: str,
    recordings: Sequence[Labelled],
    vectors: Sequence[list[float]],
) -> tuple[list[Labelled], list[list[float]]]:
    """Return what senders said, and its vectors, if the settings name a file of it."""
    if settings.store is None:
        return [], []
    head = None if settings.genres else settings.name
    return in_feedback(settings.store, space, head, recordings, vectors)


def _of_files(
    settings: TeachSettings, analysis: LibrarySettings
) -> tuple[list[Labelled], list[list[float]], int]:
    """Return the recordings of the folder or the table, their vectors, and how many failed."""
    if settings.folder:
        recordings = in_folders(settings.folder)
    elif settings.table:
        recordings = in_table(settings.table)
    else:
        return [], [], 0
    recordings = without_duplicates(recordings)
    require_enough(recordings)
    vectors, failed = _embeddings(recordings, analysis)
    recordings = [each for each in recordings if each.path in vectors]
    return recordings, [vectors[each.path] for each in recordings], failed


def analysis_settings(settings: TeachSettings) -> LibrarySettings:
    """Return settings that add the embedding and nothing else, whatever the environment says."""
    shared = {"config", "models", "model", "max_seconds", "decode_seconds"}
    return LibrarySettings(
        **settings.model_dump(include=shared),
        paths=(Path(),),
        jobs=settings.jobs,
        embedding=True,
        timeline=False,
        output=None,
        write_tags=None,
        taxonomy=None,
        heads=None,
        head=None,
    ).model_copy(update={"paths": ()})


def _embeddings(
    recordings: Sequence[Labelled], settings: LibrarySettings
) -> tuple[dict[Path, list[float]], int]:
    """Return the embeddings of recordings, and how many have a problem, which is reported.

    Silence is a problem: it has no label, and all silent recordings have the same embedding. Files
    without sound that do not promise any are left out, as `analyze` leaves them out.
    """
    vectors, failed = {}, 0
    for record in analyze_all([each.path for each in recordings], settings):
        path = Path(record.fingerprint.path)
        if record.analysis is not None and record.analysis["verdict"] == "silence":
            failed += 1
            sys.stderr.write(f"fifteen: {path}: {record.analysis['reason']}\n")
        elif record.analysis is not None:
            vectors[path] = record.analysis["embedding"]["values"]
        elif record.problem is not None:
            if record.problem["type"] in NO_SOUND_TYPES and not promises_sound(path):
                continue
            failed += 1
            sys.stderr.write(f"fifteen: {path}: {record.problem['detail']}\n")
    return vectors, failed


def head_of(
    name: str,
    recordings: Sequence[Labelled],
    vectors: Sequence[Sequence[float]],
    model: Scorer,
    *,
    feedback: int = 0,
) -> HeadCard:
    """Fit a head to the embeddings of recordings, and measure it.

    Parameters
    ----------
    name : str
    recordings : sequence of Labelled
        As `require_enough` has them.
    vectors : sequence of sequence of float
        In the order of the recordings.
    model : Scorer
        Which gave the embeddings.
    feedback : int
        How many of the recordings are feedback.
    """
    labels = sorted({each.label for each in recordings})
    groups = sorted({each.group for each in recordings})
    examples = Examples(
        np.array(vectors, np.float64),
        np.array([labels.index(each.label) for each in recordings]),
        np.array([groups.index(each.group) for each in recordings]),
    )
    measured, fitted = cross_validate(examples), fit(examples, len(labels))
    heat = temperature(measured.scores, examples.label)
    space, reference = space_of(model)
    return HeadCard(
        name=name,
        created=datetime.now(UTC).date().isoformat(),
        labels=labels,
        space=space,
        model=model.digest,
        reference=_rounded(reference),
        figures=figures_of(examples, measured, labels, feedback),
        temperature=heat,
        weights=[_rounded(row) for row in fitted.weights / heat],
        bias=_rounded(fitted.bias / heat),
        centres=[_rounded(row) for row in centres_of(examples)],
        limit=limit(measured.distances),
    )


def _rounded(numbers: Sequence[float] | np.ndarray) -> list[float]:
    return [float(f"{number:.{NUMBER_DIGITS}g}") for number in numbers]


def figures_of(
    examples: Examples, measured: Measured, labels: Sequence[str], feedback: int = 0
) -> HeadFigures:
    """Return the figures of a head."""
    truth, answer = examples.label, measured.probabilities.argmax(axis=1)
    counts = confusion(truth, answer, len(labels))
    right, tracks = np.diag(counts), counts.sum(axis=1)
    recall, precision = right / tracks, right / np.maximum(counts.sum(axis=0), 1)
    rows = [
        LabelRow(
            label=label,
            tracks=int(tracks[place]),
            groups=len(np.unique(examples.group[truth == place])),
            precision=round(float(precision[place]), DIGITS),
            recall=round(float(recall[place]), DIGITS),
        )
        for place, label in enumerate(labels)
    ]
    return HeadFigures(
        folds=measured.folds,
        tracks=len(truth),
        groups=sum(row.groups for row in rows),
        feedback=feedback,
        feedback_accuracy=_share_right(answer[-feedback:] == truth[-feedback:])
        if feedback
        else None,
        accuracy=round(float(right.sum() / len(truth)), DIGITS),
        balanced_accuracy=round(float(recall.mean()), DIGITS),
        commonest=round(float(tracks.max() / len(truth)), DIGITS),
        calibration_error=round(calibration_error(measured.probabilities, truth), DIGITS),
        kept=round(float(measured.kept.mean()), DIGITS),
        left_out_refused=round(measured.left_out_refused, DIGITS),
        labels=rows,
        confusion=counts.tolist(),
    )


def _share_right(right: np.ndarray) -> float:
    return round(float(np.mean(right)), DIGITS)


def _of_the_older(older: Head, said: Sequence[Labelled], words: Sequence[list[float]]) -> str:
    """Return a line about the older head's answers to feedback."""
    right = [
        older.judge(vector)[0][0].label == each.label
        for each, vector in zip(said, words, strict=True)
    ]
    taught = ", though some of it may have been taught to it" if older.card.figures.feedback else ""
    return f"{_share_right(np.array(right)):6.2f}  of the feedback: the head before{taught}\n"


def figures_text(figures: HeadFigures, older: Head | None = None) -> str:
    """Return the figures of a head as lines, beside those of an older one."""
    before = older.card.figures if older else None
    lines = [
        f"By cross-validation on {figures.tracks} recordings of {figures.groups} albums, "
        f"{figures.folds} folds:"
    ]
    if figures.feedback:
        lines.append(
            f"{figures.feedback} of them are feedback: nobody knows their artists, so each counts "
            "as an album."
        )
    if before:
        lines.append("The figures before are of the recordings that were taught then.")
    for name, what in {
        "accuracy": "have the right label",
        "balanced_accuracy": "the same, mean over the labels",
        "commonest": "have the commonest label",
        "kept": "are not judged none of these",
        "left_out_refused": "of a label that was not taught are judged none of these",
        "calibration_error": "error of the probability",
    }.items():
        old = f"  (before: {getattr(before, name):.2f})" if before else ""
        lines.append(f"{getattr(figures, name):6.2f}  {what}{old}")
    if figures.feedback_accuracy is not None:
        lines.append(f"{figures.feedback_accuracy:6.2f}  of the feedback have the right label")
    for row in figures.labels:
        counted = f"{row.tracks} recordings of {row.groups} albums"
        lines.append(f"{row.recall:6.2f}  of {row.label} have their label: {counted}")
    return "\n".join(lines) + "\n"


def _write(output: Path, card: HeadCard) -> None:
    """Write the file of a head, whole or not at all."""
    part = part_of(output)
    try:
        part.write_text(card.model_dump_json() + "\n", encoding="utf-8")
        part.replace(output)
    except OSError as error:
        raise TeachError(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
