"""Features by networks trained elsewhere: mn04, and the outputs of VibeNet.

They are compared with the networks trained here. Nothing that is shipped contains their weights.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import av
import numpy as np
from tqdm import tqdm

from service import audio
from training import parallel
from training.data.teachers import AUDIO_FEATURES
from training.studies.compare import mn04
from training.studies.compare.store import Store, digest, save
from training.types import AnyFloats

WEIGHTS = "mn04_as_mAP_432.pt"  # in the folder of teachers
EMBEDDING, TAGS, VIBENET = "mn04", "mn04 tags", "vibenet"
ELSEWHERE = {
    EMBEDDING: "last convolution of EfficientAT mn04, which was trained on AudioSet; one for each "
    "0.32 s, of sound at 32 kHz",
    TAGS: "its 527 tags",
    VIBENET: "the seven audio-features of VibeNet, which was trained on values of Echo Nest",
}
"""Features of this module, and what they are."""


def declare(store: Store, teachers: Path | None) -> None:
    """Register the versions of the features in the store.

    Parameters
    ----------
    store : Store
    teachers : Path or None
        Folder with `WEIGHTS`, and with a file of outputs that has `AUDIO_FEATURES`.
    """
    code = [Path(str(name)).read_text() for name in (__file__, mn04.__file__)]
    files = sorted(teachers.iterdir()) if teachers else []
    used = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()]
    for name in ELSEWHERE:
        store.set_version(name, digest(name, code, used))


def listen(
    store: Store, wanted: Mapping[str, set[int]], teachers: Path | None, jobs: int | None
) -> None:
    """Compute the missing features of recordings; none without teachers.

    Parameters
    ----------
    store : Store
    wanted : dict of str to set of int
        Positions of recordings, by name of the feature.
    teachers : Path or None
        As `declare` takes it.
    jobs : int or None
        Number of processes; None for one per processor.
    """
    if not teachers:
        return
    heard = {*store.missing(EMBEDDING, wanted[EMBEDDING]), *store.missing(TAGS, wanted[TAGS])}
    if (teachers / WEIGHTS).exists():
        tasks = [(store, place, teachers / WEIGHTS) for place in sorted(heard)]
        progress = tqdm(total=len(tasks), desc="mn04", unit="recording")
        for _ in parallel.run(write_heard, tasks, jobs):
            progress.update()
        progress.close()
    for place, values in _of_vibenet(store, teachers, store.missing(VIBENET, wanted[VIBENET])):
        save(store.path(VIBENET, place), values)


def write_heard(store: Store, place: int, weights: Path) -> None:
    """Write what mn04 makes of a recording, if it can be decoded."""
    path = store.clips[place].path
    try:
        cut = audio.cut(audio.decode(path.read_bytes()).waveform)
    except audio.AudioError:
        return
    windows = windows_at(path, cut, mn04.SAMPLE_RATE)
    features, logits = mn04.hear(mn04.read_weights(weights), windows)
    save(store.path(EMBEDDING, place), features)
    save(store.path(TAGS, place), logits)


def windows_at(path: Path, cut: audio.Cut, rate: int) -> AnyFloats:
    """Return the windows of a recording at another sample rate, which may be higher than ours.

    Returns
    -------
    windows : float32 [shape=(n_windows, WINDOW_SECONDS * rate)]
    """
    with av.open(path) as container:
        resampler = av.AudioResampler("fltp", "mono", rate)
        frames = [
            each
            for frame in (*container.decode(audio=0), None)
            for each in resampler.resample(frame)
        ]
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    ratio, length = rate / audio.SAMPLE_RATE, round(audio.WINDOW_SECONDS * rate)
    starts = [round(start * ratio) for start in cut.starts]
    return np.stack([np.resize(sound[start : start + length], length) for start in starts])


def _of_vibenet(store: Store, teachers: Path, places: list[int]) -> Iterator[tuple[int, AnyFloats]]:
    """Yield the outputs for the windows of each recording that VibeNet heard."""
    for path in sorted(teachers.glob("*.npz")):
        with np.load(path) as file:
            if AUDIO_FEATURES not in file.files:
                continue
            ids, starts, values = file["clip_id"], file["start_seconds"], file[AUDIO_FEATURES]
        for place in places:
            rows = np.flatnonzero(ids == store.clips[place].id)
            if len(rows):
                yield place, values[rows[_nearest(store.clips[place].path, starts[rows])]]


def _nearest(path: Path, starts: AnyFloats) -> list[int]:
    """Return, for each window of a recording, which of some starts in seconds is the nearest."""
    cut = audio.cut(audio.decode(path.read_bytes()).waveform)
    own = [start / audio.SAMPLE_RATE for start in cut.starts]
    return [int(np.abs(starts - each).argmin()) for each in own]
