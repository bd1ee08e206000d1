"""One live connection: messages -> the bytes of a recording, and its answers -> messages.

Three run at the same time: a task receives, a thread analyses, a task sends. The thread has a place
among the recordings that are analysed only while it has something to analyse.
"""

import asyncio
from collections.abc import Coroutine
from time import perf_counter
from typing import Any

from anyio import CapacityLimiter, fail_after, to_thread
from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocket

from service import audio
from service.heads import Head
from service.live import Live, wav_header
from service.messages import SENT, LiveEnd, LiveFinal, LiveReady, LiveRunning, LiveStart
from service.model import Scorer
from service.schemas import Analysis, ModelName
from service.settings import Settings
from service.taxonomy import Taxonomy
from service.web import uploads
from service.web.admission import Queue, SenderLeftError, Turn
from service.web.auth import Caller
from service.web.gathering import Gathered
from service.web.problem import place_of
from service.web.sockets import MessageError

START_SECONDS = 10.0  # for the first message
LEAST_BYTES_A_SECOND = 20  # on average over the read timeout: a silent Opus has more
MOST_UNREAD = 2**21  # bytes that wait to be decoded before no more are received
FULL_SECONDS = 0.05  # between two looks at whether they are decoded
TURN_SECONDS = 0.25  # of work, after which others have their turn
INSPECTED = 4_096  # bytes that tell text from a recording


async def receive_start(socket: WebSocket, seconds: float) -> LiveStart:
    """Receive the first message.

    Raises
    ------
    MessageError
        If it is another.
    uploads.UploadTimeoutError
        If it does not come.
    SenderLeftError
        If the sender disconnected.
    """
    try:
        with fail_after(min(START_SECONDS, seconds)):
            message = await _next(socket)
    except TimeoutError as error:
        raise uploads.UploadTimeoutError("The first message did not arrive in time.") from error
    if isinstance(message, LiveStart):
        return message
    raise MessageError('The first message is {"message": "start"}, with its options.')


async def _next(socket: WebSocket) -> bytes | LiveStart | LiveEnd:
    """Receive a message: bytes, or one of the protocol."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise SenderLeftError("The sender disconnected before the end of the recording.")
    if (data := message.get("bytes")) is not None:
        return bytes(data)
    try:
        return SENT.validate_json(message["text"])
    except ValidationError as error:
        first = error.errors()[0]
        what = ": ".join(filter(None, [place_of(first["loc"], "."), first["msg"]]))
        raise MessageError(
            f"This text is no message of the protocol: {what}. Send the recording as binary "
            "messages."
        ) from error


class Session:
    """One recording that is received, analysed and answered.

    Parameters
    ----------
    socket : WebSocket
        Accepted, and its first message received.
    start : LiveStart
        That message.
    settings : Settings
    model : Scorer
    taxonomy : Taxonomy
    head : Head or None
        As the first message names it.
    queue : Queue
    caller : Caller
    """

    def __init__(
        self,
        socket: WebSocket,
        start: LiveStart,
        *,
        settings: Settings,
        model: Scorer,
        taxonomy: Taxonomy,
        head: Head | None,
        queue: Queue,
        caller: Caller,
    ) -> None:
        self._socket, self._start, self._settings = socket, start, settings
        self._model, self._taxonomy = model, taxonomy
        self._head = head
        self._queue, self._caller = queue, caller
        self._turn = Turn(queue)
        self._turn_ends = 0.0
        self._stream = audio.Growing(forgetful=start.rolling, resting=self._turn.rest)
        self._gathered = Gathered(self._stream.feed, lambda: self._stream.patience)
        self._inspected = b""
        self._received = 0
        self._counted = 0
        self._outgoing: asyncio.Queue[BaseModel | None] = asyncio.Queue()
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self.heard_seconds = 0.0

    async def run(self, threads: CapacityLimiter) -> Analysis | None:
        """Serve the recording to its end, and send all but the final answer.

        Returns
        -------
        analysis : Analysis or None
            None for a rolling recording.

        Raises
        ------
        Exception
            Any of the kinds that `service.web.errors` maps.
        """
        card = self._model.card
        name = ModelName(name=card.name, version=card.version, digest=self._model.digest)
        self._outgoing.put_nowait(LiveReady(message="ready", model=name))
        sender = asyncio.create_task(self._guard(self._send()))
        receiver = asyncio.create_task(self._guard(self._receive()))
        try:
            analysis = await to_thread.run_sync(self._work, limiter=threads)
            self._outgoing.put_nowait(None)
            await sender
        finally:
            self._stream.fail(audio.BrokenOffError("The connection has ended."))
            self._gathered.drop()  # its timer would outlive this connection
            for task in (sender, receiver):
                task.cancel()
            if self._error:  # the work failed for it
                raise self._error from None
        return analysis

    async def _guard(self, task: Coroutine[Any, Any, None]) -> None:
        """Run a task; its error ends the connection."""
        try:
            await task
        except Exception as error:  # noqa: BLE001  # `run` raises it
            self._error = self._error or error
            self._stream.fail(audio.BrokenOffError(str(error)))

    def _work(self) -> Analysis | None:
        """Analyse the recording, in a thread."""
        bounds = audio.Bounds(
            self._settings.max_seconds, self._settings.decode_seconds, self._check
        )
        if self._start.rolling:
            bounds = audio.Bounds(float("inf"), check=self._check)
        with self._turn.held():
            live = Live(self._stream, self._model, bounds, self._taxonomy, self._tell)
            if self._start.rolling:
                live.roll(self._start.rolling_seconds)
                return None
            return live.run(
                timeline=self._start.timeline, embedding=self._start.embedding, head=self._head
            )

    def _check(self) -> None:
        """Stop the work if its connection has an error, or let others have their turn."""
        self._queue.check()
        if self._error:
            raise audio.BrokenOffError(str(self._error))
        began = perf_counter()
        if began > self._turn_ends:
            self._turn.offer()
            now = perf_counter()
            self._stream.elsewhere += now - began
            self._turn_ends = now + TURN_SECONDS

    def _tell(self, running: LiveRunning) -> None:
        """Hand an answer over to the event loop."""
        self._loop.call_soon_threadsafe(self._outgoing.put_nowait, running)

    async def _send(self) -> None:
        """Send messages until there is None."""
        while message := await self._outgoing.get():
            if isinstance(message, LiveRunning):
                self.heard_seconds = message.heard_seconds
                await self._count()
            try:
                with fail_after(self._settings.upload_seconds):
                    await self._socket.send_text(message.model_dump_json())
            except TimeoutError as error:
                raise SenderLeftError("The sender does not read its answers.") from error

    async def _count(self) -> None:
        """Count one more request for each `max_seconds` of sound after the first."""
        due = int(self.heard_seconds / self._settings.max_seconds)
        if self._start.rolling and due > self._counted:
            new, self._counted = due - self._counted, due
            await self._caller.count(new)

    async def _receive(self) -> None:
        """Receive the recording, and then nothing but the end of the connection."""
        if self._start.pcm:
            self._gathered.add(wav_header(self._start.pcm))
        await self._receive_recording()
        if not self._received or not self._start.pcm:
            uploads.usable(self._inspected)
        self._gathered.hand_on()
        self._stream.end()
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise SenderLeftError("The sender disconnected before the answer.")

    async def _receive_recording(self) -> None:
        """Receive the recording to its end, or to the end of the time for it."""
        seconds = self._settings.upload_seconds
        ends = self._loop.time() + self._settings.live_seconds
        while (left := ends - self._loop.time()) > 0:
            arrived = 0
            try:
                with fail_after(min(seconds, left)):
                    while arrived < LEAST_BYTES_A_SECOND * seconds:
                        message = await _next(self._socket)
                        if isinstance(message, LiveEnd):
                            return
                        if isinstance(message, LiveStart):
                            raise MessageError("The recording has started already.")
                        self._take(message)
                        arrived += len(message)
            except TimeoutError as error:
                if self._loop.time() < ends:
                    raise uploads.UploadTimeoutError(
                        f"Too little of the recording arrived within {seconds:g} s."
                    ) from error
            while self._stream.unread > MOST_UNREAD and not self._stream.waiting:
                await asyncio.sleep(FULL_SECONDS)

    def _take(self, data: bytes) -> None:
        """Add bytes to the recording."""
        self._received += len(data)
        limit = self._settings.max_upload_bytes
        if self._received > limit and not self._start.rolling:
            raise uploads.BodyTooLargeError.of(limit)
        if len(self._inspected) < INSPECTED:
            self._inspected += data[: INSPECTED - len(self._inspected)]
            if len(self._inspected) == INSPECTED and not self._start.pcm:
                uploads.usable(self._inspected)
        self._gathered.add(data)


def final(analysis: Analysis) -> str:
    """Return the final message."""
    return LiveFinal(message="final", analysis=analysis).model_dump_json()
