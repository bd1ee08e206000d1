import asyncio

import pytest

from service.web.forms import FormError, read_parts

BOUNDARY = "multipart/form-data; boundary=B"


def parts_of(body, content_type=BOUNDARY, name="files", chunk=1_000):
    async def chunks():
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]

    return asyncio.run(read_parts(content_type, chunks(), name))


def form(*dispositions):
    return b"".join(
        b"--B\r\nContent-Disposition: form-data; " + each + b"\r\n\r\nx\r\n"
        for each in dispositions
    ) + (b"--B--\r\n")


def test_only_parts_of_the_name_are_kept_in_their_order():
    body = form(b'name="files"; filename="a"', b'name="other"', b'name="files"; filename="b"')
    parts = parts_of(body)
    assert [(part.filename, part.content.getvalue()) for part in parts] == [
        ("a", b"x"),
        ("b", b"x"),
    ]


@pytest.mark.parametrize(
    ("written", "filename"),
    [
        (b'filename="a b.mp3"', "a b.mp3"),
        (b"filename=a.mp3", "a.mp3"),
        (b'filename="a\\"b.mp3"', 'a"b.mp3'),
        (b'filename="\xc3\xbc.mp3"', "ü.mp3"),
        (b'filename="\xfc.mp3"', "ü.mp3"),
        (b"filename*=UTF-8''%C3%BC.mp3", "ü.mp3"),
        (b"FileName*=iso-8859-1'en'%FC.mp3", "ü.mp3"),
        (b"filename=plain.mp3; filename*=UTF-8''%C3%BC.mp3", "plain.mp3"),
        (b"filename*=iso-8859-1''%FC.mp3", "ü.mp3"),
        (b"filename*=utf-8''%ED%A0%80", "\ufffd\ufffd\ufffd"),
        (b"filename*=unicode_escape''%5Cud800", "%5Cud800"),
        (b"filename*=utf-7''%2B2AA-", "%2B2AA-"),
        (b"filename*=hex''61", "61"),
        (b"filename*=none-such''a", "a"),
        (b'filename=""', ""),
        (b"title=a", None),
    ],
)
def test_filenames(written, filename):
    (part,) = parts_of(form(b"name=files; " + written))
    assert part.filename == filename
    (part.filename or "").encode()  # what is no text, such as half a surrogate, cannot be answered


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1_000])
@pytest.mark.parametrize(
    "content",
    [b"\r\n", b"\r\n--", b"\r\n--A", b"--B", b"\r--B\r\n", b"\r\n\r\n--\r\n--", b"-" * 99, b""],
)
def test_a_content_that_resembles_a_boundary_is_kept_whole(content, chunk):
    body = b"--B\r\nContent-Disposition: form-data; name=files\r\n\r\n" + content + b"\r\n--B--"
    (part,) = parts_of(body, chunk=chunk)
    assert part.content.getvalue() == content


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("multipart/form-data", form(b"name=files"), "has no boundary"),
        ("multipart/form-data; boundary=C", form(b"name=files"), "is not in the body"),
        (BOUNDARY, form(b"name=files")[:-5], "before its closing boundary"),
        (BOUNDARY, form(b"filename=a"), "no name"),
        (BOUNDARY, form(*[b"name=a"] * 65), "more than 64 parts"),
        (BOUNDARY, form(*[b"name=a" + b";" * 30_000] * 3), "headers of its parts are too long"),
    ],
)
def test_the_error_of_a_malformed_form_names_the_fault(content_type, body, message):
    with pytest.raises(FormError, match=message):
        parts_of(body, content_type)
