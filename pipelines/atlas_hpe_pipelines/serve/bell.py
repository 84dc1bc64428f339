"""Waking the coroutines of a server from the threads of a pipeline."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Optional, Set

__all__ = ["Bell"]


class Bell:
    """Threads ring, coroutines wait; nobody who rings ever waits for anybody.

    However often it rings while the loop is busy, the loop is woken once.

    Attributes:
        closed: Nobody shall wait any more.
    """

    def __init__(self) -> None:
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._waiting: Set[asyncio.Future[None]] = set()
        self._rung = False
        self.closed = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop whose coroutines wait; before it nobody hears the bell."""
        self._loop = loop

    def ring(self) -> None:
        """Wake all who wait now; from any thread."""
        if self._loop is None or self._rung:
            return
        self._rung = True
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Wake all, for the last time."""
        self.closed = True
        self.ring()

    async def wait(self, timeout_s: float) -> None:
        """Return at the next ring, or when the time is over.

        Whoever looks at something and then waits, without another ``await`` in between, misses no
        change of it.
        """
        rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(rung)
        try:
            await asyncio.wait([rung], timeout=max(0.0, timeout_s))
        finally:
            self._waiting.discard(rung)

    def _wake(self) -> None:
        # First: a ring from here on is for those who wait again, and has to schedule anew.
        self._rung = False
        for rung in self._waiting:
            if not rung.done():
                rung.set_result(None)
