import json
import logging
import threading

import httpx2 as httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from service import audio
from service.feedback import StoreError, StoreFullError
from service.heads import OtherSpaceError, UnknownHeadError
from service.library.search import NoLibraryError
from service.model import NoEmbeddingError, UnknownModelError
from service.schemas import PROBLEM_TYPES
from service.settings import Settings
from service.web import errors, uploads
from service.web.admission import NotReadyError, OverloadedError, SenderLeftError
from service.web.auth import RateLimitedError, UnauthorizedError
from service.web.errors import KINDS
from service.web.feedback import (
    ForeignEmbeddingError,
    InvalidEmbeddingError,
    NoFeedbackError,
    UnknownFeedbackError,
    UnknownLabelError,
)
from service.web.headers import SECURITY
from service.web.limits import limits_of
from service.web.metrics import Metrics
from service.web.middleware.observe import Observe
from service.web.sockets import ForeignOriginError, MessageError

LIMITS = limits_of(Settings(max_upload_bytes=12_345))
EXPECTED = {
    audio.NotAudioError: (422, "not-audio"),
    audio.UnsupportedFormatError: (422, "unsupported-format"),
    audio.NoAudioStreamError: (422, "no-audio-stream"),
    audio.UnsupportedAudioError: (422, "unsupported-audio"),
    audio.ClipTooShortError: (422, "clip-too-short"),
    uploads.BodyTooLargeError: (413, "body-too-large"),
    uploads.UnsupportedMediaTypeError: (415, "unsupported-media-type"),
    uploads.UnsupportedContentEncodingError: (415, "unsupported-content-encoding"),
    uploads.Base64Error: (415, "encoded-as-text"),
    uploads.EmptyBodyError: (400, "empty-body"),
    uploads.IncompleteBodyError: (400, "incomplete-body"),
    uploads.MissingFileError: (400, "missing-file"),
    uploads.MalformedMultipartError: (400, "malformed-multipart"),
    audio.DecodeTimeoutError: (422, "decode-timeout"),
    uploads.UploadTimeoutError: (408, "upload-timeout"),
    UnknownModelError: (404, "unknown-model"),
    NoLibraryError: (404, "no-library"),
    UnknownHeadError: (404, "unknown-head"),
    NoEmbeddingError: (422, "no-embedding"),
    OtherSpaceError: (422, "head-of-another-model"),
    ForeignOriginError: (403, "foreign-origin"),
    MessageError: (422, "invalid-message"),
    OverloadedError: (503, "overloaded"),
    RateLimitedError: (429, "rate-limited"),
    UnauthorizedError: (401, "unauthorized"),
    SenderLeftError: (499, "sender-left"),
    NotReadyError: (503, "not-ready"),
    uploads.NotJsonError: (415, "unsupported-media-type"),
    NoFeedbackError: (404, "no-feedback"),
    UnknownFeedbackError: (404, "unknown-feedback"),
    UnknownLabelError: (422, "unknown-label"),
    ForeignEmbeddingError: (422, "embedding-of-another-model"),
    InvalidEmbeddingError: (422, "invalid-embedding"),
    StoreFullError: (507, "feedback-full"),
    StoreError: (503, "feedback-unavailable"),
    RequestValidationError: (422, "invalid-request"),
    Exception: (500, "internal-error"),
}


SECRET = "the password is 1234"
OURS = [kind for kind in EXPECTED if kind not in (RequestValidationError, Exception)]


def failing_app(error):
    """An application whose every request to / fails with an exception."""
    app = FastAPI()
    app.state.metrics = Metrics()
    app.add_middleware(Observe, metrics=app.state.metrics)

    @app.get("/")
    async def fail(number: int = 0):
        raise error

    errors.install(app, LIMITS)
    return app


def answer_to(error, path="/", method="GET"):
    client = TestClient(failing_app(error), raise_server_exceptions=False)
    return client.request(method, path, headers={"x-request-id": "abc"})


def leaves(error):
    """The subclasses of an exception that have no subclasses."""
    below = error.__subclasses__()
    return {leaf for each in below for leaf in leaves(each)} if below else {error}


def test_the_table_is_complete():
    assert {error: (kind.status, kind.slug) for error, kind in KINDS.items()} == EXPECTED


@pytest.mark.parametrize("root", [audio.AudioError, uploads.UploadError])
def test_every_failure_is_in_the_table(root):
    assert leaves(root) <= KINDS.keys()


@pytest.mark.parametrize("failure", OURS)
def test_a_failure_becomes_a_problem(failure):
    status, slug = EXPECTED[failure]
    response = answer_to(failure("What happened."))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == PROBLEM_TYPES + slug
    assert problem["status"] == status
    assert problem["title"] == slug.replace("-", " ").capitalize()
    assert problem["detail"] == "What happened."
    assert problem["instance"] == "/"


@pytest.mark.parametrize(
    ("failure", "members"),
    [
        (audio.NotAudioError, {"accepted"}),
        (audio.ClipTooShortError, {"limits"}),
        (audio.UnsupportedAudioError, {"limits"}),
        (uploads.BodyTooLargeError, {"limits"}),
        (uploads.UnsupportedMediaTypeError, {"accepted"}),
        (uploads.EmptyBodyError, set()),
    ],
)
def test_extension_members_are_there_where_they_help(failure, members):
    assert answer_to(failure("No.")).json().keys() & {"limits", "accepted"} == members


def test_limits_are_those_of_the_service():
    problem = answer_to(audio.ClipTooShortError("No.")).json()
    assert problem["limits"] == LIMITS.model_dump()
    assert problem["limits"]["max_upload_bytes"] == 12_345


def test_accepted_formats_are_those_of_the_service():
    accepted = answer_to(audio.NotAudioError("No.")).json()["accepted"]
    assert accepted["containers"] == list(audio.FORMATS.values())
    assert accepted["media_types"] == list(uploads.MEDIA_TYPES)


def test_a_subclass_is_answered_as_its_ancestor():
    class OddError(audio.NotAudioError):
        pass

    assert answer_to(OddError("Odd.")).json()["type"] == PROBLEM_TYPES + "not-audio"


@pytest.mark.parametrize(
    ("failure", "seconds"), [(NotReadyError("Starting."), "1"), (OverloadedError("Full.", 7), "7")]
)
def test_temporary_errors_have_retry_after(failure, seconds):
    assert answer_to(failure).headers["retry-after"] == seconds


def test_an_unauthorized_response_names_the_scheme():
    assert answer_to(UnauthorizedError("Who?")).headers["www-authenticate"] == "Bearer"


def test_a_body_of_another_type_or_coding_is_answered_as_http_has_it():
    response = answer_to(uploads.UnsupportedContentEncodingError("No."))
    assert response.headers["accept-encoding"] == "identity"
    response = answer_to(uploads.UnsupportedMediaTypeError("No."))
    assert response.headers["accept"] == ", ".join(uploads.MEDIA_TYPES)


def test_an_unknown_address():
    response = answer_to(None, "/nowhere%20at/all")
    assert response.status_code == 404
    assert response.json()["type"] == PROBLEM_TYPES + "not-found"
    assert response.json()["instance"] == "/nowhere%20at/all"


def test_another_method():
    response = answer_to(None, method="DELETE")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert response.json()["type"] == PROBLEM_TYPES + "method-not-allowed"
    assert "DELETE" in response.json()["detail"]


def test_an_invalid_request():
    response = answer_to(None, "/?number=many")
    assert response.status_code == 422
    assert response.json()["type"] == PROBLEM_TYPES + "invalid-request"
    assert response.json()["detail"].startswith("query number: ")


def test_any_other_http_exception():
    response = answer_to(HTTPException(418, "Short and stout"))
    assert response.status_code == 418
    assert response.json()["type"] == "about:blank"
    assert response.json()["detail"] == "Short and stout."


def test_an_unexpected_error_reveals_nothing():
    response = answer_to(RuntimeError(SECRET))
    assert response.status_code == 500
    assert response.json()["type"] == PROBLEM_TYPES + "internal-error"
    assert SECRET not in response.text
    assert response.headers.items() >= {k.lower(): v for k, v in SECURITY.items()}.items()
    assert response.headers["x-request-id"] == "abc"


def test_an_unexpected_error_is_logged(caplog):
    server = uvicorn.Server(
        uvicorn.Config(failing_app(RuntimeError(SECRET)), port=0, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    with caplog.at_level(logging.ERROR):
        thread.start()
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 500
        server.should_exit = True
        thread.join()
    (record,) = caplog.records
    assert SECRET in str(record.exc_info[1])


def test_the_openapi_document_has_the_problems():
    app = FastAPI()

    @app.get("/", responses=errors.responses(audio.NotAudioError, NotReadyError))
    async def route() -> int:
        return 1

    errors.install(app, LIMITS)
    document = TestClient(app).get("/openapi.json").json()
    answers = document["paths"]["/"]["get"]["responses"]
    assert answers.keys() == {"200", "422", "500", "503"}
    assert answers["200"]["content"].keys() == {"application/json"}
    for status in ("422", "500", "503"):
        assert answers[status]["content"].keys() == {errors.MEDIA_TYPE}
        assert "urn:problem-type:fifteen:" in answers[status]["description"]
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(document)
