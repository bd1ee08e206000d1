"""``python -m tools.benchmarks.field CORPUS PAGE``: Fifteen and others, on the same clips.

Each program runs in an environment of its own, which pip makes below a temporary folder: none of
them is a dependency of this project. Needs the environment of training, and pip a registry.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from service import audio
from tools import signals
from tools.benchmarks import field_page
from tools.server import ROOT
from training.data.corpus import EMOTION_MANIFEST, MANIFEST, SPOTIFY, read_rows
from training.studies.tempo_key import measures
from training.studies.tempo_key.clips import TEMPERLEY, TRUTH, middle, read_clips, sounds
from training.studies.tempo_key.ebur128 import ebur128, wav

PROGRAMS = {
    "vibenet": "vibenet==0.1.0",
    "sonara": "sonara==0.3.6",
    "librosa": "librosa==0.11.0",
    "essentia": "essentia==2.1b6.dev1389",
}
LEARNED = ("energy", "danceability", "valence")
CLIPS = 100  # with tempo and key, drawn with SEED
SEED = 0
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)
TONICS = {"C": 0, "Db": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "Gb": 6, "G": 7, "Ab": 8, "A": 9,
          "Bb": 10, "B": 11, "C#": 1, "D#": 3, "F#": 6, "G#": 8, "A#": 10}  # fmt: skip
FORMAT_SECONDS = 5


@dataclass(frozen=True)
class Clips:
    """The clips, and what is true of them.

    Attributes
    ----------
    rhythm, learned : list of Path
        Those with tempo and key, and those with Spotify's values.
    bpm, key, lufs : array [shape=(len(rhythm),)]
        NaN and -1 where unknown.
    values : list of dict
        Spotify's, for each of `learned`.
    ours : tuple of array [shape=(len(rhythm),)]
        Tempo and key by Fifteen's method, fitted to other artists.
    """

    rhythm: list
    learned: list
    bpm: np.ndarray
    key: np.ndarray
    lufs: np.ndarray
    values: list
    ours: tuple


def environment(folder, package):
    """Make an environment with a package, unless it is there; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-qq", package], check=True)
    return python


def asked(name, python, paths):
    """Ask a program about files; return its answers, and the peak of its memory in MB.

    A program that crashes has no answers.
    """
    script = Path(__file__).with_name("field_rivals.py")
    ours = {"PYTHONPATH": str(ROOT)} if name == "fifteen" else {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.json"
        command = [python, "-W", "ignore", script, name, out, *paths]
        done = subprocess.run(command, env=os.environ | ONE_THREAD | ours, check=False)
        if done.returncode:
            return [{"error": f"status {done.returncode}"}] * len(paths), 0
        found = json.loads(out.read_text())
    return found["answers"], found["most_mb"]


def drawn(count, most, seed=SEED):
    """Return which of some clips to ask about, in their order."""
    return sorted(np.random.default_rng(seed).permutation(count)[:most].tolist())


def written(corpus, rows, folder):
    """Write the middle 15 s of clips as mono WAV of floats at 22,050 Hz; return paths, LUFS."""
    paths, lufs = [], []
    for row in rows:
        part = middle(audio.decode((corpus / row["file"]).read_bytes()).waveform)
        paths.append(folder / f"{row['clip_id']}.wav")
        paths[-1].write_bytes(wav(part[None], audio.SAMPLE_RATE))
        lufs.append(ebur128(part[None], audio.SAMPLE_RATE)[0])
    return paths, np.array(lufs)


def in_formats(folder):
    """Write one sound in several formats; return the paths."""
    sound = signals.groove(FORMAT_SECONDS)
    paths = []
    for name in signals.ENCODINGS:
        paths.append(folder / f"sound-{name}.{field_page.SUFFIXES.get(name, name)}")
        paths[-1].write_bytes(signals.encode(sound, 48_000, name))
    return paths


def key_of(answer):
    """Return the key of an answer, 0 to 11 for major and 12 to 23 for minor; -1 for none."""
    if "chroma" in answer:  # librosa has no key; this is the usual way to get one
        rolled = [np.roll(answer["chroma"], -tonic) for tonic in range(12)]
        return int(np.argmax([np.corrcoef(each, p)[0, 1] for p in TEMPERLEY for each in rolled]))
    if not answer.get("key"):
        return -1
    tonic, mode = answer["key"]
    return TONICS[tonic] + (12 if mode == "minor" else 0)


def rhythm_figures(said, bpm, key, lufs):
    """Return Accuracy1 and Accuracy2 of the tempo, the key's score, and the error of loudness."""
    figures = {}
    if any(answer.get("bpm") for answer in said):
        found = np.array([answer.get("bpm") or np.nan for answer in said])
        figures |= tempo_figures(found, bpm)
    if any("key" in answer or "chroma" in answer for answer in said):
        figures |= key_figures(np.array([key_of(answer) for answer in said]), key)
    loud = [(answer["lufs"], its) for answer, its in zip(said, lufs, strict=True)
            if answer.get("lufs") is not None]  # fmt: skip
    if loud:
        ours, its = np.array(loud).T
        figures["loudness"] = np.abs(ours - its).mean()
    return figures


def tempo_figures(found, truth):
    """Return Accuracy1 and Accuracy2 over clips whose tempo is known."""
    found, truth = found[np.isfinite(truth)], truth[np.isfinite(truth)]
    return {
        "accuracy1": measures.tempo_right(found, truth).mean(),
        "accuracy2": measures.tempo_right(found, truth, measures.OCTAVES).mean(),
    }


def key_figures(found, truth):
    """Return the share of right keys, and MIREX's score, over clips whose key is known."""
    known = truth >= 0
    if not known.any():
        return {}
    score = [measures.key_score(found[known], truth[known])[place] if found[known][place] >= 0
             else 0.0 for place in range(known.sum())]  # fmt: skip
    return {"key": (found[known] == truth[known]).mean(), "key_score": np.mean(score)}


def learned_figures(said, rows):
    """Return rank correlation with Spotify's values and the mean absolute error, by feature."""
    figures = {}
    for name in LEARNED:
        truth = np.array([float(row[f"{SPOTIFY}_{name}"]) for row in rows])
        found = [answer.get(name) for answer in said]
        if None in found:
            continue
        found = np.array(found)
        figures[name] = spearmanr(found, truth).statistic
        if found.max() <= 1:  # Essentia's danceability has another scale
            figures[f"{name}_error"] = np.abs(found - truth).mean()
    return figures


def chosen_clips(corpus, folder, most, jobs):
    """Draw clips, and write them; as `Clips`."""
    tracks = {row["clip_id"]: row for row in read_rows(corpus / MANIFEST)}
    rhythm = [tracks[row["clip_id"]] for row in read_rows(corpus / TRUTH)
              if row["clip_id"] in tracks]  # fmt: skip
    chosen = drawn(len(rhythm), most)
    paths, lufs = written(corpus, [rhythm[place] for place in chosen], folder)
    clips = read_clips(corpus, jobs)
    ours = measures.held_out(clips, sounds(jobs), SEED).middle
    known = [
        row for row in read_rows(corpus / EMOTION_MANIFEST)
        if row[f"{SPOTIFY}_energy"] and tracks.get(row["clip_id"], {}).get("split") == "test"
    ]  # fmt: skip
    values = [known[place] for place in drawn(len(known), most)]
    learned, _ = written(corpus, [tracks[row["clip_id"]] for row in values], folder)
    return Clips(
        rhythm=paths,
        learned=learned,
        bpm=np.array([clips[place].bpm for place in chosen]),
        key=np.array([clips[place].key for place in chosen]),
        lufs=lufs,
        values=values,
        ours=(ours.bpm[chosen], ours.key[chosen]),
    )


def figures_of(name, python, clips, formats):
    """Ask a program about all; return its figures, by the names of `field_page.ROWS`."""
    said, most_mb = asked(name, python, [*clips.rhythm, *clips.learned])
    assert not all(each.get("error") for each in said), f"{name}: {said[0]}"
    rhythm, learned = said[: len(clips.rhythm)], said[len(clips.rhythm) :]
    figures = rhythm_figures(rhythm, clips.bpm, clips.key, clips.lufs)
    if name == "fifteen":
        figures |= tempo_figures(clips.ours[0], clips.bpm) | key_figures(clips.ours[1], clips.key)
    return figures | {
        **learned_figures(learned, clips.values),
        "milliseconds": np.median([each["milliseconds"] for each in rhythm]),
        "most_mb": most_mb,
        "formats": [not asked(name, python, [path])[0][0].get("error") for path in formats],
    }


def measured(corpus, folder, pythons, most=CLIPS, jobs=1):
    """Measure programs, each by its name and the Python of its environment."""
    clips, formats = chosen_clips(corpus, folder, most, jobs), in_formats(folder)
    return field_page.Field(
        figures={
            name: figures_of(name, python, clips, formats) for name, python in pythons.items()
        },
        rhythm=len(clips.rhythm),
        keys=int((clips.key >= 0).sum()),
        learned=len(clips.learned),
        programs={name: PROGRAMS[name] for name in pythons if name in PROGRAMS},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--clips", type=int, default=CLIPS, help="most clips of each kind")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--environments", type=Path, help="keep the environments in this folder")
    args = parser.parse_args()
    machine = f"a machine with {os.cpu_count()} processors ({platform.machine()})"
    with tempfile.TemporaryDirectory() as folder:
        pythons = {"fifteen": sys.executable}
        for name, package in PROGRAMS.items():
            pythons[name] = environment((args.environments or Path(folder)) / name, package)
        found = measured(args.corpus, Path(folder), pythons, args.clips, args.jobs)
    args.page.write_text(field_page.page(found, machine, SEED))
    print(args.page.read_text())


if __name__ == "__main__":
    main()
