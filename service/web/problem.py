"""Problem documents (RFC 9457) and request ids.

`web.errors` maps exceptions to kinds of problems.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers

from service.schemas import PROBLEM_TYPES, Accepted, Limits, Problem

REQUEST_ID = "X-Request-ID"
MEDIA_TYPE = "application/problem+json"

_GIVEN_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)  # safe in a log


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes
    ----------
    slug : str or None
        The type, without `PROBLEM_TYPES`. Clients depend on it, so it never changes. None if the
        status says everything.
    status : int
    limits, accepted : bool
        Which extension members are useful.
    """

    slug: str | None
    status: int
    limits: bool = False
    accepted: bool = False

    @property
    def type(self) -> str:
        """The published type, a URI."""
        return "about:blank" if self.slug is None else PROBLEM_TYPES + self.slug

    @property
    def title(self) -> str:
        """The type in words."""
        if self.slug is None:
            return HTTPStatus(self.status).phrase
        return self.slug.replace("-", " ").capitalize()

    def problem(
        self,
        detail: str,
        path: str | None = None,
        limits: Limits | None = None,
        accepted: Accepted | None = None,
    ) -> Problem:
        """Return a problem document of this kind for a request to a path."""
        return Problem(
            type=self.type,
            title=self.title,
            status=self.status,
            detail=detail,
            instance=None
            if path is None
            else quote(path),  # request.url fails on some Host headers
            limits=limits,
            accepted=accepted,
        )


NOT_READY = Kind("not-ready", 503)
OVERLOADED = Kind("overloaded", 503, limits=True)
MALFORMED_HTTP = Kind("malformed-http", 400)


def response_of(problem: Problem, headers: Mapping[str, str]) -> JSONResponse:
    """Return the HTTP response with a problem document."""
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, problem.status, headers=headers, media_type=MEDIA_TYPE)


def request_id_of(headers: Headers) -> str:
    """Return the id in a request's headers, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _GIVEN_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return a new request id."""
    return str(uuid.uuid4())
