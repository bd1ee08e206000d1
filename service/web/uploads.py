"""Uploads: the body of a request -> the bytes of one recording, or of JSON, in memory only.

Nothing is written to disk, and no more than the limit is ever held. The sender's labels are not
trusted: the media type only separates forms from raw bodies, and `service.audio` reads the content.
"""

import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import NoReturn, Self

from anyio import fail_after, to_thread
from starlette.requests import ClientDisconnect, Request

from service.web.forms import FormError, Part, read_parts

FORM = "multipart/form-data"
RAW = (
    "audio/*",
    "video/*",  # browsers and phones label sound so, too
    "application/ogg",
    "application/mp4",
    "application/octet-stream",
    "binary/octet-stream",
)
MEDIA_TYPES = (FORM, *RAW)
"""The media types to use. Others are taken, too, unless `_NOT_RECORDINGS` has them."""

JSON = "application/json"
MAX_JSON_BYTES = 16_384  # of a body in JSON; 128 numbers of 17 digits need 3,000

FILE_PART = "file"  # name of the form's part that holds the recording
FILES_PART = "files"  # and of those that hold several
MAX_BATCH_FILES = 16

_MEDIA_TYPE = re.compile(r"[\w!#$%&'+.^`|~-]+/[\w!#$%&'+.^`|~-]+", re.ASCII)
_NOT_RECORDINGS = re.compile(
    r"text/.*|multipart/.*|application/(?:.*\+)?json|application/x-www-form-urlencoded"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BASE64 = re.compile(
    rb";base64,|%3Bbase64(?:,|%2C)"  # a data URL, as it is or in a urlencoded form
    rb"|[\w+/%\\-]{240,}|(?:[\w+/%\\-]{60,}+\s+){3}",  # or a long run, or three full lines
    re.IGNORECASE | re.ASCII,
)
_INSPECTED = 4_096  # bytes at the start of a body that are checked for text and base64

_HOW = f"Send the recording as a file part named {FILE_PART}, as curl -F {FILE_PART}=@clip.mp3 does"

_NO_BASE64 = (
    "The recording came as base64 text. Send its bytes instead: decode the base64 or the data URL "
    f"first, or send the file or Blob itself, as a form's part named {FILE_PART}, or as the body "
    "with its own Content-Type, such as audio/mp4."
)


class UploadError(ValueError):
    """A request has no recording that can be analysed. The message is for its sender."""


class UnsupportedMediaTypeError(UploadError):
    """The Content-Type is missing, or that of something which cannot be a recording."""


class NotJsonError(UploadError):
    """The Content-Type is not that of JSON, where the body must be."""


class UnsupportedContentEncodingError(UploadError):
    """The body has a Content-Encoding, such as gzip."""


class Base64Error(UploadError):
    """The recording came as base64 text: as a data URL, in JSON, in a form or by itself."""


class BodyTooLargeError(UploadError):
    """The body is larger than the limit, or its Content-Length says so."""

    @classmethod
    def of(cls, max_bytes: int) -> Self:
        """Return the error for a limit."""
        if max_bytes < 2**20:
            return cls(f"Send at most {max_bytes / 2**10:.3g} KiB.")
        return cls(f"Send at most {max_bytes / 2**20:.3g} MiB.")


class EmptyBodyError(UploadError):
    """The recording has no bytes."""


class IncompleteBodyError(UploadError):
    """The sender disconnected before the end of the body; nobody reads this message."""


class UploadTimeoutError(UploadError):
    """The body took longer to arrive than the limit."""


class MalformedMultipartError(UploadError):
    """The body is not the form that its Content-Type announces, or has too many parts."""


class MissingFileError(UploadError):
    """The form has no file part named `FILE_PART`."""


@dataclass(frozen=True)
class Upload:
    """One file of several, before its content was looked at."""

    filename: str
    data: bytes


async def read(request: Request, max_bytes: int, seconds: float) -> bytes:
    """Read the recording in a request.

    Parameters
    ----------
    request : Request
        Either a form with one file, or the file itself as the body.
    max_bytes : int
        Limit of the body. A Content-Length above it is refused before the body is read, a
        longer body as soon as it passes the limit.
    seconds : float
        Longest time that the body may take to arrive.

    Raises
    ------
    UploadError
        If there is no recording; each subclass says when.
    """
    media_type = _media_type(request)
    async with _body(request, max_bytes, seconds) as chunks:
        if media_type == FORM:
            part = _only_file(await _parts(request, chunks, FILE_PART))
        elif _is_accepted(media_type):
            return usable(await _join(chunks))
        else:
            await _refuse(chunks, _why_not(media_type))
    data = usable(await _content(part))
    if part.filename is None and _is_text(data):
        raise MissingFileError(f"The part {FILE_PART} came as text, without a filename. {_HOW}.")
    return data


async def read_several(request: Request, max_bytes: int, seconds: float) -> list[Upload]:
    """Read the recordings of a form, at most `MAX_BATCH_FILES`; else as `read`."""
    async with _body(request, max_bytes, seconds) as chunks:
        if _media_type(request) != FORM:
            await _refuse(chunks, f"Send a form: Content-Type {FORM}.")
        parts = await _parts(request, chunks, FILES_PART)
    if not parts:
        raise MissingFileError(
            f"The form has no file part named {FILES_PART}. Send each recording as one, as "
            f"curl -F {FILES_PART}=@a.mp3 -F {FILES_PART}=@b.mp3 does."
        )
    if len(parts) > MAX_BATCH_FILES:
        raise MalformedMultipartError(
            f"The form has {len(parts)} files. Maximum number of files is {MAX_BATCH_FILES}."
        )
    return [Upload(part.filename or "", await _content(part)) for part in parts]


async def read_json(request: Request, seconds: float) -> bytes:
    """Read a body of JSON, which is not parsed here, of at most `MAX_JSON_BYTES`; else as `read`.

    The media type must be that of JSON: a page of another origin cannot send it unasked.
    """
    async with _body(request, MAX_JSON_BYTES, seconds) as chunks:
        if _media_type(request) != JSON:
            raise NotJsonError(f"Send JSON: Content-Type {JSON}.")
        data = await _join(chunks)
    if not data:
        raise EmptyBodyError("The body is empty.")
    return data


def usable(data: bytes) -> bytes:
    """Return the bytes of a recording.

    Raises
    ------
    EmptyBodyError
        If there are none.
    Base64Error
        If they are base64 text.
    """
    if not data:
        raise EmptyBodyError("The recording is empty: it has no bytes.")
    if _is_text(data) and _BASE64.search(data[:_INSPECTED]):
        raise Base64Error(_NO_BASE64)
    return data


def _is_text(data: bytes) -> bool:
    """Return whether a body or part begins as a text does: without a control character."""
    return not _CONTROL.search(data[:_INSPECTED])


def _media_type(request: Request) -> str:
    """Return the media type of a body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_accepted(media_type: str) -> bool:
    """Return whether a raw body of a media type may be a recording: the content decides."""
    return bool(_MEDIA_TYPE.fullmatch(media_type)) and not _NOT_RECORDINGS.fullmatch(media_type)


def _why_not(media_type: str) -> str:
    """Explain why a body is not read as a recording, and how to send one."""
    known = _MEDIA_TYPE.fullmatch(media_type)
    problem = (
        f"A body of {media_type} is not a recording."
        if known
        else "The request has no valid Content-Type."
    )
    return (
        f"{problem} Set the Content-Type to the recording's own, such as audio/mpeg "
        f"(application/octet-stream if unknown), or send a form: curl -F {FILE_PART}=@clip.mp3."
    )


@asynccontextmanager
async def _body(
    request: Request, max_bytes: int, seconds: float
) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Give the chunks of a body within the time limit."""
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise UnsupportedContentEncodingError(
            "A body with a Content-Encoding, such as gzip, is not accepted. Send it as it is, "
            "without that header; recordings are compressed already."
        )
    try:
        with fail_after(seconds):
            async with aclosing(_chunks(request, max_bytes)) as chunks:
                yield chunks
    except TimeoutError as error:
        raise UploadTimeoutError(f"The body did not arrive within {seconds:g} s.") from error
    except ClientDisconnect as error:
        raise IncompleteBodyError("The connection ended before the body did.") from error


async def _chunks(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives, up to the limit."""
    too_large = BodyTooLargeError.of(max_bytes)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large
    received = 0
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            received += len(chunk)
            if received > max_bytes:
                raise too_large
            yield chunk


async def _join(chunks: AsyncGenerator[bytes, None]) -> bytes:
    """Return a whole body; `BytesIO` gives its buffer away without a copy."""
    whole = BytesIO()
    async for chunk in chunks:
        whole.write(chunk)
    return whole.getvalue()


async def _refuse(chunks: AsyncGenerator[bytes, None], why: str) -> NoReturn:
    """Refuse a body of another media type: as empty, as base64, or with the reason `why`."""
    start = b""
    async for chunk in chunks:
        start += chunk
        if len(start) >= _INSPECTED:
            break
    if start:
        usable(start)
    raise UnsupportedMediaTypeError(why)


async def _parts(request: Request, chunks: AsyncGenerator[bytes, None], name: str) -> list[Part]:
    """Return the parts of a form that have a name."""
    try:
        return await read_parts(request.headers["content-type"], chunks, name)
    except FormError as error:
        raise MalformedMultipartError(f"The form cannot be read: {error}. {_HOW}.") from error


def _only_file(parts: list[Part]) -> Part:
    """Return the one part that is not empty, or an empty one where all are."""
    if not parts:
        raise MissingFileError(f"The form has no part named {FILE_PART}. {_HOW}.")
    filled = [part for part in parts if part.content.tell()]
    if len(filled) > 1:
        raise MalformedMultipartError(
            f"The form has {len(filled)} parts named {FILE_PART}. Send one; /v1/analyze/batch "
            f"takes several, named {FILES_PART}."
        )
    return (filled or parts)[0]


async def _content(part: Part) -> bytes:
    """Return the bytes of a part, without its transfer encoding."""
    data = part.content.getvalue()
    if part.transfer_encoding in {"base64", "quoted-printable"} and data.isascii():
        return await to_thread.run_sync(_decode, part.transfer_encoding, data)
    return data


def _decode(transfer_encoding: str, data: bytes) -> bytes:
    """Undo a transfer encoding, which RFC 7578 deprecates, unless the content does not have it."""
    if transfer_encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    try:
        return binascii.a2b_base64(data.translate(None, b" \t\r\n"), strict_mode=True)
    except binascii.Error:
        return data
