"""``python -m tools.device FOLDER``: write the folder of the setting `device`.

It has the modules of ``mobile_client/device``, the model, ONNX Runtime Web, and ``device.json``:
every number that the modules need, from the service's modules that own them and from the model's
metadata.

The runtime is the npm package that ``mobile_client/device/runtime.json`` pins. ``npm pack`` brings
it; a package with another SHA-512 is refused.
"""

import argparse
import base64
import gzip
import hashlib
import json
import math
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import soxr

from service import audio, quality
from service.analysis import (
    LEVEL_DIGITS,
    PERCENTILE_DIGITS,
    PROBABILITY_DIGITS,
    SCORE_DIGITS,
    SECONDS_DIGITS,
)
from service.audio import blocks, downmix, windowing
from service.loading import load_served
from service.model import INPUT, OUTPUTS
from service.mood import middle_of
from service.schemas import PROBLEM_TYPES
from service.settings import DEVICE_NUMBERS, Settings

ROOT = Path(__file__).parent.parent
MODULES = ROOT / "mobile_client" / "device"
PIN = MODULES / "runtime.json"
DOWNLOADS = ROOT / "build"

RUNTIME_MODULE = "ort.wasm.bundle.min.mjs"
RUNTIME_BINARY = "ort-wasm-simd-threaded.wasm"
PACKED = ".gzip"  # as packed.js names it; hosts and browsers treat .gz in ways of their own

RATES = (8_000, 11_025, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
REACH = 110  # samples of the lower rate: what soxr's filter reaches
GRID = 256  # frequencies of a whole turn: a filter that reaches less than half of it is exact
NOTHING = 1e-6  # of a response


class PackageError(RuntimeError):
    """The package of the runtime cannot be had, or is not the pinned one."""


def fetch(folder: Path = DOWNLOADS) -> Path:
    """Return the package of the runtime, which npm brings if the folder does not have it."""
    pin = json.loads(PIN.read_text())
    path = folder / f"{pin['package']}-{pin['version']}.tgz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if not npm:
            raise PackageError(f"npm is not installed, and {path} is not there.")
        name = f"{pin['package']}@{pin['version']}"
        command = [npm, "pack", "--ignore-scripts", "--pack-destination", str(folder), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PackageError(f"npm pack {name}: {done.stderr.strip()[-500:]}")
    return checked(path, pin["integrity"])


def checked(path: Path, integrity: str) -> Path:
    """Return a package whose digest is the pinned one; refuse another."""
    kind, _, expected = integrity.partition("-")
    digest = base64.b64encode(hashlib.new(kind, path.read_bytes()).digest()).decode()
    if digest != expected:
        raise PackageError(f"{path} is not the pinned package: its digest is {kind}-{digest}.")
    return path


def build(folder: Path, package: Path | None, settings: Settings, **more) -> dict:
    """Write the folder, without the runtime if there is no package; return its numbers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = load_served(settings)[settings.model]
    found = numbers(model) | more
    for path in (*MODULES.glob("*.js"), MODULES / "texts.json"):
        shutil.copy(path, folder)
    if package:
        _unpack(package, folder)
    _pack(folder / (found["model"]["file"] + PACKED), _model_file(settings.models, model.digest))
    found["files"] = {
        path.name: {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.iterdir())
    }
    found["version"] = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]
    (folder / DEVICE_NUMBERS).write_text(json.dumps(found, separators=(",", ":")))
    return found


def download_bytes(found: dict) -> int:
    """Return the size of what a phone downloads."""
    return sum(each["bytes"] for each in found["files"].values())


def _unpack(package: Path, folder: Path) -> None:
    """Take the runtime, on one thread and without a GPU, out of its package."""
    with tarfile.open(package) as archive:
        for name in (RUNTIME_MODULE, RUNTIME_BINARY):
            content = archive.extractfile(f"package/dist/{name}").read()
            if name == RUNTIME_BINARY:
                _pack(folder / (name + PACKED), content)
            else:
                (folder / name).write_bytes(content)


def _pack(path: Path, content: bytes) -> None:
    """Write a file in gzip; the same content has the same bytes."""
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def _model_file(folder: Path, digest: str) -> bytes:
    """Return the model file that has a digest."""
    contents = (path.read_bytes() for path in sorted(folder.glob("*.onnx")))
    return next(
        content for content in contents if f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    )


def numbers(model) -> dict:
    """Return every number of the modules, from its owner."""
    card = model.card.model_dump(mode="json")
    return {
        "model": {
            "name": model.card.name,
            "version": model.card.version,
            "digest": model.digest,
            "file": f"{model.card.name}.onnx",
            "input": INPUT,
            "outputs": list(OUTPUTS),
        },
        "card": {
            name: card[name]
            for name in ("genres", "emotions", "thresholds", "intervals", "percentiles")
        },
        "middle": list(middle_of(model.card)),
        **_sound(),
        "quality": {
            "clipped": quality.CLIPPED,
            "very_quiet_dbfs": quality.VERY_QUIET_DBFS,
            "telephone_hz": quality.TELEPHONE_HZ,
            "narrow_db": quality.NARROW_DB,
            "most": quality.MOST,
        },
        "digits": {
            "probability": PROBABILITY_DIGITS,
            "score": SCORE_DIGITS,
            "level": LEVEL_DIGITS,
            "percentile": PERCENTILE_DIGITS,
            "seconds": SECONDS_DIGITS,
        },
        "problems": PROBLEM_TYPES,
    }


def _sound() -> dict:
    """Return the numbers of the modules that handle waveforms."""
    return {
        "audio": audio.front_end()
        | {
            "n_samples": audio.N_SAMPLES,
            "min_seconds": audio.MIN_SECONDS,
            "max_seconds": audio.MAX_SECONDS,
            "quietest_power": audio.QUIETEST_POWER,
            "silent_dbfs": audio.SILENT_DBFS,
            "mel_edges": audio.mel_edges().tolist(),
            "piece": windowing.PIECE,
            "lasting": windowing.LASTING,
        },
        "downmix": {
            "block_samples": blocks.BLOCK_SAMPLES,
            "step": downmix.STEP,
            "sounding_power": downmix.SOUNDING_POWER,
            "cancelling": downmix.CANCELLING,
            "coherent": downmix.COHERENT,
            "out_of_phase": downmix.OUT_OF_PHASE,
            "rarely": downmix.RARELY,
            "full_scale": downmix.FULL_SCALE,
            "overshoot": downmix.OVERSHOOT,
        },
        "resampling": {
            "grid": GRID,
            "reach": REACH,
            "responses": {str(rate): response(rate) for rate in RATES},
        },
    }


def response(rate: int) -> list[float]:
    """Return the frequency response of the service's resampler, from its answers to impulses.

    An impulse at each place between two output samples gives the filter on a fine grid.
    """
    divisor = math.gcd(rate, audio.SAMPLE_RATE)
    up, down = audio.SAMPLE_RATE // divisor, rate // divisor
    low = min(rate, audio.SAMPLE_RATE)
    length = 2 * (3 * REACH * rate // low + down)
    times, values = [], []
    for place in range(length // 2, length // 2 + down):
        impulse = np.zeros(length, np.float32)
        impulse[place] = 1
        answer = soxr.resample(impulse, rate, audio.SAMPLE_RATE)
        times.append((np.arange(len(answer)) - place * up / down) * low / audio.SAMPLE_RATE)
        values.append(answer * (rate / low))
    time, value = np.concatenate(times), np.concatenate(values).astype(np.float64)
    near = np.abs(time) < REACH
    step = low / audio.SAMPLE_RATE / down
    turns = np.arange(GRID * 3 // 5)
    found = step * np.cos(2 * np.pi * turns[:, None] * time[near] / GRID) @ value[near]
    last = int(np.flatnonzero(np.abs(found) > NOTHING)[-1])
    return found[: last + 1].round(7).tolist()


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to write; its content is replaced")
    arguments = parser.parse_args()
    found = build(arguments.folder, fetch(), Settings())
    print(f"{arguments.folder}: {download_bytes(found) / 1e6:.1f} MB to download")


if __name__ == "__main__":
    main()
