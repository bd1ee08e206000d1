"""Errors over HTTP: the one place that maps exceptions to statuses.

The response to every error is a problem document (RFC 9457), ``application/problem+json``::

    AudioError                          UploadError
      NotAudioError          422          UnsupportedMediaTypeError  415
      UnsupportedFormatError 422
      NoAudioStreamError     422          BodyTooLargeError          413
      UnsupportedAudioError  422          EmptyBodyError             400
      ClipTooShortError      422          IncompleteBodyError        400
      DecodeTimeoutError     422          UploadTimeoutError         408
    RetryLaterError                       MalformedMultipartError    400
      NotReadyError          503          MissingFileError           400
      OverloadedError        503          Base64Error                415
      RateLimitedError       429          UnsupportedContentEncodingError  415
    UnauthorizedError        401        UnknownModelError            404
    SenderLeftError          499        UnknownHeadError             404
    ForeignOriginError       403        NoLibraryError               404
                                        NoEmbeddingError             422
                                        OtherSpaceError              422
                                        MessageError                 422
                                        RequestValidationError       422
    StoreError               503        NoFeedbackError              404
      StoreFullError         507        UnknownFeedbackError         404
    UnknownLabelError        422        ForeignEmbeddingError        422
    NotJsonError             415        InvalidEmbeddingError        422
    HTTPException       404, 405        Exception                    500
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from service import audio
from service.feedback import StoreError, StoreFullError
from service.heads import OtherSpaceError, UnknownHeadError
from service.library.search import NoLibraryError
from service.model import NoEmbeddingError, UnknownModelError
from service.schemas import Accepted, Limits, Problem
from service.web import uploads
from service.web.admission import (
    NotReadyError,
    OverloadedError,
    RetryLaterError,
    SenderLeftError,
)
from service.web.auth import RateLimitedError, UnauthorizedError
from service.web.feedback import (
    ForeignEmbeddingError,
    InvalidEmbeddingError,
    NoFeedbackError,
    UnknownFeedbackError,
    UnknownLabelError,
)
from service.web.headers import REQUEST_ID
from service.web.metrics import Metrics
from service.web.problem import (
    MALFORMED_HTTP,
    MEDIA_TYPE,
    NOT_READY,
    OVERLOADED,
    Kind,
    place_of,
    response_of,
)
from service.web.sockets import LIVE_PATH, ForeignOriginError, MessageError

MOST_TOLD = 3  # wrong members of a body in one problem

ACCEPTED = Accepted(containers=list(audio.FORMATS.values()), media_types=list(uploads.MEDIA_TYPES))


KINDS: dict[type[Exception], Kind] = {
    audio.NotAudioError: Kind(audio.NotAudioError.slug, 422, accepted=True),
    audio.UnsupportedFormatError: Kind(audio.UnsupportedFormatError.slug, 422, accepted=True),
    audio.NoAudioStreamError: Kind(audio.NoAudioStreamError.slug, 422, accepted=True),
    audio.UnsupportedAudioError: Kind(audio.UnsupportedAudioError.slug, 422, limits=True),
    audio.ClipTooShortError: Kind(audio.ClipTooShortError.slug, 422, limits=True),
    audio.DecodeTimeoutError: Kind(audio.DecodeTimeoutError.slug, 422, limits=True),
    uploads.BodyTooLargeError: Kind("body-too-large", 413, limits=True),
    uploads.UnsupportedMediaTypeError: Kind("unsupported-media-type", 415, accepted=True),
    uploads.UnsupportedContentEncodingError: Kind("unsupported-content-encoding", 415),
    uploads.Base64Error: Kind("encoded-as-text", 415, accepted=True),
    uploads.EmptyBodyError: Kind("empty-body", 400),
    uploads.IncompleteBodyError: Kind("incomplete-body", 400),
    uploads.UploadTimeoutError: Kind("upload-timeout", 408, limits=True),
    uploads.MissingFileError: Kind("missing-file", 400),
    uploads.MalformedMultipartError: Kind("malformed-multipart", 400),
    UnknownModelError: Kind("unknown-model", 404),
    NoLibraryError: Kind("no-library", 404),
    UnknownHeadError: Kind("unknown-head", 404),
    OtherSpaceError: Kind("head-of-another-model", 422),
    NoEmbeddingError: Kind("no-embedding", 422),
    NotReadyError: NOT_READY,
    OverloadedError: OVERLOADED,
    RateLimitedError: Kind("rate-limited", 429),
    UnauthorizedError: Kind("unauthorized", 401),
    SenderLeftError: Kind("sender-left", 499),
    RequestValidationError: Kind("invalid-request", 422),
    ForeignOriginError: Kind("foreign-origin", 403),
    MessageError: Kind("invalid-message", 422),
    uploads.NotJsonError: Kind("unsupported-media-type", 415),
    NoFeedbackError: Kind("no-feedback", 404),
    UnknownFeedbackError: Kind("unknown-feedback", 404),
    UnknownLabelError: Kind("unknown-label", 422),
    ForeignEmbeddingError: Kind("embedding-of-another-model", 422),
    InvalidEmbeddingError: Kind("invalid-embedding", 422),
    StoreFullError: Kind("feedback-full", 507),
    StoreError: Kind("feedback-unavailable", 503),
    Exception: Kind("internal-error", 500),
}
"""The service's own errors; a subclass has the kind of its nearest listed ancestor."""

FEEDBACK = (
    uploads.NotJsonError,
    NoFeedbackError,
    UnknownFeedbackError,
    UnknownLabelError,
    ForeignEmbeddingError,
    InvalidEmbeddingError,
    StoreFullError,
    StoreError,
)
"""The errors of /v1/feedback alone."""

OF_A_RECORDING = tuple(kind for kind in KINDS if kind not in FEEDBACK)
"""The errors of a request with a recording."""

EXPECTED = tuple(kind for kind in KINDS if kind is not Exception)
"""All but faults of the service."""

HTTP_KINDS = {
    400: MALFORMED_HTTP,
    404: Kind("not-found", 404),
    405: Kind("method-not-allowed", 405),
}
"""Failures outside of the routes, by status: `web.protocol` answers the first, Starlette's router
raises the others as `HTTPException`."""


def install(app: FastAPI, limits: Limits) -> None:
    """Make an application respond to every error with a problem document, also in its OpenAPI.

    Parameters
    ----------
    app : FastAPI
        With `Metrics` in its state, and `web.middleware.observe`.
    limits : Limits
        Published in the problem documents where they are useful.
    """

    async def answer(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error, request, limits)
        record(request, problem)
        return response_of(problem, _headers(error, request))

    # Starlette's outermost layer handles Exception and then raises it again, so that the server
    # logs it with its traceback.
    for error in (*KINDS, HTTPException):
        app.add_exception_handler(error, answer)
    _publish(app)


def problem_of(error: Exception, request: HTTPConnection, limits: Limits) -> Problem:
    """Return the problem document for an error in a request."""
    kind = kind_of(error)
    return kind.problem(
        detail_of(error, request),
        request.scope["path"],
        limits=limits if kind.limits else None,
        accepted=ACCEPTED if kind.accepted else None,
    )


def record(request: HTTPConnection, problem: Problem) -> None:
    """Log a problem with its request, and count it."""
    request.state.seen["problem"] = problem.type
    metrics: Metrics = request.app.state.metrics
    metrics.refusals.labels(problem.type).inc()


def _headers(error: Exception, request: Request) -> dict[str, str]:
    """Return the headers of a problem: the router's own, such as Allow, or those of its status."""
    if kind_of(error) is KINDS[Exception]:  # handled outside of `Observe`, which adds it otherwise
        return {REQUEST_ID: request.state.seen["request_id"]}
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, RetryLaterError):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, uploads.UnsupportedContentEncodingError):
        return {"Accept-Encoding": "identity"}  # as RFC 9110, 15.5.16, has it
    if isinstance(error, uploads.UnsupportedMediaTypeError | uploads.NotJsonError):
        is_json = isinstance(error, uploads.NotJsonError)
        return {"Accept": uploads.JSON if is_json else ", ".join(uploads.MEDIA_TYPES)}
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # which `web.middleware.head` handles before the router
    return headers


def kind_of(error: Exception) -> Kind:
    """Return the kind of problem of an exception."""
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return HTTP_KINDS.get(status, Kind(None, status))
    return next(KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in KINDS)


def detail_of(error: Exception, request: HTTPConnection) -> str:
    """Return the message for the sender, without internals of the service."""
    if isinstance(error, HTTPException):
        return _routing_detail(error, request)
    if isinstance(error, RequestValidationError):
        return _validation_detail(error)
    if kind_of(error) is KINDS[Exception]:
        return "The service failed; your request is not the cause. The error was logged."
    return str(error)


def _validation_detail(error: RequestValidationError) -> str:
    """Return what is wrong with the first members or parameters; there may be hundreds."""
    wrong = error.errors()
    told = [
        f"{place_of(each['loc'], ' ')}: {each['msg'].removeprefix('Value error, ')}."
        for each in wrong[:MOST_TOLD]
    ]
    if len(wrong) > MOST_TOLD:
        told.append(f"{len(wrong) - MOST_TOLD} more are wrong.")
    return " ".join(told)


def _routing_detail(error: HTTPException, request: HTTPConnection) -> str:
    """Return why the router refused a request, more helpfully than by the status's phrase."""
    match error.status_code:
        case 404 if request.scope["path"] == LIVE_PATH:
            return "This address is a WebSocket: connect to it with ws:// or wss://."
        case 404:
            return "There is nothing at this address; /docs lists the addresses."
        case 405:
            method = request.scope["method"]
            return f"{method} is not possible here; the header Allow lists the methods."
    return f"{error.detail}."


def responses(*errors: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Document a route's errors, and the one of every route, for FastAPI's ``responses``."""
    kinds = sorted({KINDS[error] for error in (*errors, Exception)}, key=lambda kind: kind.type)
    return {
        status: {
            "model": Problem,
            "description": ", ".join(
                f"{kind.title} (`{kind.type}`)" for kind in kinds if kind.status == status
            ),
        }
        for status in sorted({kind.status for kind in kinds})
    }


def _publish(app: FastAPI) -> None:
    """Put the problems' media type into the OpenAPI document, where FastAPI knows only JSON."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path in generate()["paths"].values():
                for operation in path.values():
                    for status, response in operation["responses"].items():
                        if int(status) >= 400:
                            response["content"] = {
                                MEDIA_TYPE: response["content"]["application/json"]
                            }
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]
