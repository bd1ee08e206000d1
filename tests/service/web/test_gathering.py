import anyio
import pytest

from service.web.gathering import GATHER_BYTES, GATHER_SECONDS, Gathered


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


def test_messages_of_some_time_are_handed_on_together():
    *before, after = fed(b"a", GATHER_SECONDS / 5, b"b", 0, b"c", GATHER_SECONDS)
    assert not any(before)
    assert after == [b"abc"]


def test_each_time_begins_with_its_first_message():
    after = fed(b"a", 1.2 * GATHER_SECONDS, b"b", 0.6 * GATHER_SECONDS, b"c", 0.6 * GATHER_SECONDS)
    assert after[3] == [b"a"]
    assert after[-1] == [b"a", b"bc"]


@pytest.mark.parametrize("size", [GATHER_BYTES, 2 * GATHER_BYTES])
def test_many_bytes_wait_no_longer(size):
    first, second = fed(b"a", bytes(size))
    assert first == []
    assert second == [b"a" + bytes(size)]


def test_the_end_waits_for_nothing_and_nothing_comes_twice():
    assert fed(b"a", None, None, 1.2 * GATHER_SECONDS)[-1] == [b"a"]
