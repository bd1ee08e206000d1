"""``python field_rivals.py NAME ANSWERS FILE...``: what one program says of files, and its cost.

It runs in an environment that has the program, and imports nothing of this repository but for
``fifteen``. Each program does what it can for the features that `tools.benchmarks.field` compares.
The first file is asked about twice, so that what is loaded at first use is not counted.
"""

# ruff: noqa: PLC0415 - each program is imported where it is asked

import json
import re
import sys
import time
from pathlib import Path


def fifteen():
    from service.analysis import analyze
    from service.model import load_models
    from service.settings import MODELS

    model = load_models(MODELS)["fifteen"]

    def ask(path):
        found = analyze(Path(path).read_bytes(), model)
        return {
            "bpm": found.tempo and found.tempo.bpm,
            "key": found.key and [found.key.tonic, found.key.mode],
            "lufs": found.loudness.integrated_lufs,
            "energy": found.energy,
            "danceability": found.danceability,
            "valence": found.valence,
        }

    return ask


def vibenet():
    import vibenet as program

    model = program.load_model()

    def ask(path):
        (found,) = model.predict(path)
        return {name: getattr(found, name) for name in ("energy", "danceability", "valence")}

    return ask


def sonara():
    import sonara as program

    def ask(path):
        found = program.analyze_file(path, mode="playlist")
        return {
            "bpm": found["bpm"],
            "key": found["key"].split(),
            "lufs": found["loudness_lufs"],
            "energy": found["energy"],
            "danceability": found["danceability"],
            "valence": found["valence"],
        }

    return ask


def librosa():
    import librosa as program

    def ask(path):
        waveform, rate = program.load(path)
        bpm, _ = program.beat.beat_track(y=waveform, sr=rate)
        chroma = program.feature.chroma_cqt(y=waveform, sr=rate).sum(axis=1)
        return {"bpm": float(bpm.ravel()[0]), "chroma": chroma.tolist()}

    return ask


def essentia():
    import essentia as program
    import numpy as np
    from essentia import standard

    program.log.infoActive = program.log.warningActive = False
    rate = 44_100  # which its extractors want

    def ask(path):
        waveform = standard.MonoLoader(filename=path, sampleRate=rate)()
        tonic, mode, _ = standard.KeyExtractor()(waveform)
        one_channel = np.stack([waveform, np.zeros_like(waveform)], axis=1)
        return {
            "bpm": standard.RhythmExtractor2013()(waveform)[0],
            "key": [tonic, mode],
            "lufs": standard.LoudnessEBUR128(sampleRate=rate)(one_channel)[2],
            "danceability": standard.Danceability()(waveform)[0],
        }

    return ask


def answers(ask, paths):
    """Return the answer to each path with its processor time, ms; or the error."""
    found = []
    for path in [paths[0], *paths]:
        began = time.process_time()
        try:
            answer = ask(path)
        except Exception as error:  # noqa: BLE001 - whatever a program raises
            answer = {"error": str(error) or type(error).__name__}
        found.append(answer | {"milliseconds": 1_000 * (time.process_time() - began)})
    return found[1:]


def main(name, file, paths):
    program = globals()[name]
    found = answers(program(), paths)
    status = Path("/proc/self/status").read_text()
    most = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    # not to standard output, where programs write
    Path(file).write_text(json.dumps({"answers": found, "most_mb": most}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
