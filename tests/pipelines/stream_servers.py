"""Servers of streams for tests: HTTP (MJPEG, files, errors) on a free port of this machine.

Each server is a context manager; leaving it ends every connection, also those that stall.
"""

from __future__ import annotations

import base64
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import Callable, Iterator, List, Optional, Sequence

import cv2
import numpy as np

__all__ = [
    "Connection",
    "StreamServer",
    "answer",
    "asks_for_password",
    "file_over_http",
    "jpeg_frames",
    "mjpeg",
    "one_after_the_other",
    "serving",
]

#: The user and the password that servers with a password know; odd signs, as URLs escape them.
USER, PASSWORD = "eva", "s3cr:et/@"
URL_USER = "eva:s3cr%3Aet%2F%40"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Connection:
    """One client: its request and a way to answer it.

    Attributes:
        number: Connections before this one.
        request: The lines of the request's head.
        closing: Set once the server is being left.
    """

    def __init__(self, peer: socket.socket, number: int, closing: threading.Event) -> None:
        self._peer = peer
        self.number = number
        self.closing = closing
        self.reader = peer.makefile("rb")
        self.request: List[str] = []

    def read_head(self) -> bool:
        """Take the next request of the client; False when it has gone."""
        self.request = []
        for line in self.reader:
            text = line.decode("latin-1").strip()
            if not text and self.request:
                return True
            if text:
                self.request.append(text)
        return False

    def header(self, name: str) -> str:
        """A header of the request, empty where it is missing."""
        found = [
            line.partition(":")[2].strip()
            for line in self.request[1:]
            if line.lower().startswith(name.lower() + ":")
        ]
        return found[0] if found else ""

    def send(self, content: bytes) -> None:
        self._peer.sendall(content)


Handler = Callable[[Connection], None]


class StreamServer(socketserver.ThreadingTCPServer):
    """A server that runs one handler for each client."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handle: Handler) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.port = int(self.server_address[1])
        self.connections = 0
        self.closing = threading.Event()
        self._handle = handle
        self._peers: List[socket.socket] = []

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        connection = Connection(request, self.connections, self.closing)
        self.connections += 1
        self._peers.append(request)
        try:
            if connection.read_head():
                self._handle(connection)
        except OSError:
            pass  # the client has gone, or the server goes
        finally:
            connection.reader.close()

    def end(self) -> None:
        self.closing.set()
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()


@contextmanager
def serving(handle: Handler) -> Iterator[StreamServer]:
    """A server for as long as the block lasts."""
    server = StreamServer(handle)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join()


def jpeg_frames(count: int, size_px: Sequence[int] = (64, 48)) -> List[bytes]:
    """Pictures as JPEG; how bright each is tells its number, 2 steps a frame."""
    width_px, height_px = size_px
    pictures = [np.full((height_px, width_px, 3), 2 * (n % 120), np.uint8) for n in range(count)]
    return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]


def answer(status: str, kind: str = "text/html", body: bytes = b"<html>no</html>") -> Handler:
    """Always the same answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return lambda connection: connection.send(head.encode() + body)


def one_after_the_other(*handlers: Handler) -> Handler:
    """Another handler for each client; those behind the last are told that nothing is left."""
    waiting = iter(handlers)
    return lambda connection: next(waiting, answer("410 Gone"))(connection)


def asks_for_password(handle: Handler) -> Handler:
    """What a server does that lets nobody in without the password (HTTP Basic)."""

    def check(connection: Connection) -> None:
        while connection.header("Authorization") != _BASIC:
            connection.send(
                b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="cam"\r\n'
                b"Content-Length: 0\r\n\r\n"
            )
            if not connection.read_head():
                return
        handle(connection)

    return check


def mjpeg(
    frames: Sequence[bytes],
    *,
    every_s: float = 0.01,
    then: str = "close",
) -> Handler:
    """Motion JPEG, as IP cameras send it: one part a picture, no length declared.

    Args:
        frames: The pictures, each once.
        every_s: Seconds between them.
        then: What comes behind the last one: ``"close"``, ``"stall"`` or ``"garbage"``.
    """

    def stream(connection: Connection) -> None:
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=part\r\n\r\n"
        )
        for frame in frames:
            head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
            connection.send(head.encode() + frame + b"\r\n")
            if connection.closing.wait(every_s):
                return
        if then == "stall":
            connection.closing.wait()
        if then == "garbage":
            noise = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8)
            connection.send(noise.tobytes())

    return stream


def file_over_http(
    content: bytes, kind: str = "video/mp4", stop_at: Optional[int] = None
) -> Handler:
    """A file with its length, in parts where the client asks for them.

    Args:
        content: The file.
        kind: Its media type.
        stop_at: The connection breaks after so many bytes of the file.
    """

    def send_file(connection: Connection) -> None:
        wanted = connection.header("Range")
        first = int(wanted.partition("=")[2].partition("-")[0]) if wanted else 0
        length = len(content) - first
        head = (
            f"HTTP/1.1 {'206 Partial Content' if wanted else '200 OK'}\r\nContent-Type: {kind}\r\n"
            f"Accept-Ranges: bytes\r\nContent-Length: {length}\r\n"
            f"Content-Range: bytes {first}-{len(content) - 1}/{len(content)}\r\n"
            "Connection: close\r\n\r\n"
        )
        connection.send(head.encode())
        if connection.request[0].split()[0] != "HEAD":
            connection.send(content[first:stop_at])

    return send_file
