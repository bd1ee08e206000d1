import json
import os

import numpy as np
import pytest

from service.__main__ import main
from service.card import EmbeddingSpace
from service.library.similar import LibraryError, read_vectors
from tools import signals

SPACE = EmbeddingSpace(space="tiny-5", dimensions=3)


def record(path, values=(1.0, 0.0, 0.0), space="tiny-5"):
    found = None if values is None else {"space": space, "values": list(values)}
    return json.dumps({"path": path, "analysis": {"embedding": found}}) + "\n"


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
    found = vectors.nearest(np.float32([1, 0, 0]), 2, "/other")
    assert [name for name, _ in found] == ["/near", "/far"]
    assert [cosine for _, cosine in found] == pytest.approx([0.8, 0])


def test_a_recording_is_not_similar_to_itself(library):
    path = library(record("/a"), record("/b", (0.6, 0.8, 0)), record("/c"))
    vectors = read_vectors(path, SPACE)
    for name, others in {"/a": ["/c", "/b"], "/c": ["/a", "/b"], "/x": ["/a", "/c"]}.items():
        assert [other for other, _ in vectors.nearest(np.float32([1, 0, 0]), 2, name)] == others


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
    assert "missing.mp3" in captured.err


def test_a_model_without_embedding_refuses_both_commands(music, library, bare_models, capsys):
    sine = os.fspath(music / "sine.wav")
    bare = ["--models", os.fspath(bare_models), "--model", "tiny"]
    assert main(["analyze", sine, "--embedding", "true", "--jobs", "1", *bare]) == 2
    assert main(["similar", os.fspath(library(record("/a"))), sine, *bare]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.endswith("of the model tiny has no embedding.") for line in lines)


def test_a_table_cannot_contain_embeddings(music, tmp_path, capsys):
    output = os.fspath(tmp_path / "library.csv")
    assert main(["analyze", os.fspath(music), "--embedding", "true", "--output", output]) == 2
    assert "a CSV table cannot contain embeddings" in capsys.readouterr().err
