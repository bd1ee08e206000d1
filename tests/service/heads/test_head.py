import json

import numpy as np
import pytest

from service import audio
from service.analysis import analyze
from service.heads import HeadError, OtherSpaceError, UnknownHeadError, load_heads, read_head
from service.heads.head import reference_of
from service.model import Model, load_models
from tests.service import tiny
from tests.service.heads.samples import loud_vector, write_head
from tools import signals


@pytest.fixture
def models(tiny_models):
    return load_models(tiny_models)


@pytest.fixture
def head(tmp_path, tiny_model):
    return read_head(write_head(tmp_path, tiny_model))


def test_a_head_reads_its_labels_from_the_vector(head, tiny_model):
    centre = loud_vector(tiny_model)
    for vector, label in ((centre, "loud"), (-centre, "soft")):
        labels, found = head.judge(vector.tolist())
        assert (labels[0].label, found.label) == (label, label)
        assert labels[0].probability > 0.9
        assert sum(each.probability for each in labels) == pytest.approx(1, abs=1e-4)
        assert found.distance <= found.limit
        assert found.digest == head.digest


def test_what_is_far_from_all_labels_is_none_of_these(head, tiny_model):
    centre = loud_vector(tiny_model)
    across = np.roll(centre, 1)
    across -= (across @ centre) * centre
    labels, found = head.judge((across / np.linalg.norm(across)).tolist())
    assert found.label is None
    assert found.distance == pytest.approx(1, abs=0.05)
    assert found.limit < found.distance
    assert len(labels) == 2
    _, found = head.judge(centre.tolist(), silent=True)
    assert found.label is None


def test_an_analysis_has_the_labels_of_a_head(head, tiny_model, clips):
    plain = analyze(clips["wav"], tiny_model)
    assert plain.labels is plain.head is None
    answer = analyze(clips["wav"], tiny_model, head=head)
    assert answer.embedding is None
    vector = analyze(clips["wav"], tiny_model, embedding=True).embedding.values
    assert (answer.labels, answer.head) == head.judge(vector)


def test_silence_has_none_of_the_labels(tmp_path, tiny_model):
    head = read_head(write_head(tmp_path, tiny_model, limit=2))
    assert (
        analyze(signals.wav(np.zeros(5 * 22_050), 22_050), tiny_model, head=head).head.label is None
    )


def test_the_reference_of_a_space_is_the_embedding_of_the_reference_recording(tiny_model):
    scores = tiny_model.score(audio.log_mel(audio.reference_windows()))
    mean = scores.embedding.mean(axis=0)
    np.testing.assert_allclose(
        reference_of(tiny_model.card), mean / np.linalg.norm(mean), atol=1e-3
    )


def test_a_head_belongs_to_the_network_and_not_only_to_its_name(head, tiny_model, bare_models):
    assert head.belongs_to(tiny_model)
    card = tiny_model.card
    answer = [*card.reference_answer[:-1], card.reference_answer[-1] + 1]
    for changes in (
        {"embedding": tiny.SPACE.model_copy(update={"space": "tiny-6"})},
        {"reference_answer": answer},
        {"embedding": tiny.SPACE.model_copy(update={"dimensions": 64})},
    ):
        tiny_model.card = card.model_copy(update=changes)
        assert not head.belongs_to(tiny_model)
    with pytest.raises(OtherSpaceError, match="belongs to the space tiny-5"):
        head.require(tiny_model)
    assert not head.belongs_to(Model(bare_models / "tiny.onnx"))


def test_the_heads_of_a_folder_are_loaded(tmp_path, tiny_model, models):
    write_head(tmp_path, tiny_model, "one")
    write_head(tmp_path, tiny_model, "two")
    heads = load_heads(tmp_path, models)
    assert [head.card.name for head in heads] == ["one", "two"]
    assert heads["two"].card.name == "two"
    with pytest.raises(UnknownHeadError, match="There is no head three"):
        heads["three"]
    assert list(load_heads(None, models)) == []


def test_a_head_of_another_space_is_refused(tmp_path, tiny_model, model):
    write_head(tmp_path, tiny_model)
    with pytest.raises(HeadError, match="its space is tiny-5, and the installed models have"):
        load_heads(tmp_path, [model])


def changed(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"labels": ["loud", "loud"]},
        {"labels": ["loud", "soft", "other"]},
        {"weights": [[0.0]]},
        {"bias": ["a", 1]},
        {"bias": [float("nan"), 1]},
        {"limit": float("inf")},
        {"centres": [[1.0], [1.0, 2.0]]},
        {"name": "../mine"},
        {"more": 1},
    ],
)
def test_another_file_is_refused(tmp_path, tiny_model, models, changes):
    changed(write_head(tmp_path, tiny_model), **changes)
    with pytest.raises(HeadError, match=r"mine\.json is not a head"):
        load_heads(tmp_path, models)


def test_what_is_no_head_is_refused(tmp_path, tiny_model, models):
    with pytest.raises(HeadError, match="does not exist"):
        load_heads(tmp_path / "missing", models)
    (tmp_path / "x.json").write_bytes(b"\xff[")
    with pytest.raises(HeadError, match=r"x\.json is not a head"):
        load_heads(tmp_path, models)
    (tmp_path / "x.json").unlink()
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(HeadError, match="cannot be read"):
        load_heads(tmp_path, models)


def test_two_heads_of_a_name_are_refused(tmp_path, tiny_model, models):
    file = write_head(tmp_path, tiny_model)
    file.with_name("copy.json").write_bytes(file.read_bytes())
    with pytest.raises(HeadError, match=r"Two files in .* are the head mine"):
        load_heads(tmp_path, models)
