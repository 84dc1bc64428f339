"""Callbacks on their way from a stream to the thread that subscribed to it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Callable, Deque, Optional

__all__ = ["Report", "ReportQueue"]


class Report:
    """One callback.

    Args:
        function: Called as ``function(user_data)``.
        user_data: Its argument.
    """

    def __init__(self, function: Callable[[object], object], user_data: object) -> None:
        self.function = function
        self.user_data = user_data
        self.done = threading.Event()


class ReportQueue:
    """The callbacks that wait for one thread."""

    def __init__(self) -> None:
        #: How many streams the thread is subscribed to.
        self.streams = 0
        self._waiting: Deque[Report] = deque()
        self._changed = threading.Condition()

    def put(self, report: Report) -> None:
        """Queue a callback."""
        with self._changed:
            self._waiting.append(report)
            self._changed.notify()

    def take(self, timeout_s: Optional[float]) -> Optional[Report]:
        """The next callback, or None if none came in time; without a limit for None."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self._waiting:
                left_s = None if end_s is None else end_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return None
                self._changed.wait(left_s)
            return self._waiting.popleft()
