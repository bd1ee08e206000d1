import asyncio
import base64
import json
import quopri
import tempfile
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from service.web import forms, uploads

RECORDING = bytes(range(256)) * 4
LIMIT = 100_000
SECONDS = 60
FORM = "multipart/form-data; boundary=B"
FILE = 'Content-Disposition: form-data; name="file"; filename="a.webm"'
BLOB = 'Content-Disposition: form-data; name="{}"; filename="blob"'
FIELD = 'Content-Disposition: form-data; name="{}"'


def form(*parts):
    """A form whose parts are pairs of headers and content."""
    body = b"".join(
        b"--B\r\n" + headers.encode("latin-1") + b"\r\n\r\n" + content + b"\r\n"
        for headers, content in parts
    )
    return body + b"--B--\r\n"


def read(content_type, body, chunk=1_000, headers=(), limit=LIMIT, ends=True):
    """Return the result of `uploads.read`, which must receive every message."""
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
            "video/3gpp",
            "video/quicktime",
            "video/x-matroska",
            "application/ogg",
            "application/mp4",
            "application/x-ogg",
            "application/vnd.apple.mpegurl",
            "application/octet-stream",
            "binary/octet-stream",
            "music/crescendo",
        ],
    )
    def test_the_body_is_the_recording(self, content_type):
        assert read(content_type, RECORDING) == RECORDING

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "audio",
            "audio/",
            "text/plain",
            "text/html; charset=utf-8",
            "application/json",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "multipart/mixed; boundary=B",
            "/",
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

    def test_a_disconnect_is_an_incomplete_body(self):
        with pytest.raises(uploads.IncompleteBodyError):
            read("audio/mpeg", RECORDING, ends=False)


class TestLimit:
    def test_a_body_of_just_the_limit_is_read(self):
        assert len(read("audio/mpeg", bytes(LIMIT))) == LIMIT

    @pytest.mark.parametrize("content_type", ["audio/mpeg", FORM])
    def test_a_longer_body_is_refused(self, content_type):
        with pytest.raises(uploads.BodyTooLargeError, match=r"at most 97\.7 KiB"):
            read(content_type, form((FILE, bytes(LIMIT + 1))))

    @pytest.mark.parametrize("content_type", ["audio/mpeg", FORM])
    def test_a_body_with_a_larger_content_length_is_not_read(self, content_type):
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
    def test_other_spellings_of_the_content_type_are_read(self, content_type):
        assert read(content_type, form((FILE, RECORDING))) == RECORDING

    def test_other_fields_are_ignored(self):
        fields = [(FIELD.format("token"), b"x" * 1_000)] * (forms.MAX_PARTS - 1)
        assert read(FORM, form(*fields, (FILE, RECORDING))) == RECORDING

    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize(
        "other",
        [
            (BLOB.format("meta") + "\r\nContent-Type: application/json", b"{}"),
            (BLOB.format("cover") + "\r\nContent-Type: image/png", b"\x89PNG" + bytes(50_000)),
            (BLOB.format("files"), RECORDING),
            (FILE, b""),
            (FIELD.format("file"), b""),
        ],
        ids=["json", "cover", "recording", "empty", "empty-text"],
    )
    def test_other_file_parts_are_ignored(self, other, first):
        parts = [other, (FILE, RECORDING)]
        assert read(FORM, form(*(parts if first else parts[::-1]))) == RECORDING

    def test_two_recordings_are_refused_and_the_address_for_several_is_named(self):
        with pytest.raises(uploads.MalformedMultipartError, match=r"2 parts.*/v1/analyze/batch"):
            read(FORM, form((FILE, RECORDING), (FILE, RECORDING)))

    def test_bytes_after_the_form_are_ignored(self):
        assert read(FORM, form((FILE, RECORDING)) + b"epilogue") == RECORDING

    @pytest.mark.parametrize(
        "headers",
        [
            'Content-Disposition: form-data; name="file"; filename="\xff\xfe\0"',
            'Content-Disposition: form-data; name="file"; filename="../../etc/passwd"',
            'Content-Disposition: form-data; name="file"; filename=""',
            "Content-Disposition: form-data; name=file; filename=a.webm",
            FILE.replace("a.webm", "a" * 5_000),
            FILE.replace("a.webm", "%F0%9F%8E%B5" * 2_500),
            FILE.replace("a.webm", 'a\\"b.webm'),
            FILE.replace("a.webm", "a\nb.webm"),
            "Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''a%20b.mp3",
            "Content-Disposition: form-data; name=\"file\"; filename*=no-such''a",
            "content-type: audio/mpeg\r\ncontent-disposition:form-data;name=file",
            FIELD.format("file"),
            FILE + "\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64",
            FILE + "\r\nContent-Transfer-Encoding: quoted-printable",
            FILE + "\r\nContent-Transfer-Encoding: binary",
            FILE + "\r\nContent-Transfer-Encoding: x-unknown",
        ],
    )
    def test_the_labels_of_a_part_change_nothing(self, headers):
        assert read(FORM, form((headers, RECORDING))) == RECORDING

    @pytest.mark.parametrize(
        ("encoding", "encode"),
        [
            ("base64", base64.encodebytes),
            ("BASE64 ", base64.b64encode),
            ("quoted-printable", quopri.encodestring),
        ],
    )
    def test_a_transfer_encoding_is_undone(self, encoding, encode):
        headers = f"{FILE}\r\nContent-Transfer-Encoding: {encoding}"
        assert read(FORM, form((headers, encode(RECORDING)))) == RECORDING

    def test_an_empty_file_is_refused(self):
        with pytest.raises(uploads.EmptyBodyError):
            read(FORM, form((FILE, b"")))

    def test_another_name_is_refused(self):
        with pytest.raises(uploads.MissingFileError, match="no part named file"):
            read(FORM, form((FILE.replace('"file"', '"clip"'), RECORDING)))

    def test_a_part_without_filename_is_explained(self):
        with pytest.raises(uploads.MissingFileError, match=r"without a filename.*curl -F file=@"):
            read(FORM, form((FIELD.format("file"), b"short")))

    @pytest.mark.parametrize(
        "text", [b"[object Object]", b"file:///data/a.m4a", b"na\xc3\xafve " * 1_000]
    )
    def test_text_instead_of_a_recording_is_explained(self, text):
        with pytest.raises(uploads.MissingFileError, match="came as text"):
            read(FORM, form((FIELD.format("file"), text)))

    @pytest.mark.parametrize("chunk", [1, 7, 1_000_000])
    @pytest.mark.parametrize(
        "preamble",
        [b"\r\n", b"This is a -- multi-part\r\n--message --B.\r\n", b"-" * 5_000 + b"\r\n"],
    )
    def test_a_preamble_is_ignored(self, preamble, chunk):
        body = preamble + form((FILE, RECORDING))
        assert read(FORM, body, chunk) == RECORDING

    @pytest.mark.parametrize("length", [70, 300, forms.MAX_BOUNDARY])
    def test_a_boundary_may_be_long(self, length):
        body = form((FILE, RECORDING)).replace(b"--B", b"--" + b"B" * length)
        assert read(f"multipart/form-data; boundary={'B' * length}", body) == RECORDING

    def test_a_form_without_parts_is_refused(self):
        with pytest.raises(uploads.MissingFileError):
            read(FORM, form())

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("multipart/form-data", form((FILE, RECORDING))),
            ("multipart/form-data; boundary=", form((FILE, RECORDING))),
            ("multipart/form-data; boundary=C", form((FILE, RECORDING))),
            (f"multipart/form-data; boundary={'B' * 1_001}", form((FILE, RECORDING))),
            (FORM, b""),
            (FORM, b"no form at all"),
            (FORM, form((FILE, RECORDING))[:-9]),
            (FORM, form((FILE, RECORDING))[:30]),
            (FORM, form((FILE, RECORDING)).replace(b"\r\n", b"\n")),
            (FORM, form(*[(FIELD.format("a"), b"x")] * forms.MAX_PARTS, (FILE, RECORDING))),
            (FORM, form(("Content-Disposition: form-data", RECORDING))),
            (FORM, form(("X-Nothing: here", RECORDING))),
            (FORM, form((FILE + "\r\nX: y" * 100, RECORDING))),
            (FORM, form((FILE + "\r\nX: " + "y" * 40_000, RECORDING))),
            (FORM, form(("\0: a", RECORDING))),
        ],
    )
    def test_a_malformed_form_is_refused(self, content_type, body):
        with pytest.raises(uploads.MalformedMultipartError):
            read(content_type, body)

    @pytest.mark.parametrize("charset", ["utf-8", "latin-1", "hex", "no-such", "\xff", "undefined"])
    def test_a_charset_changes_nothing(self, charset):
        assert read(f"{FORM}; charset={charset}", form((FILE, RECORDING))) == RECORDING

    def test_a_disconnect_is_an_incomplete_body(self):
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


ENCODED = base64.b64encode(RECORDING)
LINES = base64.encodebytes(RECORDING)
DATA_URL = b"data:audio/mp4;codecs=mp4a.40.2;base64," + ENCODED


class TestBase64:
    @pytest.mark.parametrize("text", [ENCODED, LINES, LINES.replace(b"\n", b"\r\n"), DATA_URL])
    @pytest.mark.parametrize(
        "content_type", ["audio/mp4", "application/octet-stream", "text/plain", "text/plain;base64"]
    )
    def test_a_body_is_recognised(self, content_type, text):
        with pytest.raises(uploads.Base64Error, match=r"base64 text\. Send its bytes"):
            read(content_type, text)

    @pytest.mark.parametrize("headers", [FILE, FIELD.format("file")])
    @pytest.mark.parametrize("text", [ENCODED, LINES, DATA_URL])
    def test_a_part_is_recognised(self, headers, text):
        with pytest.raises(uploads.Base64Error):
            read(FORM, form((headers, text)))

    @pytest.mark.parametrize("audio", [ENCODED.decode(), LINES.decode(), DATA_URL.decode()])
    @pytest.mark.parametrize(
        ("content_type", "write"),
        [
            ("application/json", lambda audio: json.dumps({"title": "é", "audio": audio})),
            ("application/json", lambda audio: json.dumps(audio, indent=2)),
            ("audio/mpeg", lambda audio: json.dumps({"a": 1, "audio": audio}, indent=2)),
            ("application/x-www-form-urlencoded", lambda audio: urlencode({"file": audio})),
        ],
    )
    def test_it_is_recognised_within_json_and_urlencoded_forms(self, content_type, write, audio):
        with pytest.raises(uploads.Base64Error):
            read(content_type, write(audio).encode())

    @pytest.mark.parametrize(
        "text",
        [
            b"not audio",
            b"#EXTM3U\n#EXTINF:9,\nhttps://radio.example/live/stream.mp3\n" * 50,
            b"<html>" + b"<p>It is a page of words and <a href=/other>links</a>.</p>\n" * 100,
            b"word\nanother\nthird\n" * 500,
            ENCODED[:100],
        ],
        ids=["words", "playlist", "page", "list", "digest"],
    )
    def test_other_text_is_not_called_base64(self, text):
        assert read("audio/mpeg", text) == text
        with pytest.raises(uploads.UnsupportedMediaTypeError):
            read("text/plain", text)

    def test_a_recording_with_base64_in_its_tags_is_read(self):
        tagged = b"ID3\x03\0\0\0\0\x0f\x7fTXXX" + DATA_URL + RECORDING
        assert read("audio/mpeg", tagged) == tagged

    @pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
    def test_only_the_beginning_is_read(self, content_type):
        received = 0

        async def receive():
            nonlocal received
            received += 1_000
            return {"type": "http.request", "body": b"A" * 1_000, "more_body": True}

        headers = [(b"content-type", content_type.encode())]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        with pytest.raises(uploads.Base64Error):
            asyncio.run(uploads.read(Request(scope, receive), LIMIT, SECONDS))
        assert received <= 5_000


class TestContentEncoding:
    @pytest.mark.parametrize("content_type", ["audio/mpeg", FORM, "text/plain", None])
    @pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"deflate", b"br", b"zstd", b"gzip, br"])
    def test_a_compressed_body_is_refused_unread(self, content_type, coding):
        async def receive():
            raise AssertionError

        headers = [(b"content-encoding", coding)]
        if content_type:
            headers.append((b"content-type", content_type.encode()))
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        for reading in (uploads.read, uploads.read_several):
            with pytest.raises(
                uploads.UnsupportedContentEncodingError, match="without that header"
            ):
                asyncio.run(reading(Request(scope, receive), LIMIT, SECONDS))

    @pytest.mark.parametrize("coding", [b"", b"identity", b"Identity "])
    def test_no_coding_is_taken(self, coding):
        headers = [(b"content-encoding", coding)]
        assert read("audio/mpeg", RECORDING, headers=headers) == RECORDING
