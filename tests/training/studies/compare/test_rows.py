from pathlib import Path

import pytest

from training.studies.compare.backbone import BACKBONES
from training.studies.compare.elsewhere import ELSEWHERE
from training.studies.compare.features import FEATURES
from training.studies.compare.neural import Classifier
from training.studies.compare.results import path_of
from training.studies.compare.rows import ROWS, SECTIONS


def test_every_row_has_another_file():
    assert len({path_of(row, Path()) for row in ROWS}) == len(ROWS)


def test_rows_are_in_the_order_of_their_sections():
    assert [row.section for row in ROWS] == sorted(row.section for row in ROWS)
    assert {row.section for row in ROWS} == set(range(1, len(SECTIONS) + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: path_of(row, Path()).stem)
def test_a_row_names_existing_features(row):
    known = FEATURES.keys() | ELSEWHERE.keys() | set(BACKBONES)
    assert set(row.features) | set(row.task.needs) <= known
    if isinstance(row.model, Classifier):
        assert len(row.model.towers) in {1, len(row.features)}
        assert not row.task.folds  # nothing there to stop by
