"""The service as a process of its own, behind a real socket."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2 as httpx
import pytest

ROOT = Path(__file__).parent.parent


class Server:
    """``python -m service`` as a process of its own, on a free port."""

    def __init__(self, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "--port", "0"],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = ""
        self.port = None
        for line in self.process.stderr:
            self.log += line
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        assert self.port, self.log
        self.url = f"http://127.0.0.1:{self.port}"
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log += line

    def wait_until_ready(self):
        for _ in range(200):
            if httpx.get(f"{self.url}/readyz").status_code == 200:
                return
            time.sleep(0.05)
        raise AssertionError(self.log)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, request: bytes) -> bytes:
        """Send bytes as they are, and return the answer up to the end of its body."""
        with self.connect() as connection:
            connection.sendall(request)
            return self.answer(connection)

    @staticmethod
    def answer(connection) -> bytes:
        got = b""
        while True:
            got += connection.recv(65_536) or pytest.fail(f"closed after {got!r}")
            head, _, body = got.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length and len(body) >= int(length[1]):
                return got

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(15)
        self.reader.join()
        self.process.stderr.close()
        return status
