"""The measurements of `make benchmark`, in their smallest form. Figures depend on the machine."""

import sys
from collections import Counter

import httpx2 as httpx
import numpy as np
import onnx
import pytest

from service import audio
from tools import signals
from tools.benchmarks import (
    alternatives,
    answer,
    cost,
    field,
    field_page,
    live,
    load,
    measures,
    parts,
    performance,
    preparing,
    search,
)
from tools.benchmarks.alternatives import Tried
from tools.benchmarks.cost import Stages
from tools.benchmarks.measures import Growth, Sustained
from tools.benchmarks.memory import AtRest
from tools.benchmarks.performance import Figure, Measured, with_figure
from tools.benchmarks.preparing import Preparing
from tools.benchmarks.rivals import same_network
from tools.server import ROOT, serving

pytestmark = pytest.mark.slow

REPEATS = 2


def test_the_search_is_measured_and_its_page_written():
    found = [search.alone(size, repeats=1) for size in (1_000, 4_000)]
    assert [each.recordings for each in found] == [1_000, 4_000]
    assert all(each.milliseconds > 0 and each.filtered > 0 and each.mb > 0 for each in found)
    page = search.page("One", 50, [search.Search(1_000_000, 80, 90, 40, 700)])
    assert "| 1,000,000 | 80.0 | 90.0 | 40.0 | 2.00 | 700 |" in page
    assert "costs 80 ns of each search and 700 bytes of memory" in page
    assert "12 times a second" in page
    assert "at about 620,000\nrecordings" in page


def test_programs_are_asked_about_the_same_files(tmp_path):
    paths = field.in_formats(tmp_path)
    for name in ("fifteen", "librosa"):
        said, most_mb = field.asked(name, sys.executable, [paths[0], tmp_path / "missing.wav"])
        assert said[0]["bpm"] == pytest.approx(124, rel=0.04)
        assert 0 <= field.key_of(said[0]) < 24
        assert said[0]["milliseconds"] > 0
        assert said[1]["error"]
        assert 50 < most_mb < 3_000
    assert field.asked("nobody", sys.executable, paths[:1]) == ([{"error": "status 1"}], 0)


def test_the_field_is_measured_by_what_was_said():
    said = [
        {"bpm": 100, "key": ["C", "major"], "lufs": -10, "energy": 0.1},
        {"bpm": 62, "key": ["Ab", "minor"], "lufs": -12, "energy": 0.5},
        {"bpm": None, "key": None, "lufs": None, "energy": 0.9},
    ]
    bpm, key = np.array([101.0, 124, 90]), np.array([0, 11, 5])
    figures = field.rhythm_figures(said, bpm, key, np.array([-10.5, -12.5, -9]))
    assert figures["accuracy1"] == pytest.approx(1 / 3)
    assert figures["accuracy2"] == pytest.approx(2 / 3)
    assert figures["key"] == pytest.approx(1 / 3)
    assert figures["key_score"] == pytest.approx((1 + 0.3) / 3)
    assert figures["loudness"] == pytest.approx(0.5)
    rows = [{f"spotify_{name}": each for name in field.LEARNED} for each in ("0.1", "0.4", "0.9")]
    learned = field.learned_figures(said, rows)
    assert learned == {"energy": pytest.approx(1), "energy_error": pytest.approx(0.1 / 3)}
    assert field.drawn(9, 3) == field.drawn(9, 3) == sorted(field.drawn(9, 3))


def test_the_page_of_the_field_names_what_is_missing():
    ours = dict.fromkeys(field_page.ROWS, 0.5) | {"formats": [True] * len(signals.ENCODINGS)}
    theirs = {"energy": 0.25, "formats": [False] * len(signals.ENCODINGS)}
    found = field_page.Field({"fifteen": ours, "vibenet": theirs}, 9, 5, 7, field.PROGRAMS)
    page = field_page.page(found, "one processor", 3)
    assert "| energy: rank correlation with Spotify's | 0.50 | 0.25 |" in page
    assert "| tempo: within 4 % | 0.50 | - |" in page
    assert "| webm | yes | no |" in page
    assert "9 clips of GTZAN" in page
    assert "seed 3" in page


def test_live_connections_are_measured_and_their_figures_written(process):
    (found,) = live.costs(process, 5, 2, 1, paced=True, formats=("webm",))
    assert found.post > 0
    assert found.live > 0
    assert found.paced > 0
    costly = live.Cost("wav", 15, 40, 70, None)
    block = live.figures("One", [live.Cost("webm", 15, 80, 100, 96), costly])
    assert "| webm | 15 | 80 | 1.25 | 1.20 |" in block
    assert "| wav | 15 | 40 | 1.75 | - |" in block
    assert "1 of 2 rows have a figure above 1.5." in block
    page = (ROOT / "docs" / "LIVE.md").read_text()
    assert block in live.with_figures(page, block)


def test_the_parts_of_the_answer_are_measured_and_their_page_written(recordings):
    (found,) = answer.costs({"m4a": recordings["m4a"]}, 10, 2, 1)
    assert 0 < found.bare < found.whole
    assert found.loudness > 0
    assert found.music > 0
    page = answer.page("One", [answer.Cost("mp3", 39, 30, 5, 4), answer.Cost("m4a", 42, 30, 5, 6)])
    assert "| mp3 | 39.0 | 30.0 | 1.30 | 5.0 | 4.0 |" in page
    assert "together: 1.35 times; the limit is 1.35 (reached).\n1 of 2 formats are above it" in page
    assert "may take 5 ms:\n1 of 2 formats" in page


def test_the_service_without_the_three_answers_the_rest(process, recordings):
    with serving(module=answer.BARE) as bare:
        whole, rest = (
            httpx.post(f"{each.url}/v1/analyze", files={"file": recordings["m4a"]}).json()
            for each in (process, bare)
        )
    assert whole["tempo"]
    assert rest["tempo"] is rest["key"] is rest["loudness"]["integrated_lufs"] is None
    for name in ("genres", "emotion", "verdict", "audio"):
        assert rest[name] == whole[name]


@pytest.fixture(scope="module")
def recordings():
    return cost.clips()


@pytest.fixture(scope="module")
def files(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for name, data in recordings.items():
        (folder / f"clip.{name}").write_bytes(data)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def window(recordings):
    return audio.windows(audio.decode(recordings["mp3"]).waveform)[0]


def test_the_best_known_parts_cost_less_than_the_whole(recordings):
    whole = cost.stages(recordings["mp3"], 5).total
    assert 0 < parts.best_known(recordings["mp3"], 5) < whole


def test_alternatives_are_measured_and_named(recordings, window):
    tried = [
        *alternatives.decoders(recordings, REPEATS),
        *alternatives.resamplers(REPEATS),
        *alternatives.spectrograms(window, REPEATS),
        *alternatives.networks(window, REPEATS),
        *alternatives.imports(1),
    ]
    assert len({(each.what, each.instead_of) for each in tried}) == len(tried) == 14
    assert all(0.05 < each.times < 100 for each in tried)


def test_ffmpeg_and_libsndfile_decode_like_the_service(recordings):
    data = recordings["mp3"]
    ours = audio.log_mel(audio.windows(audio.decode(data).waveform))
    for other in (alternatives.resampled_by_ffmpeg, alternatives.through_libsndfile):
        theirs = audio.log_mel(audio.windows(other(data)))
        assert np.abs(theirs - ours).mean() < 0.5  # dB; FFmpeg mixes 3 dB louder


def test_a_rival_answers(files):
    with measures.rival("baseline", workers=1) as url:
        probabilities = httpx.post(
            f"{url}/v1/analyze", files={"file": files[1].read_bytes()}, timeout=60
        ).json()
    assert sum(probabilities["genres"]) == pytest.approx(1, abs=1e-5)


def test_the_same_network_has_the_weights_of_the_shipped_one():
    """By shape: names of modules may change between a release and the next."""
    shipped = [tuple(each.dims) for each in onnx.load(alternatives.SHIPPED).graph.initializer]
    ours = [
        tuple(each.shape)
        for name, each in same_network().named_parameters()
        if each.dim() > 1 and "to_targets" not in name
    ]
    assert len(ours) > 20
    assert not Counter(ours) - Counter(shipped)


def test_load_is_answered_or_refused(process, files):
    closed = load.closed(process.url, files, clients=2, seconds=0.5)
    assert closed.latencies
    assert closed.rate > 0
    assert not closed.failed
    too_much = load.offered(process.url, files, rate=100, seconds=1, arrivals="random")
    assert not too_much.failed
    assert len(too_much.latencies) + len(too_much.refused) == 100
    assert too_much.refused
    assert too_much.percentile(99) >= too_much.percentile(50) > 0


def test_a_connection_that_fails_is_counted(files):
    nobody = load.offered("http://127.0.0.1:9", files, rate=10, seconds=0.3)
    assert len(nobody.failed) == 3


def test_memory_and_cost_are_watched(process, files):
    grown = measures.growth(process, requests=20)
    assert grown.late_mb >= 50
    assert measures.by_length(process, repeats=20, lengths=(5, 15)).keys() == {5, 15}
    assert measures.by_clients(process, files, 0.5, counts=(1, 2))[2] > 0


def test_preparing_is_measured():
    dataset = preparing.preparing(5, seconds=4)
    assert dataset.decoded > dataset.whole > 1


@pytest.mark.parametrize(
    ("value", "better", "verdict"),
    [
        (1, "<=", "aim reached"), (1.5, "<=", "reached"), (2.5, "<=", "missed"),
        (float("nan"), "<=", "missed"), (2.5, ">=", "aim reached"), (0.9, ">=", "missed"),
    ],
)  # fmt: skip
def test_a_figure_is_compared_with_its_targets(value, better, verdict):
    must, aim = (2, 1) if better == "<=" else (1, 2)
    assert Figure("name", value, "x", must, aim, better).row().endswith(f"| {verdict} |")


def test_measurements_take_turns():
    called = []

    def measure(name, values):
        def measured():
            called.append(name)
            return values[called.count(name) - 1]

        return measured

    found = {"a": measure("a", [1, 9, 2]), "b": measure("b", [(1, 2), (3, 4), (8, 9)])}
    medians = measures.in_rounds(found, 3)
    assert called == ["a", "b"] * 3
    assert medians["a"] == 2
    assert tuple(medians["b"]) == (3, 4)


def test_the_page_has_the_ratios():
    page = performance.page(
        Measured(
            machine="One",
            stages={"mp3": Stages(20, 5, 5)},
            requests={"mp3": 36},
            best_known={"mp3": 20},
            rates={
                ("service", 1): 25, ("service", 2): 30, ("baseline", 1): 5, ("baseline", 2): 3,
                ("service without WebM", 1): 30, ("essentia", 1): 20,
                **{(layout, 1): 12.5 for layout in measures.LAYOUTS},
            },
            sustained=Sustained(25, (0.1, 0.2), (0.1, 0.5), 20, 7, 300),
            start_seconds=1,
            ready_mb=180,
            growth=Growth(100, 200, 203),
            at_rest=AtRest(4_000, 260),
            preparing=Preparing(600, 80),
            by_length={15: 30.0},
            by_clients={1: 36.0},
            tried=[Tried("this", "that", 1.25, "more")],
        )
    )  # fmt: skip
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert [row[1] for row in rows[2:14]] == [
        "1.2 x", "1.5 x", "6 x", "1.5 x", "2 x", "5 x", "0.8 x", "1 s", "300 MB", "1.5 %",
        "260 MB", "600 x real time",
    ]  # fmt: skip
    assert "| this | that | 1.25 | more |" in page
    assert all(f"| {layout} | 0.50 |" in page for layout in measures.LAYOUTS)
    assert "| service | 2 | 30.0 |" in page


def test_a_figure_measured_again_replaces_its_row_alone():
    figure = Figure("memory", 301.0, "MB", 450, 300)
    page = (
        "| rate | 3 x | at most 4, aim 2 | reached |\n| memory | unknown |\n| memory of two | 1 |\n"
    )
    changed = with_figure(page, figure).splitlines()
    assert changed == [page.splitlines()[0], figure.row(), page.splitlines()[2]]
    with pytest.raises(ValueError, match="not enough values"):
        with_figure("| rate | 3 x |\n", figure)
