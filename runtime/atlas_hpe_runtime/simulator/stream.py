"""Streams: queues of tasks, each worked off in order by a thread of its own."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from typing import Callable, Deque, Optional

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.codes import RUNTIME_INTERNAL, STREAM_CONTEXT

__all__ = ["Stream"]


class Stream:
    """A queue of tasks; its thread starts with the first task.

    Args:
        context: The context that the stream belongs to.
    """

    def __init__(self, context: object) -> None:
        self.context = context
        #: Thread that takes the callbacks of this stream (acl.rt.subscribe_report), None for none.
        self.subscriber: Optional[int] = None
        self._tasks: Deque[Callable[[], None]] = deque()
        self._unfinished = 0
        self._failure: Optional[AclFailure] = None
        self._closed = False
        self._thread: Optional[threading.Thread] = None
        self._changed = threading.Condition()

    def submit(self, task: Callable[[], None]) -> None:
        """Queue a task; an AclFailure that it raises comes out of the next ``synchronize``.

        Raises:
            AclFailure: 107003, the stream was destroyed, or its context was.
        """
        with self._changed:
            if self._closed:
                raise AclFailure(STREAM_CONTEXT)
            self._tasks.append(task)
            self._unfinished += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="stream", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def synchronize(self) -> None:
        """Wait until all tasks queued so far, and those queued meanwhile, are done.

        Raises:
            AclFailure: The first failure of a task since the last time.
        """
        with self._changed:
            while self._unfinished:
                self._changed.wait()
            failure, self._failure = self._failure, None
        if failure is not None:
            raise AclFailure(failure.code)

    def close(self) -> None:
        """Let the thread end after the tasks that are queued; does not wait for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._tasks and not self._closed:
                    self._changed.wait()
                if not self._tasks:
                    return
                task = self._tasks.popleft()
            failure = _run(task)
            with self._changed:
                self._unfinished -= 1
                self._failure = self._failure or failure
                self._changed.notify_all()


def _run(task: Callable[[], None]) -> Optional[AclFailure]:
    try:
        task()
    except AclFailure as failure:
        return failure
    except Exception:  # noqa: BLE001 - a fault of the simulator: shown, and nobody waits for ever
        traceback.print_exc()
        return AclFailure(RUNTIME_INTERNAL)
    return None
