import json
import math
import os

import numpy as np
import pytest

from service.__main__ import main
from service.card import EmbeddingSpace
from service.library.search import (
    Filters,
    LibraryError,
    check_library,
    feature_range,
    read_vectors,
)
from tools import signals

SPACE = EmbeddingSpace(space="tiny-5", dimensions=3)


def record(path, values=(1.0, 0.0, 0.0), space="tiny-5", genre="house", mood=None, **features):
    found = None if values is None else {"space": space, "values": list(values)}
    analysis = {"genre": genre, "mood": mood, "features": features, "embedding": found}
    return json.dumps({"path": path, "analysis": analysis}) + "\n"


def names(vectors, vector=(1, 0, 0), count=9, **options):
    """The paths of the nearest, in order, and how many were compared."""
    found, compared = vectors.nearest(np.float32(vector), count, **options)
    return [each.path for each in found], compared


@pytest.fixture
def library(tmp_path):
    """Write lines to a file."""

    def write(*lines):
        path = tmp_path / "library.jsonl"
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write


def test_the_nearest_come_first(library):
    path = library(
        record("/far", (0, 1, 0)), record("/near", (0.8, 0.6, 0)), record("/opposite", (-1, 0, 0))
    )
    vectors = read_vectors(path, SPACE)
    found, compared = vectors.nearest(np.float32([1, 0, 0]), 2, path="/other")
    assert [each.path for each in found] == ["/near", "/far"]
    assert [each.cosine for each in found] == pytest.approx([0.8, 0])
    assert compared == 3


def test_a_recording_is_not_similar_to_itself(library):
    path = library(record("/a"), record("/b", (0.6, 0.8, 0)), record("/c"))
    vectors = read_vectors(path, SPACE)
    for name, others in {"/a": ["/c", "/b"], "/c": ["/a", "/b"], "/x": ["/a", "/c"]}.items():
        assert names(vectors, count=2, path=name)[0] == others


def test_the_search_is_exact(library):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 3)).astype(np.float32)
    values[::7] = values[0]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    path = library(*(record(str(place), each.tolist()) for place, each in enumerate(values)))
    vectors = read_vectors(path, SPACE)
    for count in (1, 10, 50, 300, 500):
        order = np.argsort(-(vectors.values @ values[0]), kind="stable")[:count]
        assert names(vectors, values[0], count)[0] == [str(place) for place in order]


FILTERED = {
    "all": Filters(),
    "ab": Filters(genres=["house"]),
    "abc": Filters(genres=["house", "jazz"]),
    "": Filters(genres=["joyful"]),
    "ac": Filters(moods=["joyful"]),
    "a": Filters(["house"], ["joyful"]),
    "b": Filters(features=[feature_range("energy:0.5..")]),
    "bc": Filters(features=[feature_range("energy:0.2..0.9")]),
    "c": Filters(features=[feature_range("energy:..0.9"), feature_range("tempo:90..90")]),
}


@pytest.mark.parametrize("expected", FILTERED)
def test_filters_choose_what_is_compared(library, expected):
    path = library(
        record("a", (0, 1, 0), mood="joyful", energy=None),
        record("b", (0.6, 0.8, 0), energy=0.9, tempo=120),
        record("c", (1, 0, 0), genre="jazz", mood="joyful", energy=0.2, tempo=90),
        record("d", (-1, 0, 0), genre="rap", mood="tense"),
    )
    wanted = sorted("abcd" if expected == "all" else expected, key="cbad".index)
    vectors = read_vectors(path, SPACE)
    assert names(vectors, filters=FILTERED[expected]) == (wanted, len(wanted))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("energy:.5...75", 0.5, 0.75),
        ("energy:...5", -math.inf, 0.5),
        ("energy:5...", 5, None),
        ("loudness:-10.5..-.5", -10.5, -0.5),
        ("tempo:120..", 120, math.inf),
    ],
)
def test_the_ends_of_a_range_are_numbers_of_any_form(text, low, high):
    if high is None:
        with pytest.raises(ValueError, match="numbers"):
            feature_range(text)
        return
    found = feature_range(text)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    "text", ["energy", "energy:1", "energy:a..b", "energy:1..2..3", "energy:1.2.3..", "louder:1..2",
             "energy:-..1", "energy: 0..1", ""],
)  # fmt: skip
def test_another_range_is_refused(text):
    with pytest.raises(ValueError, match="range"):
        feature_range(text)


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["/m/a/1.mp3", "/m/b/2.mp3"], "/m"),
        (["/m/a/1.mp3", "/m/a/2.mp3"], "/m/a"),
        (["/m/a/1.mp3"], "/m/a"),
        (["/1.mp3", "/m/2.mp3"], "/"),
    ],
)
def test_the_folder_of_a_library(library, paths, folder):
    assert read_vectors(library(*map(record, paths)), SPACE).folder() == folder


def test_a_library_is_checked_by_its_first_embedding(library, tmp_path):
    check_library(library(record("/a", None), record("/b"), "no record\n"), SPACE)
    with pytest.raises(LibraryError, match="run analyze with --embedding true"):
        check_library(library(record("/a", None)), SPACE)
    with pytest.raises(LibraryError, match="cannot be read"):
        check_library(tmp_path / "missing.jsonl", SPACE)


def test_records_without_an_embedding_of_the_space_are_left_out(library):
    path = library(
        record("/a"),
        record("/b", None),
        record("/c", space="tiny-4"),
        record("/d", (1, 0)),
        json.dumps({"path": "/e", "analysis": None}) + "\n",
    )
    vectors = read_vectors(path, SPACE)
    assert (vectors.paths, vectors.left_out) == (["/a"], 4)


def test_a_record_that_is_not_complete_is_ignored(library):
    path = library(record("/a"), record("/b")[:-20])
    assert read_vectors(path, SPACE).paths == ["/a"]


@pytest.mark.parametrize(
    "content", ["path,size_bytes\n", "[]\n", "{}\n", '{"analysis": 1}\n', "\n", "[" * 10**5 + "\n"]
)
def test_another_file_is_an_error(library, content):
    with pytest.raises(LibraryError, match="is not a"):
        read_vectors(library(content), SPACE)


@pytest.mark.parametrize(
    "line",
    [
        record(5),
        record("/a", (float("nan"), 0, 0)),
        record("/a", (float("inf"), 0, 0)),
        record("/a", (1e300, 0, 0)),
        record("/a", (3, 4, 0)),
        record("/a", ("x", 0, 0)),
        record("/a", genre=["house"]),
        record("/a", mood=1),
        record("/a", energy="loud"),
        record("/a").replace('"features": {}', '"features": [1]'),
    ],
)
def test_a_damaged_record_is_an_error_before_a_search_finds_it(library, line):
    with pytest.raises(LibraryError, match="is not a"):
        read_vectors(library(record("/whole"), line), SPACE)


def test_a_library_without_embeddings_or_without_a_file_is_an_error(library, tmp_path):
    with pytest.raises(LibraryError, match="run analyze with --embedding true"):
        read_vectors(library(record("/a", None)), SPACE)
    with pytest.raises(LibraryError, match="cannot be read: No such file"):
        read_vectors(tmp_path / "missing.jsonl", SPACE)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A folder with a groove, the same in another format, and something else."""
    folder = tmp_path_factory.mktemp("music")
    groove = signals.groove(5, 44_100)
    (folder / "groove.wav").write_bytes(signals.wav(groove, 44_100))
    (folder / "groove.mp3").write_bytes(signals.encode(groove, 44_100, "mp3"))
    (folder / "sine.wav").write_bytes(signals.wav(0.5 * signals.sine(5), 22_050))
    return folder


@pytest.mark.slow
def test_the_commands_find_the_same_sound_in_another_format(music, tiny_models, tmp_path, capsys):
    common = ["--models", os.fspath(tiny_models), "--model", "tiny"]
    library, groove = tmp_path / "library.jsonl", os.fspath(music / "groove.wav")
    command = ["analyze", os.fspath(music), "--output", os.fspath(library), "--jobs", "1", *common]
    assert main(command) == 0
    assert main(["similar", os.fspath(library), groove, *common]) == 2
    assert "run analyze with --embedding true" in capsys.readouterr().err
    assert main([*command, "--embedding", "true"]) == 0  # the records are renewed
    assert len(library.read_text().splitlines()) == 3
    assert "3 recordings analysed" in capsys.readouterr().err

    missing = os.fspath(music / "missing.mp3")
    assert main(["similar", os.fspath(library), groove, missing, "--count", "1", *common]) == 1
    captured = capsys.readouterr()
    name, first = captured.out.splitlines()
    assert name == groove
    cosine, other = first.split(maxsplit=1)
    assert other == os.fspath(music / "groove.mp3")
    assert float(cosine) > 0.99
    assert captured.err == f"fifteen: {missing}: No such file or directory.\n"

    beside = os.fspath(music / "nowhere" / ".." / "groove.wav")  # itself, in other words
    (music / "nowhere").mkdir()
    assert main(["similar", os.fspath(library), beside, "--count", "1", *common]) == 0
    assert capsys.readouterr().out.splitlines()[1] == first

    genre = json.loads(library.read_text().splitlines()[0])["analysis"]["genre"]
    filtered = ["similar", os.fspath(library), groove, *common]
    assert main([*filtered, "--genre", genre, "--feature", "duration_ms:9000.."]) == 0
    assert capsys.readouterr().out.splitlines() == [groove]


def test_a_model_without_embedding_refuses_both_commands(music, library, bare_models, capsys):
    sine = os.fspath(music / "sine.wav")
    bare = ["--models", os.fspath(bare_models), "--model", "tiny"]
    assert main(["analyze", sine, "--embedding", "true", "--jobs", "1", *bare]) == 2
    assert main(["similar", os.fspath(library(record("/a"))), sine, *bare]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.endswith("of the model tiny has no embedding.") for line in lines)


def test_a_malformed_range_is_refused(music, library, tiny_models, capsys):
    command = ["similar", os.fspath(library(record("/a"))), os.fspath(music / "sine.wav")]
    command += ["--models", os.fspath(tiny_models), "--model", "tiny"]
    assert main([*command, "--feature", "energy:high"]) == 2
    assert "--feature: a range is written as NAME:LOW..HIGH" in capsys.readouterr().err
    assert main([*command, "--mood", "glad"]) == 2
    assert "FIFTEEN_MOOD" in capsys.readouterr().err


def test_a_table_cannot_contain_embeddings(music, tmp_path, capsys):
    output = os.fspath(tmp_path / "library.csv")
    assert main(["analyze", os.fspath(music), "--embedding", "true", "--output", output]) == 2
    assert "a CSV table cannot contain embeddings" in capsys.readouterr().err
