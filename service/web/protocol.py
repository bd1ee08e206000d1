"""One HTTP/1.1 connection, and the WebSocket that it may become.

How long it may wait for its peer, and which requests it accepts. uvicorn closes a connection on
which nothing arrives between two requests. It would wait without end for a head that comes byte by
byte, for the rest of a body that was refused, and for a peer that does not read its responses; each
keeps a file descriptor, and the last keeps a body in memory. uvicorn would also accept a request
with two body lengths, which a proxy in front may read differently (request smuggling), and would
answer malformed HTTP without a problem document.
"""

import asyncio
import logging
import re
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol

from service.web.gathering import Gathered
from service.web.headers import REQUEST_ID, new_request_id
from service.web.problem import MALFORMED_HTTP, response_of
from service.web.sockets import LIVE_PATH, MAX_FRAGMENTS

SENT_TO_OPEN_SOCKETS = {"websocket.send", "websocket.close"}
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


class _Requests(h11.Connection):
    """Reads requests: refuses those with two body lengths, and makes absolute targets relative."""

    def next_event(self) -> Any:
        """Return the next event, such as a request."""
        event = super().next_event()
        if not isinstance(event, h11.Request):
            return event
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
            raise h11.RemoteProtocolError("The body has two lengths.")
        if absolute := _ABSOLUTE.match(event.target):  # as RFC 9112, 3.2.2, wants it accepted
            target = event.target[absolute.end() :]
            event = h11.Request(
                method=event.method,
                target=target if target.startswith(b"/") else b"/" + target,
                headers=event.headers,
                http_version=event.http_version,
            )
        return event


class Connection(H11Protocol):
    """A connection of HTTP/1.1 that is closed if its peer is too slow.

    Parameters
    ----------
    seconds : float
        Longest time that a request's head, or the rest of a body that was answered, may take to
        arrive, and that the peer may take to read a response. `web.uploads` limits the time of a
        body.
    """

    def __init__(self, *arguments: Any, seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = _Requests(h11.SERVER)
        self._seconds = seconds
        self._clock: asyncio.TimerHandle | None = None
        self._upgraded = False

    def _should_upgrade(self) -> bool:
        """Upgrade to a WebSocket at its one address; elsewhere a request stays a request."""
        self._upgraded = (
            self.scope["path"] == LIVE_PATH
            and self.ws_protocol_class is not None
            and self._get_upgrade() == b"websocket"
        )
        return self._upgraded

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._update_clock()

    def data_received(self, data: bytes) -> None:
        """Receive some bytes."""
        super().data_received(data)
        self._update_clock()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._update_clock()

    def pause_writing(self) -> None:
        """Wait until the peer reads."""
        super().pause_writing()
        self._update_clock()

    def resume_writing(self) -> None:
        """Go on: the peer has read."""
        super().resume_writing()
        self._update_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's own words
        """Answer malformed HTTP with a problem document, unless a response has begun, and close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            problem = MALFORMED_HTTP.problem(
                "This is not a valid HTTP request. The connection ends."
            )
            response = response_of(problem, {REQUEST_ID: new_request_id()})
            headers = [*response.raw_headers, (b"connection", b"close")]
            for event in (
                h11.Response(status_code=problem.status, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _update_clock(self) -> None:
        """Run the clock while this connection waits for its peer, and only then."""
        if self._upgraded:  # the socket has its own clock
            self._stop_clock()
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not self.flow.write_paused:
            self._stop_clock()
        elif self._clock is None:
            self._clock = self.loop.call_later(self._seconds, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class _Handshakes(ServerProtocol):
    """Reads handshakes and frames; refuses a malformed handshake with a problem document."""

    def reject(self, status: int, text: str) -> Response:
        """Return the response to a handshake that is refused."""
        refusal = super().reject(status, text)
        if not 400 <= status < 500:
            return refusal  # a fault of the service
        problem = MALFORMED_HTTP.problem(text.partition("\n")[0], LIVE_PATH)
        response = response_of(problem, {REQUEST_ID: new_request_id()})
        given = [(name.decode("latin-1"), value.decode("latin-1"))
                 for name, value in response.raw_headers]  # fmt: skip
        headers = Headers([*given, ("connection", "close"), ("date", refusal.headers["Date"])])
        return Response(problem.status, "Bad Request", headers, bytes(response.body))


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket that is closed if its peer does not read, or sends what it may not.

    uvicorn answers every ping at once, and stores the answers that the peer does not read. It
    leaves a handshake unanswered and open whose head is too long for it, stores any number of
    fragments of one message, and logs a traceback for text that is not UTF-8. For each message, it
    wakes the application, and stops and starts to read: here, the bytes of some time are one.

    Parameters
    ----------
    seconds : float
        Longest time that the peer may take to read.
    """

    def __init__(self, *arguments: Any, seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = logging.getLogger(__name__)  # uvicorn's would log each address with its query
        self.logger.setLevel(logging.WARNING)
        self.conn = _Handshakes(max_size=self.config.ws_max_size, logger=self.logger)
        self._gathered = Gathered(self._deliver)
        self._seconds = seconds
        self._clock: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Receive some bytes; the first are a whole handshake."""
        super().data_received(data)
        if not self.handshake_initiated:  # it was refused before it was read to its end
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self._fail(CloseCode.MESSAGE_TOO_BIG)
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a message to the application: text at once, and bytes with others."""
        if self.curr_msg_data_type == "bytes":
            data, self.frames = b"".join(self.frames), []
            if not self.close_sent:
                self._gathered.add(data)
            return
        self._gathered.hand_on()
        if not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA)
                return
        super().send_receive_event_to_app()

    def _deliver(self, data: bytes) -> None:
        """Hand bytes to the application, and read no more until it has taken them."""
        self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def _fail(self, code: CloseCode) -> None:
        """Close the connection for a fault of the peer."""
        self.conn.fail(code)
        self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send a message of the application.

        uvicorn closes a socket by itself after a malformed frame, or a ping without an answer. The
        application may not know it yet, so its next message is no fault of its own.

        Raises
        ------
        ClientDisconnected
            If the socket is closed already.
        """
        if self.close_sent and message["type"] in SENT_TO_OPEN_SOCKETS:
            raise ClientDisconnected
        await super().send(message)

    def pause_writing(self) -> None:
        """Wait until the peer reads; receive nothing before."""
        super().pause_writing()
        self.transport.pause_reading()
        self._clock = self.loop.call_later(self._seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the peer has read."""
        super().resume_writing()
        self._stop_clock()
        if not self.read_paused:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, and forget the bytes of a recording that has no end."""
        self._stop_clock()
        self._gathered.drop()
        super().connection_lost(exc)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
