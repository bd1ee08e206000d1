from training.studies.compare import results
from training.studies.compare.results import Result
from training.studies.compare.rows import ROWS
from training.studies.compare.sample import Epoch


def test_a_result_can_be_read_again(tmp_path):
    result = Result(
        "digest",
        accuracy=[0.5, 0.75],
        spearman={"energy": [0.25]},
        classes=["house", "jazz"],
        confusion=[[1, 0], [2, 3]],
        history=[Epoch(2.0, 1.5, 0.5), Epoch(1.0, 1.25, 0.75)],
    )
    assert results.read(ROWS[0], tmp_path) is None
    results.write(ROWS[0], tmp_path, result)
    assert results.read(ROWS[0], tmp_path) == result
    assert results.read(ROWS[1], tmp_path) is None
