import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2 as httpx
import pytest

from service.settings import ConfigError
from service.web.traces import start_tracing
from tests.http import post
from tools.server import Server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def collector():
    """An OpenTelemetry collector: its address and the bodies that it received."""
    bodies = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_stages_are_spans_of_the_clients_trace(collector, clips):
    url, bodies = collector
    server = Server(
        "--tracing", "true", OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_COMPRESSION="none"
    )
    server.wait_until_ready()
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        assert post(client, clips["mp3"]).status_code == 200
    server.stop()
    sent = b"".join(body for path, body in bodies if path == "/v1/traces")
    for name in (b"/v1/analyze", b"queue", b"decode", b"spectrogram", b"inference"):
        assert name in sent
    assert sent.count(bytes.fromhex(TRACE)) >= 5


def test_tracing_without_the_sdk_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match="extra otel"):
        start_tracing()
