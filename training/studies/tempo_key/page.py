"""Writes the figures as a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.markdown import table
from training.studies.tempo_key.clips import WITH_A_BEAT, Clip, Sound
from training.studies.tempo_key.measures import (
    HALF_AND_DOUBLE,
    OCTAVES,
    Estimates,
    HeldOut,
    key_score,
    relative_major,
    tempo_right,
)
from training.types import Flags, Floats

RESAMPLES = 2_000
SHARES = (1, 0.75, 0.5, 0.25)  # of the clips, the most confident
WITHOUT = "classical"


@dataclass(frozen=True)
class Deviations:
    """Our loudness less FFmpeg's, over recordings: LU and dB."""

    lufs: Floats
    peak: Floats


def page(
    clips: Sequence[Clip],
    sounds: Sequence[Sound],
    splits: Sequence[HeldOut],
    deviations: dict[str, Deviations],
    milliseconds: dict[str, float],
) -> str:
    """Return the page.

    Parameters
    ----------
    clips, sounds : sequence
    splits : sequence of HeldOut
        One for each random division of the artists.
    deviations : dict of str to Deviations
        By kind of recording.
    milliseconds : dict of str to float
        Median processor time for 15 s, by stage.
    """
    sections = (
        _INTRODUCTION.format(clips=len(clips), splits=len(splits)),
        "## Tempo\n\n" + _tempo(clips, splits),
        "## Key\n\n" + _key(clips, splits),
        "## No beat, no key\n\n" + _none(clips, sounds, splits),
        "## Loudness\n\n" + _loudness(deviations),
        "## Time\n\n" + _time(milliseconds),
        _LIMITS,
    )
    return "\n\n".join(sections) + "\n"


def _tempo(clips: Sequence[Clip], splits: Sequence[HeldOut]) -> str:
    truth = np.array([clip.bpm for clip in clips])
    known = np.isfinite(truth)
    others = known & np.array([clip.genre != WITHOUT for clip in clips])
    answers = {
        "**Fifteen**, middle 15 s": [split.middle.bpm for split in splits],
        "**Fifteen**, whole clip": [split.whole.bpm for split in splits],
        "librosa `beat_track`, middle 15 s": [np.array([clip.librosa[0] for clip in clips])],
    }
    rows = []
    for name, bpms in answers.items():
        scores = [
            np.mean([tempo_right(bpm, truth, ratios) for bpm in bpms], axis=0)
            for ratios in ((1,), OCTAVES, HALF_AND_DOUBLE)
        ]
        rows.append(
            (
                name,
                *(_interval(score[known]) for score in scores),
                *(f"{score[others].mean():.3f}" for score in scores[:2]),
            )
        )
    header = (
        f"{known.sum()} clips", "Accuracy1", "Accuracy2", "right, half or double",
        f"Accuracy1 without {WITHOUT}", f"Accuracy2 without {WITHOUT}",
    )  # fmt: skip
    right = [[tempo_right(split.middle.bpm, truth, ratios) for ratios in ((1,), OCTAVES)]
             for split in splits]  # fmt: skip
    confidence = _by_confidence(
        ("Accuracy1", "Accuracy2"),
        right,
        [split.middle.tempo_confidence for split in splits],
        known,
    )
    return (
        table(header, rows)
        + _TEMPO
        + confidence
        + "\n\n"
        + _by_genre(clips, known, {"Accuracy1": _mean(right, 0), "Accuracy2": _mean(right, 1)})
    )


def _key(clips: Sequence[Clip], splits: Sequence[HeldOut]) -> str:
    truth = np.array([clip.key for clip in clips])
    signature = np.array([clip.relative_major for clip in clips])
    known, signed = truth >= 0, signature >= 0
    answers = {
        "**Fifteen**, middle 15 s": [split.middle.key for split in splits],
        "**Fifteen**, whole clip": [split.whole.key for split in splits],
        "librosa `chroma_cqt` with Temperley's profile": [
            np.array([clip.librosa[1] for clip in clips])
        ],
    }
    rows = []
    for name, keys in answers.items():
        exact = np.mean([key == truth for key in keys], axis=0)
        score = np.mean([key_score(key, truth) for key in keys], axis=0)
        same = np.mean([relative_major(key) == signature for key in keys], axis=0)
        shown = [*(_interval(it[known]) for it in (exact, score)), _interval(same[signed])]
        rows.append((name, *shown))
    header = (
        "", f"exact ({known.sum()} clips)", f"MIREX score ({known.sum()})",
        f"key signature ({signed.sum()})",
    )  # fmt: skip
    right = [
        [(split.middle.key == truth).astype(float), key_score(split.middle.key, truth)]
        for split in splits
    ]
    confidence = _by_confidence(
        ("exact", "MIREX score"), right, [split.middle.key_confidence for split in splits], known
    )
    return (
        table(header, rows)
        + _KEY
        + confidence
        + "\n\n"
        + _by_genre(clips, known, {"exact": _mean(right, 0), "MIREX score": _mean(right, 1)})
    )


def _mean(right: Sequence[Sequence[Floats]], which: int) -> Floats:
    """Return one measure of each clip, averaged over the splits."""
    return np.asarray(np.mean([measures[which] for measures in right], axis=0))


def _interval(scores: Floats) -> str:
    """Return a mean with its 95 % bootstrap interval over clips."""
    samples = np.random.default_rng(0).choice(scores, (RESAMPLES, len(scores))).mean(axis=1)
    low, high = np.percentile(samples, [2.5, 97.5])
    return f"{scores.mean():.3f} [{low:.3f}, {high:.3f}]"


def _by_confidence(
    names: Sequence[str],
    right: Sequence[Sequence[Floats]],
    confidences: Sequence[Floats],
    known: Flags,
) -> str:
    """Return the table of the clips whose answer is the most confident."""
    rows = []
    for share in SHARES:
        limits, scores = [], []
        for measures, confidence in zip(right, confidences, strict=True):
            limit = np.quantile(confidence[known], 1 - share)
            chosen = known & (confidence >= limit)
            limits.append(limit)
            scores.append([measure[chosen].mean() for measure in measures])
        means = np.mean(scores, axis=0)
        rows.append((f"{share:.0%}", f"{np.mean(limits):.2f}", *(f"{it:.2f}" for it in means)))
    return table(("most confident", "probability at least", *names), rows)


def _by_genre(clips: Sequence[Clip], known: Flags, scores: dict[str, Floats]) -> str:
    genres = np.array([clip.genre for clip in clips])
    rows = []
    for genre in sorted(set(genres[known].tolist())):
        chosen = known & (genres == genre)
        rows.append((genre, chosen.sum(), *(f"{it[chosen].mean():.2f}" for it in scores.values())))
    return table(("genre", "clips", *scores), rows)


def _none(clips: Sequence[Clip], sounds: Sequence[Sound], splits: Sequence[HeldOut]) -> str:
    order = [*range(1, len(sounds), 2), *range(0, len(sounds), 2)]  # as `held_out` answers
    kinds = np.array([sounds[index].kind for index in order])
    classical = np.array([clip.genre == WITHOUT for clip in clips])
    groups: dict[str, Callable[[HeldOut], tuple[Estimates, Flags]]] = {
        "other music": lambda split: (split.middle, ~classical),
        f"{WITHOUT} music": lambda split: (split.middle, classical),
    }
    rows = [(name, *_nulls([group(split) for split in splits])) for name, group in groups.items()]
    rows += [
        (kind, *_nulls([(split.sounds, kinds == kind) for split in splits]))
        for kind in sorted(set(kinds.tolist()))
    ]
    beat = " and ".join(WITH_A_BEAT)
    return _NONE.format(beat=beat) + table(("", "cases", "tempo null", "key null"), rows)


def _nulls(chosen: Sequence[tuple[Estimates, Flags]]) -> tuple[int, str, str]:
    """Return the number of cases and the shares that are answered with null."""
    tempo = np.mean([(it.no_tempo > it.tempo_confidence)[rows].mean() for it, rows in chosen])
    key = np.mean([(it.no_key > it.key_confidence)[rows].mean() for it, rows in chosen])
    return int(chosen[0][1].sum()), f"{tempo:.0%}", f"{key:.0%}"


def _loudness(deviations: dict[str, Deviations]) -> str:
    rows = [
        (
            kind,
            len(found.lufs),
            *(
                figure
                for each in (found.lufs, found.peak)
                for figure in (f"{np.abs(each).mean():.3f}", f"{np.abs(each).max():.3f}")
            ),
        )
        for kind, found in deviations.items()
    ]
    header = (
        "", "recordings", "LUFS, mean", "LUFS, greatest", "true peak, mean", "true peak, greatest",
    )  # fmt: skip
    return _LOUDNESS + table(header, rows)


def _time(milliseconds: dict[str, float]) -> str:
    rows = [(name, f"{value:.1f}") for name, value in milliseconds.items()]
    return _TIME + table(("", "ms"), rows)


_INTRODUCTION = """\
# Tempo, key and loudness: how right they are

*Written by `python -m training tempo-key`; run it again rather than edit.*

{clips} clips of GTZAN have the tempo that people tapped (for the whole 30 s) and the key that they
heard. Figures are for the middle 15 s of each, and for artists that nothing was fitted to: one half
of the artists is fitted, the other answered, both ways, for {splits} random divisions. Brackets are
95 % bootstrap intervals over clips. The shipped numbers are fitted to all artists.

librosa is measured in the same run, on the same sound."""
_TEMPO = """

Accuracy1 counts a tempo within 4 % of the truth, Accuracy2 also one that is two or three times it,
or a half or a third. The third column counts the truth if the answer, its half or its double is
right: all three are among the candidates.

The probability of the answer, `confidence`, tells how far to trust it:

"""
_KEY = """

MIREX's score gives 1 for the key, 0.5 for one a fifth above or below, 0.3 for the relative and
0.2 for the parallel key. The key signature was annotated by other people, for all clips; no
classical clip has a known tonic.

"""
_NONE = """\
The answer is null if none is more probable than any tempo, or than any key. The table tells how
often. Sounds that are not music are synthetic; half of them are fitted, the other half answered. Of
these, {beat} may repeat steadily, so they are not fitted as sounds without a beat.

"""
_LOUDNESS = """\
Absolute difference from FFmpeg's filter `ebur128`, which states a tenth: 0.025 on average is its
rounding. Recordings are clips of the corpus as WAV on one channel, and two clips as one on two
channels, at rates from 22.05 to 96 kHz.

"""
_TIME = """\
Median processor time for 15 s on one thread, on the machine of this run.

"""
_LIMITS = """\
## Limits

* A third of the clips is classical and 28 % jazz; some genres have fewer than ten clips.
* The ranker of tempi knows GTZAN's annotators and its spread of tempi, of other artists. On another
  collection it is unmeasured.
* The profile of keys and the settings of the chroma (length of frames, number of peaks, credit for
  harmonics) were chosen with these clips, among a few dozen. The folds do not correct for that: of
  keys, only the probabilities are fitted.
* Most sounds of a steady pitch get a key here, also if they are not music: a voice, an engine. An
  answer has neither key nor tempo where its verdict is that it is not music.
* The figures of key are no better than those that the network S-KEY, which is not measured in this
  run, had on the same clips in an earlier one.
* Music without percussion and with a free beat is where tempo fails; jazz is where key fails.
* One tempo and one key are given for a recording, also where they change."""
