"""A connection: how long it waits for whoever is at the other end, and what it takes for a request.

uvicorn closes a connection on which nothing arrives between two requests. It would wait for ever
for a head that comes byte by byte, for what is left of a body that was refused, and for a sender
who does not take the answers; each keeps a file descriptor, and the last a place for a body too.
It would also read a request that tells the length of its body twice, where a proxy before it may
read another: whatever lies between the two ends is a request that the proxy never saw.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class _OneLength(h11.Connection):
    """Reads requests, and refuses one with both a Content-Length and a Transfer-Encoding."""

    def next_event(self) -> Any:
        """Return what was read, a request among others."""
        event = super().next_event()
        if isinstance(event, h11.Request) and {b"content-length", b"transfer-encoding"} <= {
            name for name, _ in event.headers
        }:
            raise h11.RemoteProtocolError("The body has two lengths.")
        return event


class Connection(H11Protocol):
    """A connection of HTTP/1.1 that is cut where its sender is waited for too long.

    Parameters
    ----------
    seconds : float
        Longest that a request's head, or the rest of a body that was answered, may take to
        arrive, and that an answer may take to be taken. `web.uploads` has the time of a body.
    """

    def __init__(self, *arguments: Any, seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = _OneLength(h11.SERVER)
        self._seconds = seconds
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._see_whose_turn_it_is()

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        super().data_received(data)
        self._see_whose_turn_it_is()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._see_whose_turn_it_is()

    def pause_writing(self) -> None:
        """Wait until the sender takes what is written."""
        super().pause_writing()
        self._see_whose_turn_it_is()

    def resume_writing(self) -> None:
        """Go on: it was taken."""
        super().resume_writing()
        self._see_whose_turn_it_is()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_clock()
        super().connection_lost(exc)

    def _see_whose_turn_it_is(self) -> None:
        """Have the clock run while the sender is waited for, and only then."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not self.flow.write_paused:
            self._stop_clock()
        elif self._clock is None:
            self._clock = self.loop.call_later(self._seconds, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
