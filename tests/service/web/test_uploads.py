import asyncio
import tempfile

import pytest
from starlette.requests import Request

from service.web import uploads

RECORDING = bytes(range(256)) * 4
LIMIT = 100_000
SECONDS = 60
FORM = "multipart/form-data; boundary=B"
FILE = 'Content-Disposition: form-data; name="file"; filename="a.webm"'
FIELD = 'Content-Disposition: form-data; name="{}"'


def form(*parts):
    """A form whose parts are pairs of headers and content."""
    body = b"".join(
        b"--B\r\n" + headers.encode("latin-1") + b"\r\n\r\n" + content + b"\r\n"
        for headers, content in parts
    )
    return body + b"--B--\r\n"


def read(content_type, body, chunk=1_000, headers=(), limit=LIMIT, ends=True):
    """What `uploads.read` makes of a request, and how many of its messages it took."""
    chunks = [body[start : start + chunk] for start in range(0, len(body), chunk)] or [b""]
    messages = [{"type": "http.request", "body": each, "more_body": True} for each in chunks]
    messages.append({"type": "http.request", "body": b""} if ends else {"type": "http.disconnect"})
    taken = iter(messages)

    async def receive():
        return next(taken)

    labels = [(b"content-type", content_type.encode("latin-1"))] if content_type else []
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [*labels, *headers]}
    data = asyncio.run(uploads.read(Request(scope, receive), limit, SECONDS))
    assert not list(taken)
    return data


class TestRaw:
    @pytest.mark.parametrize(
        "content_type",
        [
            "audio/mpeg",
            "audio/webm;codecs=opus",
            "Audio/WAV ; x=y",
            "video/webm; codecs=vp8,opus",
            "video/mp4",
            "application/ogg",
            "application/octet-stream",
        ],
    )
    def test_the_body_is_the_recording(self, content_type):
        assert read(content_type, RECORDING) == RECORDING

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "audio",
            "text/plain",
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/mixed; boundary=B",
            "video/x-msvideo",
            "*/*",
            ";",
            "\xff/\xfe",
        ],
    )
    def test_other_media_types_are_refused(self, content_type):
        with pytest.raises(uploads.UnsupportedMediaTypeError, match="Content-Type"):
            read(content_type, RECORDING)

    def test_an_empty_body_is_refused(self):
        with pytest.raises(uploads.EmptyBodyError):
            read("audio/mpeg", b"")

    def test_a_sender_who_leaves_is_noticed(self):
        with pytest.raises(uploads.IncompleteBodyError):
            read("audio/mpeg", RECORDING, ends=False)


class TestLimit:
    def test_a_body_of_just_the_limit_is_read(self):
        assert len(read("audio/mpeg", bytes(LIMIT))) == LIMIT

    @pytest.mark.parametrize("content_type", ["audio/mpeg", FORM])
    def test_a_longer_body_is_refused(self, content_type):
        with pytest.raises(uploads.BodyTooLargeError, match=r"at most 0\.0954 MiB"):
            read(content_type, form((FILE, bytes(LIMIT + 1))))

    @pytest.mark.parametrize("content_type", ["audio/mpeg", FORM])
    def test_a_body_said_to_be_longer_is_not_read(self, content_type):
        async def receive():
            raise AssertionError

        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(LIMIT + 1).encode()),
        ]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        with pytest.raises(uploads.BodyTooLargeError):
            asyncio.run(uploads.read(Request(scope, receive), LIMIT, SECONDS))

    @pytest.mark.parametrize("content_type", ["audio/mpeg", FORM])
    def test_no_more_than_a_chunk_above_the_limit_is_read(self, content_type):
        received = 0

        async def receive():
            nonlocal received
            received += 1_000
            start = form((FILE, b""))[:-9] if received == 1_000 else b""
            return {"type": "http.request", "body": start + bytes(1_000), "more_body": True}

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(b"content-type", content_type.encode())],
        }
        with pytest.raises(uploads.BodyTooLargeError):
            asyncio.run(uploads.read(Request(scope, receive), LIMIT, SECONDS))
        assert received <= LIMIT + 1_000


@pytest.mark.parametrize("content_type", ["audio/mpeg", FORM])
def test_a_body_that_takes_too_long_is_refused(content_type):
    async def receive():
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": b"", "more_body": True}

    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    with pytest.raises(uploads.UploadTimeoutError, match=r"within 0\.05 s"):
        asyncio.run(uploads.read(Request(scope, receive), LIMIT, 0.05))


class TestForm:
    @pytest.mark.parametrize("chunk", [1, 7, 1_000_000])
    def test_the_file_part_is_the_recording(self, chunk):
        assert read(FORM, form((FILE, RECORDING)), chunk) == RECORDING

    @pytest.mark.parametrize("content_type", ['multipart/form-data; boundary="B"', FORM.upper()])
    def test_the_header_may_be_written_otherwise(self, content_type):
        assert read(content_type, form((FILE, RECORDING))) == RECORDING

    def test_other_fields_are_ignored(self):
        fields = [(FIELD.format("title"), b"x")] * uploads.MAX_FIELDS
        assert read(FORM, form(*fields, (FILE, RECORDING))) == RECORDING

    def test_what_follows_the_form_is_ignored(self):
        assert read(FORM, form((FILE, RECORDING)) + b"epilogue") == RECORDING

    @pytest.mark.parametrize(
        "headers",
        [
            'Content-Disposition: form-data; name="file"; filename="\xff\xfe\0"',
            'Content-Disposition: form-data; name="file"; filename="../../etc/passwd"',
            'Content-Disposition: form-data; name="file"; filename=""',
            FILE + "\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64",
        ],
    )
    def test_a_part_is_not_believed(self, headers):
        assert read(FORM, form((headers, RECORDING))) == RECORDING

    def test_an_empty_file_is_refused(self):
        with pytest.raises(uploads.EmptyBodyError):
            read(FORM, form((FILE, b"")))

    def test_another_name_is_refused(self):
        with pytest.raises(uploads.MissingFileError, match="no part named file"):
            read(FORM, form((FILE.replace('"file"', '"clip"'), RECORDING)))

    def test_a_part_without_filename_is_explained(self):
        with pytest.raises(uploads.MissingFileError, match=r"without a filename.*curl -F file=@"):
            read(FORM, form((FIELD.format("file"), b"short")))

    def test_a_long_part_without_filename_is_explained(self):
        with pytest.raises(uploads.MalformedMultipartError, match="as a file part named file"):
            read(FORM, form((FIELD.format("file"), bytes(5_000))))

    def test_a_form_without_parts_is_refused(self):
        with pytest.raises(uploads.MissingFileError):
            read(FORM, form())

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("multipart/form-data", form((FILE, RECORDING))),
            ("multipart/form-data; boundary=", form((FILE, RECORDING))),
            ("multipart/form-data; boundary=C", form((FILE, RECORDING))),
            (f"multipart/form-data; boundary={'B' * 300}", form((FILE, RECORDING))),
            (FORM, b""),
            (FORM, b"no form at all"),
            (FORM, form((FILE, RECORDING))[:-9]),
            (FORM, form((FILE, RECORDING))[:30]),
            (FORM, form((FILE, RECORDING), (FILE, RECORDING))),
            (FORM, form(*[(FIELD.format("a"), b"x")] * 9, (FILE, RECORDING))),
            (FORM, form((FIELD.format("a"), bytes(2_000)), (FILE, RECORDING))),
            (FORM, form(("Content-Disposition: form-data", RECORDING))),
            (FORM, form(("X-Nothing: here", RECORDING))),
            (FORM, form((FILE + "\r\nX: y" * 100, RECORDING))),
            (FORM, form((FILE + "\r\nX: " + "y" * 9_000, RECORDING))),
            (FORM, form(("\0: a", RECORDING))),
        ],
    )
    def test_a_malformed_form_is_refused(self, content_type, body):
        with pytest.raises(uploads.MalformedMultipartError):
            read(content_type, body)

    @pytest.mark.parametrize("charset", ["utf-8", "latin-1", "hex", "no-such", "\xff", "idna"])
    def test_a_charset_changes_nothing(self, charset):
        assert read(f"{FORM}; charset={charset}", form((FILE, RECORDING))) == RECORDING

    def test_a_charset_that_refuses_to_work_is_refused(self):
        with pytest.raises(uploads.MalformedMultipartError, match="charset"):
            read(f"{FORM}; charset=undefined", form((FILE, RECORDING)))

    def test_a_sender_who_leaves_is_noticed(self):
        with pytest.raises(uploads.IncompleteBodyError):
            read(FORM, form((FILE, RECORDING))[:500], ends=False)

    def test_nothing_is_written_to_disk(self, monkeypatch):
        def rollover(self):
            raise AssertionError

        monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
        monkeypatch.setattr(tempfile, "TemporaryFile", rollover)
        recording = bytes(5 * 2**20)
        data = read(FORM, form((FILE, recording)), 65_536, limit=2**24)
        assert data == recording
