import anyio
import pytest

from service.web import gathering
from service.web.gathering import GATHER_BYTES, GATHER_MESSAGES, Gathered

SECONDS = 0.2


def fed(*steps):
    """Return the pieces that were handed on, after each step: bytes to add, or seconds to wait."""
    pieces, after = [], []

    async def scenario():
        gathered = Gathered(pieces.append)
        for step in steps:
            if isinstance(step, bytes):
                gathered.add(step)
            elif step is None:
                gathered.hand_on()
            else:
                await anyio.sleep(step)
            after.append(list(pieces))

    anyio.run(scenario)
    return after


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(gathering, "GATHER_SECONDS", SECONDS)


def test_the_first_message_waits_for_nothing_and_those_of_some_time_go_together():
    *before, after = fed(b"a", b"b", 0, b"c", b"", b"d", 1.2 * SECONDS)
    assert all(pieces == [b"a"] for pieces in before)
    assert after == [b"a", b"bcd"]


def test_a_message_after_a_pause_waits_for_nothing():
    assert fed(b"a", 1.2 * SECONDS, b"b")[-1] == [b"a", b"b"]


def test_two_in_a_row_wait_no_longer_than_one():
    pieces = []

    async def scenario():
        second = Gathered(pieces.append)
        first = Gathered(second.add)
        for byte in (b"a", b"b", b"c"):
            first.add(byte)
        await anyio.sleep(1.5 * SECONDS)

    anyio.run(scenario)
    assert pieces == [b"a", b"bc"]


@pytest.mark.parametrize("size", [GATHER_BYTES, 2 * GATHER_BYTES])
def test_many_bytes_wait_no_longer(size):
    *_, before, after = fed(b"a", b"b", bytes(size))
    assert before == [b"a"]
    assert after == [b"a", b"b" + bytes(size)]


def test_bytes_wait_as_long_as_they_may():
    pieces = []

    async def scenario():
        gathered = Gathered(pieces.append, lambda: 4 * SECONDS)
        for byte in (b"a", b"b", b"c"):
            gathered.add(byte)
            await anyio.sleep(SECONDS)
        assert pieces == [b"a"]
        await anyio.sleep(2 * SECONDS)

    anyio.run(scenario)
    assert pieces == [b"a", b"bc"]


def test_many_messages_wait_no_longer():
    after = fed(b"a", *[b"b", b""] * (GATHER_MESSAGES // 2))
    assert after[-2] == [b"a"]
    assert after[-1] == [b"a", b"b" * (GATHER_MESSAGES // 2)]


def test_the_end_waits_for_nothing_and_nothing_comes_twice():
    assert fed(b"a", b"b", None, None, 1.2 * SECONDS)[-1] == [b"a", b"b"]
