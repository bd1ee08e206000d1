"""Uploads: the body of a request -> the bytes of one recording, in memory only.

Nothing is written to disk, and no more than the limit is ever held. What arrives is not believed:
the media type only chooses between a form and a raw body, `service.audio` looks at the content.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from anyio import fail_after
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

FORM = "multipart/form-data"
RAW = ("audio/*", "video/webm", "video/mp4", "application/ogg", "application/octet-stream")
MEDIA_TYPES = (FORM, *RAW)
"""What a request may be labelled as; browsers label a recording of sound as video, too."""

FILE_PART = "file"  # name of the form's part that holds the recording
FILES_PART = "files"  # and of those that hold several
MAX_BATCH_FILES = 16
MAX_FIELDS = 8  # other parts, which are ignored
MAX_FIELD_BYTES = 1_024

_HOW = f"Send the recording as a file part named {FILE_PART}, as curl -F {FILE_PART}=@clip.mp3 does"


class UploadError(ValueError):
    """A request holds no recording that could be looked at. The message is for its sender."""


class UnsupportedMediaTypeError(UploadError):
    """The Content-Type is missing, or not one of `MEDIA_TYPES`."""


class BodyTooLargeError(UploadError):
    """The body is, or says that it is, larger than the limit."""


class EmptyBodyError(UploadError):
    """There is no byte of a recording."""


class IncompleteBodyError(UploadError):
    """The sender left before the end of the body: nobody reads this."""


class UploadTimeoutError(UploadError):
    """The body takes longer to arrive than it may."""


class MalformedMultipartError(UploadError):
    """The body is not the form that its Content-Type announces, or has too many parts."""


class MissingFileError(UploadError):
    """The form has no file part named `FILE_PART`."""


@dataclass(frozen=True)
class Upload:
    """A recording of several, as it came."""

    filename: str
    data: bytes


async def read(request: Request, max_bytes: int, seconds: float) -> bytes:
    """Read the recording that a request brings.

    Parameters
    ----------
    request : Request
        Either a form with one file, or the file itself as the body.
    max_bytes : int
        Limit of the body. A Content-Length above it is refused before the body is read, a
        longer body as soon as it passes the limit.
    seconds : float
        Longest that the body may take to arrive.

    Raises
    ------
    UploadError
        If there is none; each subclass says when.
    """
    media_type = _media_type(request)
    if not _is_accepted(media_type):
        raise UnsupportedMediaTypeError(
            f"Label the body with a Content-Type, {FORM} or the recording's own such as audio/mpeg."
        )
    async with _body(request, max_bytes, seconds) as chunks:
        if media_type == FORM:
            data = await _file_part(request.headers, chunks)
        else:
            data = b"".join([chunk async for chunk in chunks])
    return some(data)


async def read_several(request: Request, max_bytes: int, seconds: float) -> list[Upload]:
    """Read the recordings of a form, at most `MAX_BATCH_FILES`; else as `read`."""
    if _media_type(request) != FORM:
        raise UnsupportedMediaTypeError(f"Send a form: Content-Type {FORM}.")
    async with _body(request, max_bytes, seconds) as chunks:
        return await _file_parts(request.headers, chunks)


def some(data: bytes) -> bytes:
    """Return what there is, and raise `EmptyBodyError` if it is nothing."""
    if not data:
        raise EmptyBodyError("The recording is empty: no byte of it arrived.")
    return data


def _media_type(request: Request) -> str:
    """Return the label of a body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def _body(
    request: Request, max_bytes: int, seconds: float
) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Give the chunks of a body while there is time."""
    try:
        with fail_after(seconds):
            async with aclosing(_chunks(request, max_bytes)) as chunks:
                yield chunks
    except TimeoutError as error:
        raise UploadTimeoutError(f"The body did not arrive within {seconds:g} s.") from error
    except ClientDisconnect as error:
        raise IncompleteBodyError("The connection ended before the body did.") from error


def _is_accepted(media_type: str) -> bool:
    """Tell whether a media type without parameters is one of `MEDIA_TYPES`."""
    return media_type in MEDIA_TYPES or media_type.startswith("audio/")


async def _chunks(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives, up to the limit."""
    too_large = BodyTooLargeError(f"Send at most {max_bytes / 2**20:.3g} MiB.")
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


class _InMemoryParser(MultiPartParser):
    """Starlette's parser, kept from the disk and made to notice a form that breaks off."""

    spool_max_size = 0  # to a SpooledTemporaryFile, 0 is: never roll over to disk

    def __init__(
        self, headers: Headers, chunks: AsyncGenerator[bytes, None], max_files: int
    ) -> None:
        super().__init__(
            headers,
            self._whole(chunks),
            max_files=max_files,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        self._complete = False

    def on_end(self) -> None:
        """Note that the closing boundary has come."""
        self._complete = True

    async def _whole(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Pass a form on, and fail if it was none to its end: the parser then closes its files."""
        async for chunk in chunks:
            yield chunk
        if not self._complete:
            raise MalformedMultipartError("The form breaks off before its closing boundary.")


@asynccontextmanager
async def _form(
    headers: Headers, chunks: AsyncGenerator[bytes, None], max_files: int
) -> AsyncIterator[FormData]:
    """Parse a form, and let go of its files at the end."""
    try:
        form = await _InMemoryParser(headers, chunks, max_files).parse()
    except MultiPartException as error:
        raise MalformedMultipartError(
            f"The form cannot be read: {error.message.rstrip('.')}. {_HOW}."
        ) from error
    except UnicodeError as error:  # some of Python's codecs can be named and refuse to work
        raise MalformedMultipartError("The form's charset cannot be read; leave it out.") from error
    try:
        yield form
    finally:
        await form.close()


async def _file_part(headers: Headers, chunks: AsyncGenerator[bytes, None]) -> bytes:
    """Return the content of a form's file part."""
    async with _form(headers, chunks, max_files=1) as form:
        parts = form.getlist(FILE_PART)
        for part in parts:
            if isinstance(part, UploadFile):
                return await part.read()
        if parts:
            raise MissingFileError(
                f"The part {FILE_PART} came as text, without a filename. {_HOW}."
            )
        raise MissingFileError(f"The form has no part named {FILE_PART}. {_HOW}.")


async def _file_parts(headers: Headers, chunks: AsyncGenerator[bytes, None]) -> list[Upload]:
    """Return a form's file parts."""
    async with _form(headers, chunks, MAX_BATCH_FILES) as form:
        files = [part for part in form.getlist(FILES_PART) if isinstance(part, UploadFile)]
        if not files:
            raise MissingFileError(
                f"The form has no file part named {FILES_PART}. "
                f"Send each recording as one, as curl -F {FILES_PART}=@a.mp3 -F {FILES_PART}=@b.mp3"
                " does."
            )
        return [Upload(file.filename or "", await file.read()) for file in files]
