"""Stages that work at the same time, as many as there are cores: order kept, queues bounded.

Each step, the source first, works on one item at a time and hands it on in order. A few workers
share the steps: whoever is free takes, of the steps that have an item waiting, the one that takes
longest on average, so that the slowest step, which decides how fast the whole can be, is the last
to wait. The number of items on their way is bounded, not each queue: where steps take turns at
being slow, all the room goes to where it is needed. A thread for each step did the same work a
quarter slower on two cores: the steps took the cores from each other. OpenCV, ONNX Runtime and
Pillow release the interpreter lock while they work.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from dataclasses import dataclass
from time import perf_counter
from typing import (
    Callable,
    Deque,
    Dict,
    Generator,
    Generic,
    Iterable,
    List,
    Optional,
    Sequence,
    TypeVar,
)

from atlas_hpe_pipelines.stage_times import StageTimes

__all__ = ["MOST_ITEMS", "Stage", "overlap"]

T = TypeVar("T")

#: Items between the source and the caller at most: worked on, or waiting.
MOST_ITEMS = 12
#: How often somebody who waits looks whether the program is ending around it.
_LOOK_S = 0.5


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
    source: Iterable[T],
    source_name: str,
    stages: Sequence[Stage[T]],
    times: Dict[str, StageTimes],
    workers: Optional[int] = None,
    most: int = MOST_ITEMS,
    end_source: Callable[[], None] = lambda: None,
) -> Generator[T, None, None]:
    """Run items through stages, several at the same time, and yield them in order.

    When a step raises, the items before the failing one are still yielded, then the error is
    raised here. When the caller stops early (break, error, Ctrl-C), every worker ends after the
    step it is in; none is left behind.

    Args:
        source: Where items come from; read by one worker at a time.
        source_name: Its name in ``times``.
        stages: The steps, in order.
        times: Filled with one ``StageTimes`` per step.
        workers: Threads; None for one per core, at least two.
        most: Items on their way at most, those that wait for the caller included. Fewer make a live
            source's pictures newer, more bridge longer delays of one step.
        end_source: Called in the caller's thread when the work has ended, early or not, before the
            workers are waited for: lets a source end that waits for something.

    Raises:
        Exception: Whatever a stage or the source raised.
    """
    names = [source_name, *(stage.name for stage in stages)]
    times.update({name: StageTimes() for name in names})  # at once: others may look meanwhile
    line = _Line(iter(source), stages, [times[name] for name in names], most)
    count = workers or min(len(names), max(2, _count_cores()))
    threads = [threading.Thread(target=line.work, name="atlas-hpe") for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        yield from line.take()
    finally:
        line.cancel()
        try:
            end_source()
        finally:
            for thread in threads:
                if thread.ident is not None:  # Ctrl-C may come before all have started
                    thread.join()
    if line.error is not None:
        raise line.error


def _count_cores() -> int:
    """Cores that this process may use: a container or taskset can leave it fewer than there are."""
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Line(Generic[T]):
    """The steps with what waits behind each; step 0 reads the source."""

    def __init__(
        self,
        source: Iterable[T],
        stages: Sequence[Stage[T]],
        times: Sequence[StageTimes],
        most: int,
    ) -> None:
        self.error: Optional[BaseException] = None
        self._source = iter(source)
        self._stages = stages
        self._times = times
        self._behind: List[Deque[T]] = [deque() for _ in times]  # what each step has done
        self._busy = [False for _ in times]
        self._room = most  # for items that the source may still give
        self._closed = -1  # this step and those before it start nothing any more
        self._cancelled = False
        self._changed = threading.Condition()

    def take(self) -> Generator[T, None, None]:
        """The finished items, until there will be no more."""
        while True:
            with self._changed:
                while not self._behind[-1] and not self._is_over():
                    self._wait()
                if not self._behind[-1]:
                    return
                item = self._behind[-1].popleft()
                self._room += 1
                self._changed.notify_all()
            yield item
            del item  # nobody holds it while waiting: its picture can be used again

    def cancel(self) -> None:
        """Start no step any more."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def work(self) -> None:
        """Take one step after the other until there will be no more."""
        while True:
            with self._changed:
                step = self._find_step()
                while step is None and not self._is_over():
                    self._wait()
                    step = self._find_step()
                if step is None:
                    self._changed.notify_all()
                    return
                self._busy[step] = True
                item = None
                if step == 0:
                    self._room -= 1
                else:
                    self._times[step].add_queue(len(self._behind[step - 1]))
                    item = self._behind[step - 1].popleft()
                self._changed.notify_all()
            self._do(step, item)
            del item  # nobody holds it while waiting

    def _do(self, step: int, item: Optional[T]) -> None:
        started = perf_counter()
        done: List[T] = []
        error: Optional[BaseException] = None
        try:
            if step == 0:
                done.append(next(self._source))
            elif item is not None:
                done.append(self._stages[step - 1].work(item))
        except StopIteration:
            pass
        except BaseException as caught:  # noqa: BLE001 - raised again by overlap()
            error = caught
        with self._changed:
            self._busy[step] = False
            if done:
                self._times[step].add(perf_counter() - started)
                self._behind[step].append(done[0])
            elif step >= self._closed:
                # Of two errors the one further on belongs to the earlier item.
                self._closed, self.error = step, error
            self._changed.notify_all()

    def _find_step(self) -> Optional[int]:
        """The slowest step that can start, None when there is none."""
        if self._cancelled:
            return None
        steps = range(self._closed + 1, len(self._busy))
        ready = [step for step in steps if not self._busy[step] and self._has_item(step)]
        return max(ready, key=self._rank, default=None)

    def _rank(self, step: int) -> float:
        """Those that were not timed yet first, then the slow ones."""
        return self._times[step].mean_ms or math.inf

    def _has_item(self, step: int) -> bool:
        return bool(self._behind[step - 1]) if step else self._room > 0

    def _is_over(self) -> bool:
        """Whether nothing is being done and nothing can be started, now or later."""
        if self._cancelled:
            return True
        waiting = any(self._behind[max(self._closed, 0) : -1])
        return self._closed >= 0 and not waiting and not any(self._busy[self._closed + 1 :])

    def _wait(self) -> None:
        """Wait for a change; an iteration that nobody goes on with must not outlive the program."""
        self._changed.wait(_LOOK_S)
        self._cancelled = self._cancelled or not threading.main_thread().is_alive()
