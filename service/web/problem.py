"""How a refusal looks, and how a request is called: what each answer over HTTP may need.

`web.errors` says which failure is which kind. This needs no decoder, for `cluster.proxy`.
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

_GIVEN_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)  # what may go into a log as it is


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes
    ----------
    slug : str or None
        The type, without `PROBLEM_TYPES`. Clients depend on it: it never changes. None where the
        status says it all.
    status : int
    limits, accepted : bool
        Which extension members help to do better.
    """

    slug: str | None
    status: int
    limits: bool = False
    accepted: bool = False

    @property
    def type(self) -> str:
        """The type as published, a URI."""
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
        """Write down a problem of this kind with a request for a path."""
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
    """Return a problem as it is sent."""
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, problem.status, headers=headers, media_type=MEDIA_TYPE)


def request_id_of(headers: Headers) -> str:
    """Return the id that a request came with, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _GIVEN_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return an id for a request that came without one."""
    return str(uuid.uuid4())
