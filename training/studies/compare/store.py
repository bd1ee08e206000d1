"""Features on disk, one file per recording; an interrupted run resumes.

The name of a folder depends on the feature, its version and the signature of the front-end; that of
a file on the name, size and modification time of its recording. So an outdated file is never read.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from service import audio
from training import parallel
from training.data.takes import remove_silences
from training.files import write_atomically
from training.studies.compare.clips import Clip
from training.studies.compare.features import FEATURES
from training.studies.compare.sample import TooFewError
from training.types import AnyFloats, Indices


class Store:
    """The features of some recordings.

    Parameters
    ----------
    folder : Path
    clips : sequence of Clip
        Other arguments are positions in it.
    """

    def __init__(self, folder: Path, clips: Sequence[Clip]) -> None:
        self.clips = clips
        self._folder = folder
        self._keys: dict[str, str] = {}

    def name_of(self, feature: str) -> str:
        """Return the folder of a feature, whose name identifies its version."""
        key = self._keys.get(feature) or feature_key(feature)
        return f"{feature.replace(' ', '-').replace(',', '')}-{key}"

    def set_version(self, feature: str, key: str) -> None:
        """Set the version of a feature that is not in `FEATURES`."""
        self._keys[feature] = key

    def path(self, feature: str, place: int) -> Path:
        """Return the file of a recording's feature."""
        return self._folder / self.name_of(feature) / f"{_stamp(self.clips[place].path)}.npy"

    def missing(self, feature: str, places: Iterable[int]) -> list[int]:
        """Return the recordings that lack a feature."""
        return [place for place in places if not self.path(feature, place).exists()]

    def cases(
        self, features: Sequence[str], places: Iterable[int]
    ) -> tuple[list[AnyFloats], Indices]:
        """Return the features of all windows of the recordings that have them.

        Returns
        -------
        inputs : list of float [shape=(n, ...)]
            One for each feature.
        clip_of : int64 [shape=(n,)]
            Position of each window's recording.

        Raises
        ------
        TooFewError
            If no recording has them.
        """
        there = [i for i in places if all(self.path(each, i).exists() for each in features)]
        if not there:
            raise TooFewError(f"no recording has {' and '.join(features)}")
        read = [[np.load(self.path(each, i)) for i in there] for each in features]
        clip_of = np.repeat(there, [len(windows) for windows in read[0]])
        return [np.concatenate(windows) for windows in read], clip_of

    def means(self, feature: str, places: Iterable[int]) -> AnyFloats:
        """Average a vector over each recording; [shape=(n_clips, n_numbers)], NaN if missing."""
        (values,), clip_of = self.cases([feature], places)
        means = np.full((len(self.clips), values.shape[1]), np.nan)
        for place in np.unique(clip_of):
            means[place] = values[clip_of == place].mean(axis=0)
        return means


@cache
def feature_key(feature: str) -> str:
    """Return a digest of everything that a feature depends on."""
    signature = np.round(audio.signature().astype(float), 2).tolist()
    return digest(audio.front_end(), signature, feature, FEATURES[feature].version)


@cache
def _stamp(path: Path) -> str:
    stat = path.stat()
    return digest(str(path), stat.st_size, stat.st_mtime_ns)


def digest(*values: object) -> str:
    """Return a digest of values in JSON's types."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def extract(store: Store, wanted: Mapping[str, Iterable[int]], jobs: int | None) -> None:
    """Compute the missing features of each recording.

    Parameters
    ----------
    store : Store
    wanted : dict of str to iterable of int
        Positions of recordings, by name of the feature.
    jobs : int or None
        Number of processes; None for one per processor.
    """
    by_place: dict[int, dict[str, Path]] = {}
    for feature, places in wanted.items():
        for place in store.missing(feature, places):
            by_place.setdefault(place, {})[feature] = store.path(feature, place)
    tasks = [(store.clips[place].path, targets) for place, targets in by_place.items()]
    progress = tqdm(total=len(tasks), desc="features", unit="recording")
    for reason in parallel.run(write_features, tasks, jobs):
        if reason:
            tqdm.write(f"left out {reason!a}")
        progress.update()
    progress.close()


def write_features(path: Path, targets: dict[str, Path]) -> str:
    """Write features of a recording; return the reason if it has none."""
    try:
        waveform = audio.decode(path.read_bytes()).waveform
        for name, target in targets.items():
            feature = FEATURES[name]
            sound = remove_silences(waveform) if feature.removes_silences else waveform
            save(target, feature.extract(audio.windows(sound)))
    except audio.AudioError as error:
        return f"{path.name}: {error}"
    return ""


def save(target: Path, values: AnyFloats) -> None:
    """Write an array, pictures in half precision."""
    precise = np.float16 if values.ndim > 2 else np.float32
    write_atomically(target, partial(np.save, arr=values.astype(precise)))
