"""``submit`` and ``result`` for back-ends that can only run and wait: one worker thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Callable, Dict, Optional

import numpy as np

from atlas_hpe_runtime.session import closed_error, unknown_handle_error

__all__ = ["BackgroundRuns"]

Outputs = Dict[str, np.ndarray]


class BackgroundRuns:
    """Runs that were started and whose results have not been taken yet, in the order they came.

    Any thread may submit, take results and close.

    Args:
        name: Name of the worker thread, for debuggers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._closed = False
        self._worker: Optional[ThreadPoolExecutor] = None
        self._pending: Dict[int, Future[Outputs]] = {}
        self._next_handle = 1

    def submit(self, run: Callable[[], Outputs]) -> int:
        """Start a run and return its handle; the thread starts with the first one.

        Raises:
            SessionError: Closed.
        """
        with self._lock:
            if self._closed:
                raise closed_error()
            if self._worker is None:
                self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)
            handle, self._next_handle = self._next_handle, self._next_handle + 1
            self._pending[handle] = self._worker.submit(run)
        return handle

    def result(self, handle: int) -> Outputs:
        """Wait for a run; each handle is taken once.

        Raises:
            SessionError: A handle that was never given out or has been taken.
            DeviceError: What the run itself raised.
        """
        future = self._pending.pop(handle, None)
        if future is None:
            raise unknown_handle_error(handle)
        return future.result()

    def close(self) -> None:
        """Let the runs that were started finish, and drop their results; no more can start."""
        with self._lock:
            self._closed = True
        if self._worker is not None:  # not under the lock: a run may take long
            self._worker.shutdown(wait=True)
        self._pending.clear()
