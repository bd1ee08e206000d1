"""One HTTP request on a connection of its own, for the load clients.

A persistent connection stays with one of several server processes, which may be the busy one. The
bytes are sent as they are: a load client builds its requests once, before it measures.
"""

import asyncio
import re
from dataclasses import dataclass

CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """The parsed bytes of an answer.

    Attributes
    ----------
    status : int or None
        None if no byte arrived; 0 if the first line is not HTTP.
    head : bytes
        The first line and the headers, in lower case.
    body : bytes
    whole : bool
        Whether the body is as long as its Content-Length.
    """

    status: int | None
    head: bytes
    body: bytes
    whole: bool


def parse(received):
    """Parse the bytes of an answer."""
    if not received:
        return Answer(None, b"", b"", whole=False)
    head, _, body = received.partition(b"\r\n\r\n")
    head = head.lower()
    status = re.match(rb"http/1\.1 (\d+) ", head)
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    whole = length is not None and len(body) == int(length[1])
    return Answer(int(status[1]) if status else 0, head, body, whole)


async def exchange(host, port, request, seconds):
    """Send a request that asks for ``Connection: close``, and return all bytes of the answer.

    A connection that fails ends the answer: the bytes before that are returned.

    Raises
    ------
    TimeoutError
        If the answer takes longer than `seconds`.
    """
    received, writer = b"", None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(request)
            while chunk := await reader.read(CHUNK_BYTES):
                received += chunk
    except ConnectionError:
        pass
    finally:
        if writer:
            writer.close()
    return received
