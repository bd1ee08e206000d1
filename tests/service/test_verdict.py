import itertools

import numpy as np
import pytest

from service.card import Thresholds
from service.verdict import VERDICTS, decide, decide_all, margins, reason

THRESHOLDS = Thresholds(silence_dbfs=-60, music=0.5, known=0.4, margin=0.2)
SURE = {"peak_dbfs": -6, "music": 0.9, "known": 0.9, "genres": [0.1, 0.7, 0.2]}
FAILURES = {
    "silence": {"peak_dbfs": -80},
    "not_music": {"music": 0.1},
    "unknown_genre": {"known": 0.1},
    "mixed": {"genres": [0.1, 0.5, 0.4]},
}
"""Scores that cause each verdict except `confident`, in the order in which the rule tests them."""


def verdict_on(**scores):
    return decide(**(SURE | scores), thresholds=THRESHOLDS)


class TestDecide:
    def test_a_recording_that_passes_every_threshold_is_confident(self):
        assert verdict_on() == "confident"

    def test_every_verdict_is_reachable(self):
        reached = {verdict_on(**scores) for scores in ({}, *FAILURES.values())}
        assert reached == set(VERDICTS)

    @pytest.mark.parametrize("size", range(1, len(FAILURES) + 1))
    def test_the_first_threshold_that_fails_decides(self, size):
        for failed in itertools.combinations(FAILURES, size):
            scores = {name: value for each in failed for name, value in FAILURES[each].items()}
            assert verdict_on(**scores) == failed[0]

    @pytest.mark.parametrize(
        ("scores", "verdict"),
        [
            ({"peak_dbfs": -60}, "silence"),
            ({"peak_dbfs": -59.99}, "confident"),
            ({"music": 0.5}, "confident"),
            ({"music": 0.4999}, "not_music"),
            ({"known": 0.4}, "confident"),
            ({"known": 0.3999}, "unknown_genre"),
            ({"genres": [0.625, 0.375]}, "confident"),
            ({"genres": [0.5625, 0.4375]}, "mixed"),
        ],
    )
    def test_a_score_at_its_threshold_passes_and_a_peak_at_its_threshold_is_silence(
        self, scores, verdict
    ):
        assert verdict_on(**scores) == verdict

    def test_a_margin_at_its_threshold_passes(self):
        exact = THRESHOLDS.model_copy(update={"margin": 0.25})
        assert decide(**(SURE | {"genres": [0.625, 0.375]}), thresholds=exact) == "confident"

    def test_the_order_of_the_genres_does_not_matter(self):
        orders = itertools.permutations([0.1, 0.5, 0.4])
        assert {verdict_on(genres=order) for order in orders} == {"mixed"}

    def test_a_single_genre_is_never_mixed(self):
        assert verdict_on(genres=[1.0]) == "confident"


class TestDecideAll:
    def test_many_recordings_get_the_same_verdicts_as_each_alone(self):
        rng = np.random.default_rng(0)
        peaks, music, known = rng.uniform(-90, 0, 500), *rng.uniform(0, 1, (2, 500))
        genres = rng.dirichlet([0.5] * 9, 500)
        together = decide_all(peaks, music, known, genres, THRESHOLDS)
        alone = [
            decide(*scores, THRESHOLDS) for scores in zip(peaks, music, known, genres, strict=True)
        ]
        assert [VERDICTS[place] for place in together] == alone
        assert set(alone) == set(VERDICTS)

    def test_no_recordings_give_no_verdicts(self):
        assert decide_all([], [], [], np.empty((0, 9)), THRESHOLDS).shape == (0,)

    def test_the_precision_of_a_score_does_not_matter(self):
        threshold = THRESHOLDS.model_copy(update={"known": 0.7})  # not exact in float32
        known = np.float32([0.7])
        single, double = (
            decide_all([0], [1], scores, [[1]], threshold).tolist()
            for scores in (known, known.astype(np.float64))
        )
        assert single == double


class TestMargins:
    def test_margins_of_many_recordings(self):
        assert margins([[0.1, 0.7, 0.2], [0.5, 0.5, 0]]).tolist() == pytest.approx([0.5, 0])

    def test_the_margin_of_a_single_genre_is_its_probability(self):
        assert margins([[1.0], [1.0]]).tolist() == [1, 1]


class TestReason:
    @pytest.mark.parametrize("verdict", VERDICTS)
    @pytest.mark.parametrize("ranked", [["house"], ["house", "rap"], ["house", "rap", "jazz"]])
    def test_a_reason_is_a_sentence(self, verdict, ranked):
        sentence = reason(verdict, ranked)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert sentence.count(".") == 1

    def test_the_reasons_differ(self):
        assert len({reason(verdict, ["house", "rap"]) for verdict in VERDICTS}) == len(VERDICTS)

    def test_only_confident_and_mixed_name_genres(self):
        ranked = ["house", "rap", "jazz"]
        named = {
            each: [name for name in ranked if name in reason(each, ranked)] for each in VERDICTS
        }
        assert named["confident"] == ["house"]
        assert named["mixed"] == ["house", "rap"]
        assert not named["unknown_genre"] + named["not_music"] + named["silence"]
