"""Ending a run where it is whole, in place of interrupting it."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from types import FrameType
from typing import Callable, Iterator, List, Optional

__all__ = ["stop_requests"]


@contextmanager
def stop_requests(on_stop: Optional[Callable[[], None]] = None) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or stop of a service manager into a request; the second interrupts.

    Signals that the caller has switched off stay off; outside the main thread Python allows no
    handlers, and there nothing is caught.

    Args:
        on_stop: Called at the request, from the signal's handler: it may only set flags.

    Yields:
        A function that tells whether the run should stop.
    """
    asked: List[int] = []

    def ask(number: int, frame: Optional[FrameType]) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        if on_stop is not None:
            on_stop()

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
