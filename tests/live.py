"""A client of ``/v1/live``, over a real socket."""

import json
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.web.sockets import LIVE_PATH

PATIENCE = 60  # seconds


class Peer:
    """The client's end of a live connection.

    Attributes
    ----------
    code : int or None
        The close code, after `rest`.
    """

    def __init__(self, socket):
        self.socket = socket
        self.code = None

    def start(self, **options):
        self.socket.send(json.dumps({"message": "start", **options}))
        return self

    def end(self):
        self.socket.send('{"message": "end"}')
        return self

    def send(self, data, piece=8_192):
        for at in range(0, len(data), piece):
            self.socket.send(data[at : at + piece])
        return self

    def next(self):
        return json.loads(self.socket.recv(timeout=PATIENCE))

    def rest(self):
        """Return all messages up to the close."""
        messages = []
        try:
            while True:
                messages.append(self.next())
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006
        return messages


@contextmanager
def live(server, query="", path=LIVE_PATH, **options):
    """Connect to a server."""
    address = f"ws://127.0.0.1:{server.port}{path}{query}"
    with connect(address, compression=None, **options) as socket:
        yield Peer(socket)


def kinds(messages):
    return [message["message"] for message in messages]
