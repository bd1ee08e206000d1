"""The objects of an ASF file, the container of WMA, that are not tags."""

from typing import BinaryIO
from uuid import UUID

from service.library.tags.ranges import Parts, digest, read_at, size_of

HEADER = UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c")
FILE_PROPERTIES = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365")
TAGS = {
    UUID("75b22633-668e-11cf-a6d9-00aa0062ce6c"),  # content description
    UUID("d2d0a440-e307-11d2-97f0-00a0c95ea850"),  # extended content description
    UUID("5fbf03b5-a92e-11cf-8ee3-00c00c205365"),  # header extension: more tags, and padding
    UUID("1806d474-cadf-4509-a4ba-9aabcb96aae8"),  # padding
}
SIZE = slice(16, 24)  # of the file; bytes of the file properties


def objects(file: BinaryIO) -> Parts:
    """List all objects except tags."""
    length = int.from_bytes(read_at(file, 16, 8), "little")
    found: Parts = []
    at = 30
    while at + 24 <= length:
        head = read_at(file, at, 24)
        name, end = UUID(bytes_le=head[:16]), at + int.from_bytes(head[16:], "little")
        if end < at + 24:
            break
        if name == FILE_PROPERTIES:
            data = bytearray(read_at(file, at + 24, end - at - 24))
            data[SIZE] = bytes(8)
            found.append((str(name), bytes(data).hex()))
        elif name not in TAGS:
            found.append((str(name), digest(file, at, end)))
        at = end
    size = size_of(file)
    return [*sorted(found, key=str), ("sound", size - length, digest(file, length, size))]
