import os
import time

import pytest

from training.compare.parallel import in_processes


@pytest.mark.parametrize("jobs", [1, 2])
def test_everything_is_done_once(jobs):
    assert sorted(in_processes(divmod, [(7, 2), (9, 4), (5, 5)], jobs)) == [(1, 0), (2, 1), (3, 1)]


def test_nothing_is_nothing():
    assert list(in_processes(divmod, [], 1)) == []


def test_processes_are_others():
    assert os.getpid() not in set(in_processes(os.getpid, [(), ()], 2))


def test_after_a_failure_nothing_more_begins():
    start = time.monotonic()
    tasks = [("no number",), *[(1,)] * 100]
    with pytest.raises(TypeError):
        list(in_processes(time.sleep, tasks, 2))
    assert time.monotonic() - start < 40
