"""Stages that work at the same time: one thread each, bounded queues, order kept.

OpenCV, ONNX Runtime and Pillow release the interpreter lock while they work, so threads do overlap.
"""

from __future__ import annotations

import math
import threading
from array import array
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import (
    Callable,
    Deque,
    Dict,
    Generator,
    Generic,
    Iterable,
    Iterator,
    List,
    Sequence,
    TypeVar,
)

__all__ = ["Channel", "Stage", "StageTimes", "overlap"]

T = TypeVar("T")

QUEUE_SIZE = 4
#: How often a waiting stage looks whether the program is ending around it.
_LOOK_S = 0.5


class Channel(Generic[T]):
    """A bounded queue between two threads that either side can end."""

    def __init__(self, size: int = QUEUE_SIZE) -> None:
        self._items: Deque[T] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._finished = False
        self._cancelled = False

    def put(self, item: T) -> bool:
        """Hand an item over, waiting for room; False when the reader has cancelled."""
        with self._changed:
            while len(self._items) >= self._size and not self._cancelled:
                self._wait()
            if self._cancelled:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def finish(self) -> None:
        """The writer is done; what is queued can still be read."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """The reader is gone; what is queued is dropped and writers stop."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a change; an iteration that nobody goes on with must not outlive the program."""
        self._changed.wait(_LOOK_S)
        self._cancelled = self._cancelled or not threading.main_thread().is_alive()

    def __iter__(self) -> Iterator[T]:
        """The items until the writer finishes or somebody cancels."""
        while True:
            with self._changed:
                while not (self._items or self._finished or self._cancelled):
                    self._wait()
                if self._cancelled or not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class StageTimes:
    """How long a stage worked on each item, in milliseconds; 4 bytes an item."""

    def __init__(self) -> None:
        self._times_ms = array("f")

    def add(self, seconds: float) -> None:
        """Record one item."""
        self._times_ms.append(seconds * 1000)

    @property
    def total_ms(self) -> float:
        """Sum over all items."""
        return float(sum(self._times_ms))

    def percentile_ms(self, percent: float) -> float:
        """The least time that ``percent`` of the items did not exceed; 0 without items."""
        if not self._times_ms:
            return 0.0
        ranked = sorted(self._times_ms)
        return float(ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)])


@dataclass(frozen=True)
class Stage(Generic[T]):
    """One step of the work.

    Attributes:
        name: What the table of a run calls it.
        work: Takes an item and returns it, completed.
    """

    name: str
    work: Callable[[T], T]


def overlap(
    source: Iterable[T], source_name: str, stages: Sequence[Stage[T]], times: Dict[str, StageTimes]
) -> Generator[T, None, None]:
    """Run items through stages, each in a thread of its own, and yield them in order.

    When a stage raises, the items before the failing one are still yielded, then the error is
    raised here. When the caller stops early (break, error, Ctrl-C), every thread ends after the
    item it holds; none is left behind.

    Args:
        source: Where items come from; iterated in a thread of its own.
        source_name: Its name in ``times``.
        stages: The steps, in order.
        times: Filled with one ``StageTimes`` per step.

    Raises:
        Exception: Whatever a stage or the source raised.
    """
    for name in (source_name, *(stage.name for stage in stages)):
        times[name] = StageTimes()
    channels: List[Channel[T]] = [Channel() for _ in range(len(stages) + 1)]
    workers = [_Worker(_read, source, channels[0], times[source_name])]
    for stage, upstream, downstream in zip(stages, channels, channels[1:]):
        workers.append(_Worker(_work, stage, upstream, downstream, times[stage.name]))
    try:
        for worker in workers:
            worker.thread.start()
        yield from channels[-1]
    finally:
        for channel in channels:
            channel.cancel()
        for worker in workers:
            if worker.thread.ident is not None:  # Ctrl-C may come before all have started
                worker.thread.join()
    for worker in workers:
        worker.done.result()


class _Worker:
    """A thread whose error is kept for the one who waits for it."""

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        self.done: Future[None] = Future()
        self._work = work
        self._arguments = arguments
        self.thread = threading.Thread(target=self._run, name="atlas-hpe")

    def _run(self) -> None:
        try:
            self._work(*self._arguments)
        except BaseException as error:  # noqa: BLE001 - raised again by done.result()
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


def _read(source: Iterable[T], downstream: Channel[T], times: StageTimes) -> None:
    try:
        started = perf_counter()
        for item in source:
            times.add(perf_counter() - started)
            if not downstream.put(item):
                return
            started = perf_counter()
    finally:
        downstream.finish()


def _work(stage: Stage[T], upstream: Channel[T], downstream: Channel[T], times: StageTimes) -> None:
    try:
        for item in upstream:
            started = perf_counter()
            done = stage.work(item)
            times.add(perf_counter() - started)
            if not downstream.put(done):
                return
    finally:
        upstream.cancel()
        downstream.finish()
