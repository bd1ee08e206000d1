import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from service import audio
from service.card import Card
from service.model import Model
from tests.training.conftest import CARD_TEXT, CONFIG
from training.__main__ import parser
from training.evaluation.evaluate import read_evaluation
from training.fit.config import ConfigError
from training.fit.run import load
from training.release.card import build_card, read_card_text

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def card(exported):
    return Model(exported).card


def test_the_card_counts_the_data(card):
    assert card.data.tracks == {"train": 25, "valid": 8, "test": 8}
    assert card.data.genres["jazz"] == {"train": 6, "valid": 2, "test": 2}
    assert card.data.windows == {"train": 50, "valid": 16, "test": 16}
    assert card.data.made == {"house": 4, "not_music": 10}


def test_the_card_has_the_configuration(card):
    assert (card.network.members, card.network.seed) == (CONFIG.folds, CONFIG.seed)
    assert card.network.config["head.epochs"] == CONFIG.head.epochs
    assert card.network.config["folds"] == CONFIG.folds
    assert card.network.config["student.width"] == CONFIG.student.width
    assert card.network.parameters > CONFIG.folds * CONFIG.student.features * CONFIG.head.hidden
    assert card.emotions == ["energy"]
    assert set(card.intervals) == set(card.emotions)
    assert card.front_end == audio.front_end()


def test_the_card_names_features_and_the_space_of_the_embedding(card):
    assert card.features == ["acousticness", "instrumentalness", "liveness", "speechiness"]
    assert card.embedding.space == "tiny-7"
    assert card.embedding.dimensions == CONFIG.student.features  # fewer than the most


def test_the_card_counts_the_parameters_that_are_in_the_file(card, dataset, fixed_run):
    network = load(dataset, fixed_run)[0]
    with_outputs = sum(each.numel() for each in network.parameters())
    unused = len(network.student.to_targets.bias) - len(card.features)
    assert card.network.parameters == with_outputs - unused * (CONFIG.student.features + 1)


def test_the_card_has_the_evaluation_and_its_corpus(card, dataset, runs):
    evaluation = read_evaluation(runs)
    assert card.figures == evaluation.figures
    assert card.percentiles == evaluation.percentiles
    assert card.corpus == dataset.corpus_digest


def test_the_reference_answer_has_all_outputs(card):
    widths = [len(card.genres), len(card.emotions), 2, len(card.features)]
    assert len(card.reference_answer) == sum(widths) + card.embedding.dimensions
    assert sum(card.reference_answer[: len(card.genres)]) == pytest.approx(1, abs=1e-4)


def test_a_recipe_without_a_card_is_an_error(tmp_path):
    (tmp_path / "tiny.toml").write_text("[training]\nseed = 1\n")
    with pytest.raises(ConfigError, match="card is missing"):
        read_card_text(tmp_path / "tiny.toml")


def test_a_value_that_a_card_does_not_allow_is_an_error(dataset, runs, fixed_run, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(CARD_TEXT.replace('"tiny"', '"My Model"'))
    text, evaluation = read_card_text(path), read_evaluation(runs)
    with pytest.raises(ConfigError, match="table card, name: "):
        build_card(dataset, load(dataset, fixed_run), evaluation, text, np.zeros(7))


def descriptions(schema):
    """Every description in a JSON schema."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "description" and isinstance(value, str):
                yield value
            yield from descriptions(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from descriptions(value)


def test_the_card_s_schema_names_modules_that_exist():
    text = " ".join(descriptions(Card.model_json_schema()))
    names = re.findall(r"`(training(?:\.\w+)+)`", text)
    assert names
    assert all(importlib.util.find_spec(name) for name in names)


def test_the_commands_of_the_documentation_are_complete():
    """`make train` has the same arguments; `parse_args` exits if one is missing."""
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"-m training ([\w-]+[^&\n]*?)\)?(?: && \\)?$", makefile, re.MULTILINE)
    assert [command.split()[0] for command in commands] == [
        "prepare",
        "train",
        "evaluate",
        "export",
        "report",
        "prepare",
        "distill",
    ]
    for command in commands:
        parser().parse_args(shlex.split(command.replace("$(", "").replace("$$", "")))
