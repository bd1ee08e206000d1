"""Failures over HTTP: the one place where an exception becomes a status.

Every failure is answered as a problem (RFC 9457), ``application/problem+json``::

    AudioError                          UploadError
      NotAudioError          422          UnsupportedMediaTypeError  415
      UnsupportedFormatError 422
      NoAudioStreamError     422          BodyTooLargeError          413
      UnsupportedAudioError  422          EmptyBodyError             400
      ClipTooShortError      422          IncompleteBodyError        400
      DecodeTimeoutError     422          UploadTimeoutError         408
    RetryLaterError                       MalformedMultipartError    400
      NotReadyError          503          MissingFileError           400
      OverloadedError        503        UnknownModelError            404
      RateLimitedError       429        RequestValidationError       422
    UnauthorizedError        401        HTTPException                404, 405
    SenderLeftError          499        Exception                    500
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service import audio
from service.model import UnknownModelError
from service.schemas import Accepted, Limits, Problem
from service.web import uploads
from service.web.admission import (
    NotReadyError,
    OverloadedError,
    RetryLaterError,
    SenderLeftError,
)
from service.web.auth import RateLimitedError, UnauthorizedError
from service.web.problem import (
    MEDIA_TYPE,
    NOT_READY,
    OVERLOADED,
    REQUEST_ID,
    Kind,
    response_of,
)

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
    uploads.EmptyBodyError: Kind("empty-body", 400),
    uploads.IncompleteBodyError: Kind("incomplete-body", 400),
    uploads.UploadTimeoutError: Kind("upload-timeout", 408, limits=True),
    uploads.MissingFileError: Kind("missing-file", 400),
    uploads.MalformedMultipartError: Kind("malformed-multipart", 400),
    UnknownModelError: Kind("unknown-model", 404),
    NotReadyError: NOT_READY,
    OverloadedError: OVERLOADED,
    RateLimitedError: Kind("rate-limited", 429),
    UnauthorizedError: Kind("unauthorized", 401),
    SenderLeftError: Kind("sender-left", 499),
    RequestValidationError: Kind("invalid-request", 422),
    Exception: Kind("internal-error", 500),
}
"""Every failure of ours; a subclass is answered as its nearest listed ancestor."""

HTTP_KINDS = {
    404: Kind("not-found", 404),
    405: Kind("method-not-allowed", 405),
}
"""What Starlette's router raises as `HTTPException`, by status."""


def install(app: FastAPI, limits: Limits, note: Callable[[Request, Problem], None]) -> None:
    """Have an application answer every failure as a problem, and say so in its OpenAPI document.

    Parameters
    ----------
    app : FastAPI
    limits : Limits
        Published in the problems that they help with.
    note : callable
        Told each problem before it is sent.
    """

    async def answer(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error, request, limits)
        note(request, problem)
        return response_of(problem, _headers(error, request))

    # Exception is answered by Starlette's outermost layer, which then raises it again: the server
    # logs it with its traceback.
    for failure in (*KINDS, HTTPException):
        app.add_exception_handler(failure, answer)
    _publish(app)


def problem_of(error: Exception, request: Request, limits: Limits) -> Problem:
    """Write down what went wrong with a request."""
    kind = kind_of(error)
    return kind.problem(
        detail_of(error, request),
        request.scope["path"],
        limits=limits if kind.limits else None,
        accepted=ACCEPTED if kind.accepted else None,
    )


def _headers(error: Exception, request: Request) -> dict[str, str]:
    """Return a problem's headers: the router's own, such as Allow, and when to ask again."""
    if kind_of(error) is KINDS[Exception]:  # answered outside of `web.observe`, which adds it else
        return {REQUEST_ID: request.state.seen["request_id"]}
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, RetryLaterError):
        return {"Retry-After": str(error.retry_after)}
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # which is answered before the router, by `web.head`
    return headers


def kind_of(error: Exception) -> Kind:
    """Say what kind of problem an exception is."""
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return HTTP_KINDS.get(status, Kind(None, status))
    return next(KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in KINDS)


def detail_of(error: Exception, request: Request) -> str:
    """Say what went wrong, for people; nothing of our own insides."""
    if isinstance(error, HTTPException):
        return _routing_detail(error, request)
    if isinstance(error, RequestValidationError):
        return " ".join(
            f"{' '.join(map(str, each['loc']))}: {each['msg']}." for each in error.errors()
        )
    if kind_of(error) is KINDS[Exception]:
        return "Something went wrong here, not with what you sent. It has been logged."
    return str(error)


def _routing_detail(error: HTTPException, request: Request) -> str:
    """Say why the router refused; its own words are the status's phrase."""
    match error.status_code:
        case 404:
            return "There is nothing at this address; see /docs for what there is."
        case 405:
            return f"{request.method} is not possible here; see the header Allow."
    return f"{error.detail}."


def responses(*failures: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Document a route's failures, and the one that any route has, for FastAPI's ``responses``."""
    kinds = sorted(
        {KINDS[failure] for failure in (*failures, Exception)}, key=lambda kind: kind.type
    )
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
    """Put the failures' media type into the OpenAPI document, where FastAPI knows but one."""
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
