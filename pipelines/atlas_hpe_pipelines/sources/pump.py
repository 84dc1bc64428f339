"""A pipe in front of FFmpeg that can be closed while FFmpeg waits for data.

A read that waits for the other end of a pipe is not ended by anything that this process could do,
not even by closing the descriptor. So FFmpeg reads from a pipe of ours, a thread passes the bytes
on, and when that thread ends, FFmpeg comes to the end of its data.
"""

from __future__ import annotations

import os
import select
import threading
from typing import List, Optional

__all__ = ["Pump"]

_CHUNK_SIZE = 1 << 16


class Pump:
    """Passes on what a descriptor yields.

    Args:
        descriptor: Where bytes come from; it stays open.

    Attributes:
        location: The name of the pipe that the bytes come out of.
    """

    def __init__(self, descriptor: int) -> None:
        self._source = descriptor
        self._wake_reader, self._wake_writer = os.pipe()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self.location = f"/dev/fd/{self._reader}"
        self._thread: Optional[threading.Thread] = None
        self._lock = threading.Lock()
        self._is_stopped = self._is_closed = False

    def read_head(self, size: int) -> bytes:
        """The first bytes, fewer than ``size`` where there are no more or it was stopped."""
        head = b""
        while len(head) < size:
            chunk = self._read(size - len(head))
            if not chunk:
                break
            head += chunk
        return head

    def start(self, head: bytes) -> None:
        """Pass on these bytes and then all others, in a thread."""
        self._thread = threading.Thread(
            target=self._pass_on, args=(head,), name="atlas-hpe pump", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Let the data come to its end; from any thread, as often as one likes."""
        with self._lock:
            if not self._is_stopped:
                os.write(self._wake_writer, b".")
                self._is_stopped = True  # last: Ctrl-C may come between the two

    def close(self) -> None:
        """Stop, and release the pipes; calling it again does nothing."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            ends: List[int] = [self._wake_reader, self._wake_writer, self._reader]
            for end in ends if self._thread is not None else [*ends, self._writer]:
                os.close(end)

    def _pass_on(self, data: bytes) -> None:
        try:
            while data and self._write(data):
                data = self._read(_CHUNK_SIZE)
        finally:
            os.close(self._writer)

    def _read(self, size: int) -> bytes:
        """At most so many bytes; none at the end or when stopped."""
        ready, _, _ = select.select([self._source, self._wake_reader], [], [])
        return b"" if self._wake_reader in ready else os.read(self._source, size)

    def _write(self, data: bytes) -> bool:
        """Write all; false when stopped."""
        rest = memoryview(data)
        while rest:
            stopped, _, _ = select.select([self._wake_reader], [self._writer], [])
            if stopped:
                return False
            rest = rest[os.write(self._writer, rest) :]
        return True
