"""The same bytes give the same answer in any process, batch and number of threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import onnxruntime as ort
import pytest

from service import audio
from service.model import INPUT, outputs_of
from service.settings import MODELS
from tools import signals
from tools.server import Server

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def recording():
    """A recording of 35 s, which has three windows."""
    return signals.encode(signals.groove(35, 44_100), 44_100, "mp3")


@pytest.fixture(scope="module")
def spectrograms(recording):
    return audio.log_mel(audio.windows(audio.decode(recording).waveform))


def numbers(answer):
    """Return every number of an answer except the timings, by its path."""

    def walk(value, path):
        if isinstance(value, dict):
            for name, each in value.items():
                yield from walk(each, f"{path}/{name}")
        elif isinstance(value, list):
            for index, each in enumerate(value):
                yield from walk(each, f"{path}/{index}")
        elif isinstance(value, float | int):
            yield path, float(value)

    return dict(walk({name: each for name, each in answer.items() if name != "timings"}, ""))


def assert_same(answers):
    first, *others = map(numbers, answers)
    assert len(first) > 50
    for other in others:
        assert other == pytest.approx(first, abs=TOLERANCE, rel=0)


def analyze(server, recording):
    files = {"file": recording}
    response = httpx.post(f"{server.url}/v1/analyze?timeline=1", files=files, timeout=60)
    assert response.status_code == 200
    return response.json()


@pytest.mark.slow
def test_every_process_gives_the_same_answer_at_any_concurrency(process, recording):
    """Two workers with eight concurrent requests, and one thread in other libraries."""
    answers = [analyze(process, recording)]
    server = Server(
        "--workers", "2", "--concurrency", "8", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"
    )
    try:
        server.wait_until_ready()
        with ThreadPoolExecutor(8) as threads:
            answers += threads.map(lambda _: analyze(server, recording), range(16))
    finally:
        assert server.stop() == 0
    assert_same(answers)


@pytest.mark.slow
def test_another_interpreter_gives_the_same_answer_without_a_server(process, recording, tmp_path):
    """The interpreter has another hash seed."""
    (tmp_path / "clip.mp3").write_bytes(recording)
    code = (
        "import sys; from pathlib import Path; from service.analysis import analyze\n"
        "from service.model import load_models; from service.settings import MODELS\n"
        "model = load_models(MODELS)['fifteen']\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "print(analyze(data, model, timeline=True).model_dump_json())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "clip.mp3")]
    environment = os.environ | {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "4"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    answers = [httpx.Response(200, content=done.stdout).json(), analyze(process, recording)]
    assert_same(answers)


def test_a_window_has_the_same_scores_in_any_batch(model, spectrograms):
    together = vars(model.score(spectrograms))
    many = vars(model.score(np.concatenate([spectrograms] * 8)))
    for place, spectrogram in enumerate(spectrograms):
        alone = vars(model.score(spectrogram[None]))
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][place], values[0], atol=TOLERANCE, rtol=0)
            np.testing.assert_allclose(many[name][place], values[0], atol=TOLERANCE, rtol=0)


def test_a_window_has_the_same_spectrogram_in_any_batch(recording):
    windows = audio.windows(audio.decode(recording).waveform)
    together = audio.log_mel(windows)
    for place, window in enumerate(windows):
        np.testing.assert_array_equal(audio.log_mel(window[None])[0], together[place])


@pytest.mark.parametrize("threads", [2, 4])
def test_the_number_of_threads_does_not_change_the_scores(model, spectrograms, threads):
    """`service.model` sets one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    session = ort.InferenceSession(
        (MODELS / "fifteen.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = list(outputs_of(model.card))
    expected = [values for values in vars(model.score(spectrograms)).values() if values.size]
    for values, ours in zip(session.run(names, {INPUT: spectrograms}), expected, strict=True):
        np.testing.assert_allclose(values, ours, atol=TOLERANCE, rtol=0)


def test_the_comparison_detects_another_answer():
    answer = {"timings": {"decode_ms": 1}, "genres": [{"probability": 0.1}] * 60}
    assert_same([answer, answer | {"timings": {"decode_ms": 2}}])
    with pytest.raises(AssertionError):
        assert_same([answer, answer | {"genres": [{"probability": 0.1 + 2e-6}] * 60}])
