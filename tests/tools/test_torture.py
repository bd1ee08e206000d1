"""A few cases of ``make torture`` pass, and ``make torture`` notices faults."""

import math
import os
import signal

import pytest

from service import audio
from tools.torture import decoding, mutate, serving

DECODED, POSTED = 300, 60


@pytest.mark.slow
def test_the_decoder_survives_damaged_recordings():
    outcome = decoding.decode_cases(range(DECODED))
    assert outcome.failed == []
    assert outcome.kinds.total() == DECODED
    assert outcome.kinds["decoded"] > DECODED / 5  # otherwise only headers were tested
    assert outcome.kinds["NotAudioError"] > DECODED / 50
    assert outcome.slowest_seconds < decoding.HANGS_SECONDS


@pytest.mark.slow
def test_the_service_answers_damaged_recordings(server):
    outcome = serving.post_cases(server, range(POSTED))
    assert outcome.failed == []
    assert outcome.kinds["answered"] > POSTED / 5
    assert outcome.kinds["not-audio"] > 0


def test_a_seed_determines_its_cases():
    assert mutate.case(3) == mutate.case(3)
    assert mutate.case(3) != mutate.case(4)
    assert mutate.case(3) != mutate.case(3, seed=1)


@pytest.mark.parametrize("mutation", mutate.MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_changes_the_file(mutation):
    whole = mutate.originals()["mp3-1"]
    assert bytes(mutation(whole, mutate.random.Random(0))) != whole


@pytest.mark.slow
def test_every_container_has_the_fields_that_a_mutation_changes():
    """Otherwise the mutation would change other bytes."""
    for name, data in mutate.originals().items():
        assert any(mark in data for mark in mutate.FIELDS), name
        lies = [mutate.lie_about_sound(data, mutate.random.Random(seed)) for seed in range(20)]
        assert len({bytes(lie) for lie in lies} - {data}) > 5, name
        assert {len(lie) for lie in lies} == {len(data)}, name


@pytest.mark.parametrize("name", ["opus-1", "vorbis-1"])
def test_the_checksum_of_an_ogg_page_is_corrected(name):
    data = bytearray(mutate.originals()[name])
    whole = bytes(data)
    data[22:26] = bytes(4)
    mutate.mend_ogg(data, 10)
    assert bytes(data) == whole


def test_an_unexpected_exception_is_a_finding(monkeypatch):
    monkeypatch.setattr(audio, "log_mel", lambda windows: 1 / 0)
    monkeypatch.setattr(decoding, "MOST_MEMORY_MB", math.inf)  # of other tests, too
    outcome = decoding.decode_cases(range(20))
    assert outcome.failed
    assert outcome.kinds["failure"] == len(outcome.failed)


@pytest.mark.slow
def test_a_crash_is_a_finding_and_the_other_cases_continue(monkeypatch):
    monkeypatch.setattr(decoding, "_work", _work_that_crashes)
    outcome = decoding._by_processes(range(5), 0)
    assert outcome.failed == [f"case 2: exit status {-signal.SIGSEGV}"]
    assert outcome.kinds.total() == 5


def _work_that_crashes(numbers, seed, current, there):
    for number in numbers:
        current.value = number
        if number == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
    there.send(decoding.decode_cases(numbers, seed))
