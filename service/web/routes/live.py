"""The analysis of a recording while it is recorded, over a WebSocket. docs/LIVE.md describes it."""

import asyncio

from fastapi import APIRouter, WebSocket
from fastapi.security.utils import get_authorization_scheme_param
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected, WebSocketState

from service.messages import LiveProblem
from service.schemas import Analysis, Problem
from service.web import errors
from service.web.admission import RetryLaterError, SenderLeftError
from service.web.auth import identify
from service.web.dependencies import require_ready
from service.web.live import Session, final, receive_start
from service.web.problem import response_of
from service.web.sockets import LIVE_PATH, ForeignOriginError, check_origin

PROBLEM_CODES = 4_000  # close codes from here on are the application's own: this plus the status
GOODBYE_SECONDS = 5.0  # for a sender that does not read its problem

router = APIRouter()


@router.websocket(LIVE_PATH)
async def live(socket: WebSocket) -> None:
    """Analyse a recording while it arrives."""
    try:
        check_origin(socket.headers, socket.app.state.settings.cors_origins)
    except ForeignOriginError as error:
        problem = errors.problem_of(error, socket, socket.app.state.limits)
        errors.record(socket, problem)
        await socket.send_denial_response(response_of(problem, {}))
        return
    await socket.accept()
    try:
        with socket.app.state.metrics.live.track_inprogress():
            analysis = await _serve(socket)
        if analysis:
            await socket.send_text(final(analysis))
        await socket.close()
    except errors.EXPECTED as error:
        await _refuse(socket, error)
    except (WebSocketDisconnect, WebSocketDisconnected):
        await _refuse(socket, SenderLeftError("The sender disconnected."))
    except Exception as error:
        await _refuse(socket, error)
        raise  # the server logs it with its traceback


async def _serve(socket: WebSocket) -> Analysis | None:
    """Serve one recording; return its final answer, if it has one."""
    state = socket.app.state
    start = await receive_start(socket, state.settings.upload_seconds)
    _, key = get_authorization_scheme_param(socket.headers.get("authorization"))
    caller = await identify(socket, key or start.key)
    await require_ready(socket)
    model = state.models[start.model or state.settings.model]
    head = None if start.head is None else state.heads[start.head]
    if start.embedding:
        model.space()
    if head:
        head.require(model)
    async with state.live.hold(state.queue):
        session = Session(
            socket,
            start,
            settings=state.settings,
            model=model,
            taxonomy=state.taxonomy,
            head=head,
            queue=state.queue,
            caller=caller,
        )
        try:
            analysis = await session.run(state.live_threads)
        finally:
            socket.state.seen["heard_seconds"] = session.heard_seconds
    if analysis:
        socket.state.seen["verdict"] = analysis.verdict
        state.metrics.worked(analysis.timings)
        state.metrics.answered(analysis)
    return analysis


async def _refuse(socket: WebSocket, error: Exception) -> None:
    """Send a problem and close, as far as the sender still listens."""
    problem = errors.problem_of(error, socket, socket.app.state.limits)
    errors.record(socket, problem)
    socket.state.seen["status"] = problem.status
    if WebSocketState.DISCONNECTED in (socket.client_state, socket.application_state):
        return
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await socket.send_text(_message(problem, error))
            await socket.close(PROBLEM_CODES + problem.status, problem.title)
    except (OSError, WebSocketDisconnect, WebSocketDisconnected):  # a timeout, too
        return


def _message(problem: Problem, error: Exception) -> str:
    """Return the message with a problem."""
    retry_after = error.retry_after if isinstance(error, RetryLaterError) else None
    message = LiveProblem(message="problem", **dict(problem), retry_after=retry_after)
    return message.model_dump_json(exclude_none=True)
