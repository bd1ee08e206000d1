import json
import os
import sqlite3

import numpy as np
import pytest

from service import feedback
from service.__main__ import main
from service.feedback import Feedback, open_store
from service.heads import load_heads, read_head
from service.library import labelled
from service.model import Models
from tests.service.heads.samples import loud_vector, write_head

RNG = np.random.default_rng(0)


def word(number, label="soft", head="mine", vector=None, space="tiny-5", sender=None):
    vector = RNG.normal(size=128) if vector is None else vector
    unit = tuple((np.asarray(vector) / np.linalg.norm(vector)).tolist())
    created = f"2026-03-01T00:00:{number:02}+00:00"
    return Feedback(f"id-{number}", created, head, label, None, sender, space, unit)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "feedback.sqlite"


@pytest.fixture
def filled(file):
    """A store, and a function that adds words to it."""
    store = open_store(file, create=True)

    def fill(*words):
        for each in words:
            store.add(each)
        return store

    return fill


def run(capsys, *arguments, status=0):
    assert main(list(map(os.fspath, arguments))) == status
    return capsys.readouterr()


def test_the_operator_counts_exports_and_deletes(capsys, file, filled):
    filled(word(1, sender="ann"), word(2, label="laut ☃", sender="bob"), word(3, sender="bob"))
    common = ["--feedback", file]
    assert run(capsys, "feedback", "count", *common).out == "3\n"
    lines = run(capsys, "feedback", "export", *common).out.splitlines()
    entries = [json.loads(line) for line in lines]
    assert [each["id"] for each in entries] == ["id-1", "id-2", "id-3"]
    assert entries[1]["label"] == "laut ☃"
    assert entries[0].keys() == Feedback.__dataclass_fields__.keys()
    assert np.linalg.norm(entries[0]["vector"]) == pytest.approx(1, abs=1e-6)
    assert run(capsys, "feedback", "delete", *common, "--id", "id-9").out == "0 deleted\n"
    assert run(capsys, "feedback", "delete", *common, "--sender", "bob").out == "2 deleted\n"
    assert run(capsys, "feedback", "delete", *common, "--everything", "true").out == "1 deleted\n"
    assert run(capsys, "feedback", "count", *common).out == "0\n"


def test_the_setting_of_the_service_names_the_file(capsys, file, filled, monkeypatch):
    filled(word(1))
    monkeypatch.setenv("FIFTEEN_FEEDBACK", os.fspath(file))
    assert run(capsys, "feedback", "count").out == "1\n"


def test_refusals_are_one_line(capsys, file, tmp_path, filled, monkeypatch):
    common = ["--feedback", file]
    for arguments, message in (
        (["count", "--feedback", tmp_path / "missing"], "cannot be used for feedback"),
        (["count"], "FIFTEEN_FEEDBACK"),
        (["delete", *common], "name what to delete"),
        (["delete", *common, "--id", "x", "--everything", "true"], "name what to delete"),
        (["count", *common, "--id", "x"], "only `delete` takes"),
    ):
        err = run(capsys, "feedback", *arguments, status=2).err
        assert message in err
        assert err.count("\n") == 1
    filled(word(1))
    monkeypatch.setattr(feedback, "BUSY_SECONDS", 0.1)
    with sqlite3.connect(file) as other:
        other.execute("BEGIN IMMEDIATE")
        arguments = ["feedback", "delete", *common, "--everything", "true"]
        assert "locked" in run(capsys, *arguments, status=2).err
    other.close()
    (tmp_path / "text").write_text("hello" * 1_000)
    arguments = ["feedback", "count", "--feedback", tmp_path / "text"]
    assert "cannot be used" in run(capsys, *arguments, status=2).err
    assert (tmp_path / "text").read_text() == "hello" * 1_000


@pytest.fixture
def teach(capsys, tiny_models, tmp_path, file):
    def teach(*arguments, status=0):
        tiny = ["--models", tiny_models, "--model", "tiny", "--output", tmp_path / "mine.json"]
        return run(capsys, "teach", "--name", "mine", *tiny, *arguments, status=status)

    return teach


def sides(model, first=0, count=6, **more):
    """Words about two labels, as `write_head` teaches them but the other way round."""
    centre, words = loud_vector(model), []
    for place, (label, sign) in enumerate((("loud", -1), ("soft", 1))):
        for number in range(count):
            vector = sign * centre + RNG.normal(0, 0.03, len(centre))
            words.append(word(first + place * count + number, label, vector=vector, **more))
    return words


def test_a_head_is_replaced_only_by_the_operators_word(tmp_path, tiny_model, file, filled, teach):
    write_head(tmp_path, tiny_model)
    head, candidate = tmp_path / "mine.json", tmp_path / "mine.json.candidate"
    served = head.read_bytes()
    filled(*sides(tiny_model), *sides(tiny_model, 20, head=None))
    printed = teach("--feedback", file).out
    assert "12 of them are feedback" in printed
    assert "(before: 1.00)" in printed
    assert "1.00  of the feedback have the right label" in printed
    assert "0.00  of the feedback: the head before\n" in printed
    assert head.read_bytes() == served
    card = read_head(candidate).card
    assert (card.figures.feedback, card.figures.feedback_accuracy) == (12, 1.0)
    shown = candidate.read_bytes()
    assert "(before: 1.00)" in teach("--replace", "true").out
    assert head.read_bytes() == shown
    assert not candidate.exists()
    assert "cannot be read" in teach("--replace", "true", status=2).err
    assert head.read_bytes() == shown
    assert "some of it may have been taught" in teach("--feedback", file).out


def test_a_service_does_not_load_a_candidate(tmp_path, tiny_model, file, filled, teach):
    filled(*sides(tiny_model))
    teach("--feedback", file)
    assert not [*load_heads(tmp_path, Models([tiny_model]))]
    teach("--replace", "true")
    assert [each.card.name for each in load_heads(tmp_path, Models([tiny_model]))] == ["mine"]


def test_words_about_genres_are_taught_where_asked(tmp_path, tiny_model, file, filled, teach):
    filled(*sides(tiny_model, head=None))
    assert "There are no recordings" in teach("--feedback", file, status=2).err
    assert "12 of them are feedback" in teach("--feedback", file, "--genres", "true").out


def test_what_is_left_out_is_told(tmp_path, tiny_model, file, filled, teach):
    words = sides(tiny_model)
    filled(
        *words,
        word(30, "soft", space="tiny-4"),
        word(31, words[0].label, vector=words[0].vector),
        word(32, "loud", vector=(one := RNG.normal(size=128))),
        word(33, "soft", vector=one),
        word(34, "rare"),
    )
    told = teach("--feedback", file).err
    assert "1 words of feedback of another model" in told
    assert "1 words of feedback that say the same" in told
    assert "2 words of feedback that contradict" in told
    assert "1 words of feedback of labels with fewer than 5" in told
    assert read_head(tmp_path / "mine.json.candidate").card.figures.feedback == 12


def test_the_operators_recordings_are_right(tmp_path, filled, file, capsys):
    vectors = np.eye(128)[:5]
    own = [labelled.Labelled(tmp_path / str(n), "loud", str(n)) for n in range(5)]
    filled(word(1, "soft", vector=vectors[0]), word(2, "loud", vector=vectors[1]),
           word(3, "loud", vector=np.eye(128)[9]))  # fmt: skip
    said, words = labelled.in_feedback(file, "tiny-5", "mine", own, vectors.tolist())
    assert [each.group for each in said] == ["feedback/id-3"]
    assert np.allclose(words, np.eye(128)[9])
    assert "contradict" in capsys.readouterr().err


def test_sources_are_refused_that_do_not_go_together(teach, tmp_path, file):
    for arguments, message in (
        ([], "name a folder, a table with --from, or a file with --feedback"),
        (["--replace", "true", "--feedback", file], "teach first"),
        ([tmp_path, "--genres", "true"], "--genres is about --feedback"),
        (["--feedback", tmp_path / "missing.sqlite"], "cannot be used for feedback"),
    ):
        assert message in teach(*arguments, status=2).err
