"""Runs the service in a process of its own, behind a real socket."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
import uvicorn

from service.web.sockets import MAX_MESSAGE_BYTES

ROOT = Path(__file__).parent.parent
STARTED = "Application startup complete"  # in the log, once for each worker


def free_port() -> int:
    """Return a free TCP port of this machine."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def resident_mb(pid):
    """Return the current memory of a process, in MB; 0 if it is ending."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


class Served:
    """A server on a port of this machine."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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


class Server(Served):
    """``python -m service``, or another command, as a process of its own, on a free port."""

    def __init__(self, *arguments, module="service", command=(), under=(), **environment):
        command = command or (sys.executable, "-m", module)
        self.process = subprocess.Popen(
            [*under, *command, "--port", "0", *arguments],
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
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log += line

    def wait_until_ready(self, seconds=20):
        for _ in range(20 * seconds):
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.ConnectError:  # the first of several processes is still starting
                assert self.process.poll() is None, self.log
            time.sleep(0.05)
        raise AssertionError(self.log)

    def wait_until_started(self, count):
        """Wait until so many workers have started; workers that have ended count."""
        deadline = time.monotonic() + 60
        while self.log.count(STARTED) < count:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def workers(self) -> list[int]:
        """Return the server processes, without the child process that tracks shared objects."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(each)
            for each in children
            if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()
        ]

    def resident_mb(self) -> float:
        """Return the current memory of the process; its peak is not reset."""
        return resident_mb(self.process.pid)

    def most_memory_mb(self) -> float:
        """Return the peak of the process's memory since the last call of `memory_mb`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024

    def memory_mb(self) -> float:
        """Return the current memory of the process, and reset the peak of `most_memory_mb`."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.most_memory_mb()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.reader.join()
        self.process.stderr.close()
        return status


@contextmanager
def serving(*arguments, module="service", **environment):
    """Run the service as a process until it is no longer needed."""
    server = Server(*arguments, module=module, **environment)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


class Threaded(Served):
    """An application in this process, behind a real socket; tests can replace its functions."""

    def __init__(self, app, ws="none"):
        self.app = app
        config = uvicorn.Config(
            app,
            port=0,
            log_config=None,
            http="h11",
            loop="asyncio",
            ws=ws,
            ws_max_size=MAX_MESSAGE_BYTES,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self):
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()
