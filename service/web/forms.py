"""Multipart forms (RFC 7578): the parts of one name, held in memory.

Starlette's own parser writes files to disk and gives a part without a filename another limit than a
file. Here every part may be the recording. Parts of other names are read and dropped, so that they
cost nothing; their number is limited.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

MAX_PARTS = 64
MAX_BOUNDARY = 1_000  # RFC 2046 has 70; some libraries write more
MAX_PART_HEADERS = 32
MAX_HEADER_BYTES = 32_768  # of one: a filename of 5,000 characters, most of them as %C3%BC
CHARSETS = ("utf-8", "iso-8859-1")  # of RFC 8187; some that Python has decode to what is no text
MAX_ALL_HEADERS_BYTES = 65_536  # of all parts: to parse a megabyte of them would take seconds

_EXTENDED_FILENAME = re.compile(rb";\s*filename\*\s*=\s*([\w-]+)'[^']*'([^;\s]+)", re.IGNORECASE)


class FormError(ValueError):
    """A body is not the form that its Content-Type announces, or exceeds a limit."""


@dataclass
class Part:
    """A part of a form.

    Attributes
    ----------
    filename : str or None
        As the sender wrote it. Nothing may depend on it.
    transfer_encoding : str
        The part's Content-Transfer-Encoding in lower case, or an empty string.
    content : BytesIO
    """

    filename: str | None
    transfer_encoding: str
    content: BytesIO = field(default_factory=BytesIO)


async def read_parts(
    content_type: str, chunks: AsyncGenerator[bytes, None], name: str
) -> list[Part]:
    """Read the parts of a form that have a name.

    Parameters
    ----------
    content_type : str
        The request's header, which has the boundary.
    chunks : async generator of bytes
        The body. The caller limits its size.
    name : str

    Raises
    ------
    FormError
        If the body is not a whole form, or a limit of this module is exceeded.
    """
    boundary = _boundary(content_type)
    collector = _Collector(name)
    parser = MultipartParser(
        b"-",
        collector.callbacks(),  # type: ignore[arg-type]
        max_header_count=MAX_PART_HEADERS,
        max_header_size=MAX_HEADER_BYTES,
    )
    parser.boundary = b"\r\n--" + boundary  # here, because the constructor takes at most 256 bytes
    try:
        async with aclosing(_without_preamble(chunks, parser.boundary)) as form:
            async for chunk in form:
                parser.write(chunk)
    except FormParserError as error:
        raise FormError(
            "a boundary or the headers of a part cannot be read; their lines must end with CR LF"
        ) from error
    if not collector.is_complete:
        raise FormError("it ends before its closing boundary")
    return collector.parts


def _boundary(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise FormError("its Content-Type has no boundary; let the HTTP library write that header")
    if len(boundary) > MAX_BOUNDARY:
        raise FormError(f"its boundary is longer than {MAX_BOUNDARY} characters")
    return boundary


async def _without_preamble(
    chunks: AsyncGenerator[bytes, None], delimiter: bytes
) -> AsyncGenerator[bytes, None]:
    """Yield a body from its first delimiter on: the parser does not take text before it."""
    begun, seen = False, b"\r\n"
    async for chunk in chunks:
        if begun:
            yield chunk
            continue
        seen += chunk
        start = seen.find(delimiter)
        begun = start >= 0
        if begun:
            yield seen[start + len(b"\r\n") :]
        else:
            seen = seen[-len(delimiter) :]  # a delimiter may begin in one chunk and end in the next
    if not begun:
        raise FormError("the boundary that its Content-Type names is not in the body")


class _Collector:
    """Keeps the parts of one name; its methods are the parser's callbacks."""

    def __init__(self, name: str) -> None:
        self.parts: list[Part] = []
        self.is_complete = False
        self._name = name.encode()
        self._count = 0
        self._headers_bytes = 0
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = bytearray(), bytearray()
        self._part: Part | None = None

    def callbacks(self) -> dict[str, object]:
        """Return the methods under the parser's names for them."""
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._extend_header,
            "on_header_value": self._extend_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._extend_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise FormError(f"it has more than {MAX_PARTS} parts")
        self._headers, self._part = {}, None

    def _extend_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _extend_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers_bytes += len(self._header) + len(self._value)
        if self._headers_bytes > MAX_ALL_HEADERS_BYTES:
            raise FormError("the headers of its parts are too long")
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        options = parse_options_header(disposition)[1]
        if b"name" not in options:
            raise FormError("a part has no name in its Content-Disposition")
        if options[b"name"] == self._name:
            encoding = self._headers.get(b"content-transfer-encoding", b"")
            self._part = Part(
                _filename(disposition, options), encoding.decode("latin-1").strip().lower()
            )
            self.parts.append(self._part)

    def _extend_part(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part.content.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self.is_complete = True


def _filename(disposition: bytes, options: dict[bytes, bytes]) -> str | None:
    """Return a part's filename, which some libraries write as RFC 8187 has it."""
    if (plain := options.get(b"filename")) is not None:
        try:
            return plain.decode()
        except UnicodeDecodeError:
            return plain.decode("latin-1")
    extended = _EXTENDED_FILENAME.search(disposition)
    if extended is None:
        return None
    charset, text = (each.decode("latin-1") for each in extended.groups())
    return unquote(text, charset) if charset.lower() in CHARSETS else text
