"""Fits tempo and key to a corpus, saves the numbers for the service, and writes the page."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from service import audio, music
from service.audio.blocks import BLOCK_SAMPLES
from service.audio.downmix import check
from service.audio.loudness import Meter
from service.music import fitted
from training.data.corpus import MANIFEST, read_rows
from training.files import write_atomically
from training.studies.tempo_key.clips import TRUTH, middle, read_clips, sounds
from training.studies.tempo_key.ebur128 import ebur128, wav
from training.studies.tempo_key.fit import fit_key, fit_tempo
from training.studies.tempo_key.measures import held_out
from training.studies.tempo_key.page import Deviations, page
from training.types import Floats

SPLITS = 5
EVERY = 4  # of the clips, for loudness
TIMED = 20  # clips
TIMED_RATE = 48_000  # Hz, of loudness
LAYOUTS = {1: ("FC",), 2: ("FL", "FR")}
RATES = (22_050, 44_100, 48_000, 96_000)  # Hz: the same samples, stated to be at another rate


def study(corpus: Path, destination: Path, jobs: int | None = 1) -> None:
    """Fit to a corpus, save the numbers in `service.music`, and write a page.

    Parameters
    ----------
    corpus : Path
        With the manifest, and `clips.TRUTH`.
    destination : Path
        Markdown; an existing page is replaced.
    jobs : int or None
        Number of processes; None for one per processor.

    Raises
    ------
    FileNotFoundError
        If an audio file is missing.
    CorpusError
        If there are no clips with a truth.
    """
    clips, not_music = read_clips(corpus, jobs), sounds(jobs)
    with threadpool_limits(1):
        save(fit_tempo(clips, not_music), fit_key(clips, not_music))
        splits = [held_out(clips, not_music, seed) for seed in range(SPLITS)]
        waveforms = _waveforms(corpus)
        deviations = {
            "one channel": _deviations([(waveform,) for waveform in waveforms]),
            "two channels": _deviations(list(itertools.pairwise(waveforms))),
        }
        milliseconds = _milliseconds(waveforms[:TIMED])
    write_atomically(destination, page(clips, not_music, splits, deviations, milliseconds))


def save(ranker: fitted.TempoRanker, key: Floats) -> None:
    """Write the numbers for `service.music.fitted`; half precision suffices for the network."""
    arrays: dict[str, Any] = {
        "tempo_hidden": ranker.hidden.astype(np.float16),
        "tempo_hidden_bias": ranker.hidden_bias.astype(np.float32),
        "tempo_output": ranker.output.astype(np.float16),
        "tempo_none": np.float32(ranker.none),
        "key": key,
    }
    write_atomically(fitted.FILE, lambda file: np.savez_compressed(file, **arrays))
    fitted.tempo_ranker.cache_clear()
    fitted.key_weights.cache_clear()


def _waveforms(corpus: Path) -> list[audio.Waveform]:
    """Return the middle of every `EVERY`-th clip with a truth."""
    files = {row["clip_id"]: corpus / row["file"] for row in read_rows(corpus / MANIFEST)}
    paths = [files[row["clip_id"]] for row in read_rows(corpus / TRUTH) if row["clip_id"] in files]
    return [middle(audio.decode(path.read_bytes()).waveform) for path in paths[::EVERY]]


def _deviations(recordings: Sequence[tuple[audio.Waveform, ...]]) -> Deviations:
    """Return our loudness less FFmpeg's."""
    lufs, peaks = [], []
    for number, channels in enumerate(recordings):
        length = min(map(len, channels))
        planes = np.stack([channel[:length] for channel in channels])
        rate = RATES[number % len(RATES)]
        ours = audio.decode(wav(planes, rate)).loudness
        its_lufs, its_peak = ebur128(planes, rate)
        if ours.integrated_lufs is not None:
            lufs.append(ours.integrated_lufs - its_lufs)
            peaks.append(ours.true_peak_dbtp - its_peak)
    return Deviations(np.array(lufs), np.array(peaks))


def _milliseconds(waveforms: Sequence[audio.Waveform]) -> dict[str, float]:
    """Return the median processor time of each stage."""
    stages: dict[str, Callable[[int], object]] = {
        "tempo": lambda index: music.tempi(music.tempogram([waveforms[index]])),
        "key": lambda index: music.keys(music.chroma([waveforms[index]])),
        "loudness of one channel": lambda index: _loudness(waveforms[index], 1),
        "loudness of two channels": lambda index: _loudness(waveforms[index], 2),
    }
    return {name: _median(stage, len(waveforms)) for name, stage in stages.items()}


def _loudness(waveform: audio.Waveform, channels: int) -> audio.Loudness:
    """Measure 15 s at `TIMED_RATE`, in the blocks that decoding yields."""
    samples = np.resize(waveform, audio.WINDOW_SECONDS * TIMED_RATE)
    meter = Meter()
    for start in range(0, len(samples), BLOCK_SAMPLES):
        planes = np.repeat(samples[None, start : start + BLOCK_SAMPLES], channels, axis=0)
        meter.add(check(planes, bounded=False), TIMED_RATE, LAYOUTS[channels])
    return meter.loudness()


def _median(stage: Callable[[int], object], count: int) -> float:
    stage(0)
    times = []
    for index in range(count):
        started = time.process_time()
        stage(index)
        times.append(1_000 * (time.process_time() - started))
    return float(np.median(times))
