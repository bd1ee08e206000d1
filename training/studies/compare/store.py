"""Features on disk, a file for each recording: computed once, in parallel, resumed.

A folder is named for the feature, its version and the signature of the front-end, a file for its
recording's name, size and time of change. Nothing that would come out otherwise is ever read.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from service import audio
from training.data.takes import remove_silences
from training.parallel import run
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
        What is asked for is asked by place in these.
    """

    def __init__(self, folder: Path, clips: Sequence[Clip]) -> None:
        self.clips = clips
        self._folder = folder
        self._keys: dict[str, str] = {}

    def name_of(self, feature: str) -> str:
        """Return the folder of a feature, which tells what it is made of."""
        key = self._keys.get(feature) or _key(feature)
        return f"{feature.replace(' ', '-').replace(',', '')}-{key}"

    def made_of(self, feature: str, key: str) -> None:
        """Say what a feature is made of that is not in `FEATURES`."""
        self._keys[feature] = key

    def path(self, feature: str, place: int) -> Path:
        """Return where a recording's feature is, or is to be."""
        return self._folder / self.name_of(feature) / f"{_stamp(self.clips[place].path)}.npy"

    def missing(self, feature: str, places: Iterable[int]) -> list[int]:
        """Return the recordings that lack a feature."""
        return [place for place in places if not self.path(feature, place).exists()]

    def cases(
        self, features: Sequence[str], places: Iterable[int]
    ) -> tuple[list[AnyFloats], Indices]:
        """Return the features of all windows of recordings that have them.

        Returns
        -------
        inputs : list of float [shape=(n, ...)]
            One for each feature.
        clip_of : int64 [shape=(n,)]
            Place of the recording of each window.

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
        """Average a vector over each recording; [shape=(n_clips, n_numbers)], NaN without."""
        (values,), clip_of = self.cases([feature], places)
        means = np.full((len(self.clips), values.shape[1]), np.nan)
        for place in np.unique(clip_of):
            means[place] = values[clip_of == place].mean(axis=0)
        return means


@cache
def _key(feature: str) -> str:
    """Digest what a feature's numbers depend on."""
    signature = np.round(audio.signature().astype(float), 2).tolist()
    return digest(audio.front_end(), signature, feature, FEATURES[feature].version)


@cache
def _stamp(path: Path) -> str:
    stat = path.stat()
    return digest(str(path), stat.st_size, stat.st_mtime_ns)


def digest(*made_of: object) -> str:
    """Return what tells some things from any others, by how JSON writes them."""
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


def extract(store: Store, wanted: Mapping[str, Iterable[int]], jobs: int) -> None:
    """Compute what is wanted of each recording and is not there yet.

    Parameters
    ----------
    store : Store
    wanted : dict of str to places
        By name of the feature.
    jobs : int
        Processes.
    """
    by_place: dict[int, dict[str, Path]] = {}
    for feature, places in wanted.items():
        for place in store.missing(feature, places):
            by_place.setdefault(place, {})[feature] = store.path(feature, place)
    tasks = [(store.clips[place].path, targets) for place, targets in by_place.items()]
    progress = tqdm(total=len(tasks), desc="features", unit="recording")
    for refused in run(_write_features, tasks, jobs):
        if refused:
            tqdm.write(f"left out {refused!a}")
        progress.update()
    progress.close()


def _write_features(path: Path, targets: dict[str, Path]) -> str:
    """Write features of a recording; return why it has none, or nothing."""
    try:
        waveform = audio.decode(path.read_bytes()).waveform
        for name, target in targets.items():
            feature = FEATURES[name]
            heard = remove_silences(waveform) if feature.removes_silences else waveform
            save(target, feature.extract(audio.windows(heard)))
    except audio.AudioError as error:
        return f"{path.name}: {error}"
    return ""


def save(target: Path, values: AnyFloats) -> None:
    """Write an array in half precision where it is a picture, and only as a whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial.npy")
    np.save(partial, values.astype(np.float16 if values.ndim > 2 else np.float32))
    partial.replace(target)
