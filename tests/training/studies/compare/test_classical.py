from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.svm import SVC

from tests.training.studies.compare.samples import trial
from training.studies.compare.classical import (
    AsTheyAre,
    Classical,
    KMeansClusters,
    Regression,
    table,
)
from training.studies.compare.rows import ROWS

MODELS = {row.name: row.model for row in ROWS if type(row.model) is Classical}


def test_pictures_are_averaged_over_time():
    flat = table((np.ones((2, 3, 4), np.float16), np.zeros((2, 5))))
    np.testing.assert_array_equal(flat, np.repeat([[1.0] * 3 + [0.0] * 5], 2, axis=0))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_table_learns(name):
    case = trial((6,))
    answer = MODELS[name](case)
    assert (answer.label == case.test.label).mean() > 0.9
    assert answer.label.shape == case.test.label.shape


def test_the_repr_of_a_model_has_its_settings():
    assert repr(Classical(SVC(C=1))) != repr(Classical(SVC(C=10)))
    assert repr(Classical(SVC(C=1))) == repr(Classical(SVC(C=1)))
    assert " object at " not in "".join(map(repr, MODELS.values()))


def test_a_regression_ignores_cases_without_scores():
    case = trial((6,))
    scores = np.stack([case.train.inputs[0].sum(1), case.train.inputs[0][:, 0]], 1)
    scores[::2] = np.nan
    answer = Regression(Ridge())(replace(case, train=replace(case.train, scores=scores)))
    expected = case.test.inputs[0].sum(1)
    assert np.corrcoef(answer.scores[:, 0], expected)[0, 1] > 0.99


def test_scores_are_columns_as_they_are():
    case = trial((6,))
    answer = AsTheyAre((4, 1))(case)
    np.testing.assert_array_equal(answer.scores, case.test.inputs[0][:, [4, 1]])


def test_k_means_finds_the_classes():
    case = trial((4,))
    answer = KMeansClusters()(case)
    assert len(answer.elbow) == 10
    assert np.diff(answer.elbow).max() < 0
    assert answer.elbow[2] < 0.3 * answer.elbow[0]
    assert answer.label is None
    assert float(answer.note.rpartition(" ")[2]) > 0.9


def test_the_seed_determines_the_predictions():
    case = trial((6,))
    forest = MODELS["random forest"]
    same = [forest(replace(case, seed=seed)).label for seed in (1, 1)]
    np.testing.assert_array_equal(*same)
