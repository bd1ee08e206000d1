"""The page of `tools.benchmarks.field`."""

import shutil
from dataclasses import dataclass

from tools import signals

SUFFIXES = {"fragmented-mp4": "mp4", "adts": "aac", "opus": "ogg"}
NAMES = {
    "fifteen": "Fifteen",
    "vibenet": "VibeNet",
    "sonara": "sonara",
    "librosa": "librosa",
    "essentia": "Essentia",
}
ROWS = {
    "accuracy1": "tempo: within 4 %",
    "accuracy2": "tempo: also half, double, third, triple",
    "key": "key: right",
    "key_score": "key: MIREX's weighted score",
    "loudness": "loudness: mean difference from FFmpeg's EBU R 128, LU",
    "energy": "energy: rank correlation with Spotify's",
    "danceability": "danceability: rank correlation with Spotify's",
    "valence": "valence: rank correlation with Spotify's",
    "energy_error": "energy: mean error",
    "danceability_error": "danceability: mean error",
    "valence_error": "valence: mean error",
    "milliseconds": "processor time for a clip, ms",
    "most_mb": "peak of memory, MB",
}
DIGITS = {"milliseconds": 0, "most_mb": 0}
NONE = "-"


@dataclass(frozen=True)
class Field:
    """What was measured.

    Attributes
    ----------
    figures : dict of str to dict
        By program; `ROWS` names the figures. One that the program does not have is missing.
    rhythm, keys, learned : int
        Clips with a tempo, with a key, and with Spotify's values.
    programs : dict of str to str
        Packages with their versions.
    """

    figures: dict
    rhythm: int
    keys: int
    learned: int
    programs: dict


def page(found, machine, seed):
    """Return the page."""
    names = list(found.figures)
    return PAGE.format(
        packages=", ".join(f"{NAMES[name]} {package.partition('==')[2]}"
                           for name, package in found.programs.items()),
        machine=machine,
        seed=seed,
        rhythm=found.rhythm,
        keys=found.keys,
        learned=found.learned,
        figures=_table(names, ROWS.items(), lambda name, row: _cell(found.figures[name], row)),
        formats=_table(
            names,
            [(place, name) for place, name in enumerate(signals.ENCODINGS)],
            lambda name, place: "yes" if found.figures[name]["formats"][place] else "no",
        ),
        features=FEATURES,
        ffmpeg=" (here it was)" if shutil.which("ffmpeg") else " (here it was not)",
    )  # fmt: skip


def _table(names, rows, cell):
    head = ["", *(NAMES[name] for name in names)]
    lines = [head, ["---"] * len(head)]
    lines += [[what, *(cell(name, row) for name in names)] for row, what in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(figures, row):
    value = figures.get(row)
    return NONE if value is None else f"{value:.{DIGITS.get(row, 2)}f}"


FEATURES = """\
|  | Fifteen | VibeNet | sonara | librosa | Essentia |
| --- | --- | --- | --- | --- | --- |
| licence | Apache-2.0, weights too | GPL-3 | MIT | ISC | AGPL-3, models not commercial |
| form | service, command, web app | package, beets | package | package | package |
| genre | nine, or your own labels | no | your own labels | no | models apart |
| an answer that it does not know | yes | no | confidences | no | confidences |
| acousticness, instrumentalness | yes | yes | yes | no | models apart |
| liveness, speechiness | yes | yes | no | no | models apart |
| half and double tempo | with probabilities | no | with scores | no | no |
| vector of a recording | learned, 128 numbers | no | by hand, 48 numbers | no | models apart |
| your own labels from examples | yes, with figures | no | yes | no | by its own training |
| feedback that is taught | yes | no | no | no | no |
| while a recording is made | yes | no | no | no | streaming mode |
| timeline | yes | no | sections | frames | frames |
| chords, onsets | no | no | yes | onsets | yes |
| pitch, effects | no | no | partly | yes | yes |
| writes tags of files | yes | by beets | no | no | no |
| publishes its accuracy | yes | no | no | no | in papers |
"""

PAGE = """\
# Fifteen beside other programs

*Written by `python -m tools.benchmarks.field`; run it again rather than edit.*

{packages}, and this version of Fifteen, on the same
clips in one run. Each had the middle 15 s of a clip as a WAV, mono, 22,050 Hz, and one thread on
{machine}. Each is used as its documentation begins, without tuning.

## Figures

{figures}

A dash is where the program has no such answer.

* **Tempo**: {rhythm} clips of GTZAN with tempi by people, drawn with the seed {seed}. **Key**: the
  {keys} of them whose key is known. Fifteen's figures for both are those of its method fitted to
  the other half of the artists, so that it had none of these clips. But the other half is GTZAN,
  too, and the others were not fitted to it here. The shipped numbers were fitted to all of these
  clips, and are not what is measured.
* **Loudness**: the same {rhythm} clips, against FFmpeg's filter.
* **Energy, danceability and valence**: {learned} clips of the corpus's fixed test part with
  Spotify's values, which are for whole tracks. No network of Fifteen was trained on the test part.
  VibeNet was trained on the Free Music Archive with values of Echo Nest, say its authors; whether
  it heard some of these songs is not known. sonara says that its values are heuristics. Essentia's
  danceability has a scale of its own, so it has no error.
* With so few clips, a difference of 0.1 may be chance.
* librosa has no key: it is the usual one, its chroma with Temperley's profiles. Essentia's wheel
  has no models; its tempo is `RhythmExtractor2013`, its key `KeyExtractor`.
* **Processor time** is the median for all that the program answers here, reading the WAV included,
  without its start. Who answers less does less: Fifteen's includes genre, verdict, warnings and
  the other audio-features.

## What they read

One sound in several formats, in a file with the usual ending. A program that crashes does not read
it. librosa and VibeNet read more where the program ffmpeg is installed{ffmpeg}.

{formats}

## What they have

By hand, from their documentation; not all of it was tried.

{features}"""
