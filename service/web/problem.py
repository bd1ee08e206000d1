"""Problem documents (RFC 9457).

`web.errors` maps exceptions to kinds of problems.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from fastapi.responses import JSONResponse

from service.schemas import PROBLEM_TYPES, Accepted, Limits, Problem
from service.web.headers import SECURITY

MEDIA_TYPE = "application/problem+json"
MAX_PLACE = 100  # characters


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
            # not request.url, which fails on some Host headers
            instance=None if path is None else quote(path),
            limits=limits,
            accepted=accepted,
        )


NOT_READY = Kind("not-ready", 503)
OVERLOADED = Kind("overloaded", 503, limits=True)
MALFORMED_HTTP = Kind("malformed-http", 400)


def place_of(names: Iterable[object], separator: str) -> str:
    """Return the place of a mistake in JSON, for people; a sender may give a member any name."""
    place = separator.join(map(str, names))
    return place if len(place) <= MAX_PLACE else f"{place[:MAX_PLACE]}…"


def response_of(problem: Problem, headers: Mapping[str, str]) -> JSONResponse:
    """Return the HTTP response with a problem document, complete without the middleware."""
    body = problem.model_dump(exclude_none=True)
    headers = {**SECURITY, **headers}
    return JSONResponse(body, problem.status, headers=headers, media_type=MEDIA_TYPE)
