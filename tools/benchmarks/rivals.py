"""``python -m tools.benchmarks.rivals NAME PORT WORKERS``: what people would write or use instead.

Each rival analyses the first 15 s of a recording with as many mel bands and frames as the service
and with the same network. It has no limits, verdicts or problem documents.

* ``baseline``: FastAPI, `librosa.load`, `librosa.feature.melspectrogram`, PyTorch eager. The
  network has the shipped one's layers, and random weights: they cost the same.
* ``essentia``: its own loader and mel extractor, the shipped network by ONNX Runtime. Its parts are
  not thread-safe, and its wheel reads no Opus.

Both need a file with a name, and librosa needs the program ffmpeg for recordings of phones.
"""

import argparse
import tempfile
import warnings
from threading import Lock

import numpy as np
import uvicorn
from fastapi import FastAPI, UploadFile

from service import audio


def serve(predict):
    """Build an application that answers a form's part `file` with what `predict` returns."""
    app = FastAPI()

    @app.get("/readyz")
    def ready():
        return "ready"

    @app.post("/v1/analyze")
    def analyze(file: UploadFile):  # runs in a thread of the framework
        with tempfile.NamedTemporaryFile() as named:
            named.write(file.file.read())
            named.flush()
            return {"genres": predict(named.name)}

    return app


def baseline():
    import librosa  # noqa: PLC0415 - each rival loads what it needs
    import torch  # noqa: PLC0415

    network = same_network()
    warnings.simplefilter("ignore")  # librosa's notice that audioread will be removed

    def predict(path):
        waveform, _ = librosa.load(path, sr=audio.SAMPLE_RATE, duration=audio.WINDOW_SECONDS)
        power = librosa.feature.melspectrogram(
            y=np.resize(waveform, audio.N_SAMPLES), sr=audio.SAMPLE_RATE, n_fft=audio.N_FFT,
            hop_length=audio.HOP, n_mels=audio.N_MELS, fmin=audio.F_MIN, fmax=audio.F_MAX,
        )  # fmt: skip
        level = librosa.power_to_db(power, ref=np.max).astype(np.float32)
        with torch.no_grad():
            return network(torch.from_numpy(level[None]))[0][0].tolist()

    return serve(predict)


def same_network():
    """Return a network of the shipped one's layers, in evaluation mode."""
    from service.card import EMOTIONS  # noqa: PLC0415
    from service.model import load_models  # noqa: PLC0415
    from service.settings import MODELS  # noqa: PLC0415
    from training.fit.config import DEFAULT_RECIPE, read_recipe  # noqa: PLC0415
    from training.fit.student_file import SHIPPED, load_student  # noqa: PLC0415
    from training.models.base import OutputShape  # noqa: PLC0415
    from training.models.ensemble import Ensemble  # noqa: PLC0415
    from training.models.head import Head  # noqa: PLC0415

    config = read_recipe(DEFAULT_RECIPE).training
    student = load_student(SHIPPED)
    shape = OutputShape(student.config.features, n_classes=N_CLASSES)
    return Ensemble(
        student.network,
        [Head(shape, config.head.hidden) for _ in range(config.folds)],
        n_genres=len(load_models(MODELS)["fifteen"].card.genres),
        temperature=1,
        emotions=list(range(len(EMOTIONS))),
    ).eval()


N_CLASSES = 24  # of the shipped network: genres, kinds of other music, no music


def essentia():
    import essentia.standard as es  # noqa: PLC0415
    import onnxruntime as ort  # noqa: PLC0415

    from service.settings import MODELS  # noqa: PLC0415

    one_at_a_time = Lock()
    session = ort.InferenceSession(MODELS / "fifteen.onnx", providers=["CPUExecutionProvider"])
    essence = {"size": audio.N_FFT}
    windowing = es.Windowing(type="hann", zeroPhase=False, normalized=False, **essence)
    spectrum = es.Spectrum(**essence)
    bands = es.MelBands(
        inputSize=1 + audio.N_FFT // 2, numberBands=audio.N_MELS, sampleRate=audio.SAMPLE_RATE,
        lowFrequencyBound=audio.F_MIN, highFrequencyBound=audio.F_MAX, type="power",
        warpingFormula="slaneyMel", weighting="linear",
    )  # fmt: skip

    def predict(path):
        with one_at_a_time:
            waveform = es.MonoLoader(filename=path, sampleRate=audio.SAMPLE_RATE)()
            frames = es.FrameGenerator(
                np.resize(waveform, audio.N_SAMPLES), frameSize=audio.N_FFT, hopSize=audio.HOP
            )
            power = np.array([bands(spectrum(windowing(frame))) for frame in frames]).T
        level = 10 * np.log10(np.maximum(power, audio.QUIETEST_POWER))
        log_mel = np.maximum(level - level.max(), -audio.SPAN_DB)[:, : audio.N_FRAMES]
        answer = session.run(None, {"log_mel": log_mel[None].astype(np.float32)})
        return answer[0][0].tolist()

    return serve(predict)


RIVALS = {"baseline": baseline, "essentia": essentia}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=RIVALS)
    parser.add_argument("port", type=int)
    parser.add_argument("workers", type=int)
    args = parser.parse_args()
    uvicorn.run(
        f"tools.benchmarks.rivals:{args.name}",
        factory=True, port=args.port, workers=args.workers, log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main()
