"""How long a stage of a run works and how much waits in front of it; memory stays constant."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Deque, Dict, Tuple

__all__ = ["StageTimes"]

#: Each bucket ends this factor above the one before; its middle is then within 1 % of all in it.
_GROWTH = 1.02
_LOG_GROWTH = math.log(_GROWTH)
#: Shorter times share a bucket; the clock and this bookkeeping take about as long.
_LEAST_MS = 1e-3
#: Times that ``recent_ms`` goes back: a few seconds of video.
_RECENT = 120


class StageTimes:
    """How long a stage worked on each item, in milliseconds, and how many items waited for it.

    Times are counted in logarithmic buckets: percentiles are within 1 %, total and count exact, and
    a run of a week takes the memory of a run of a minute. One thread may read while another adds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: Dict[int, int] = {}  # bucket -> items in it
        self._recent: Deque[float] = deque(maxlen=_RECENT)
        self._least_ms = math.inf
        self._most_ms = 0.0
        self._total_ms = 0.0
        self._count = 0
        self._waiting = 0
        self._most_waiting = 0
        self._looks = 0

    def add(self, seconds: float) -> None:
        """Record one item."""
        time_ms = seconds * 1000
        bucket = math.floor(math.log(max(time_ms, _LEAST_MS)) / _LOG_GROWTH)
        with self._lock:
            self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
            self._recent.append(time_ms)
            self._least_ms = min(self._least_ms, time_ms)
            self._most_ms = max(self._most_ms, time_ms)
            self._total_ms += time_ms
            self._count += 1

    def add_queue(self, waiting: int) -> None:
        """Record how many items waited in front of the stage when it took one of them."""
        with self._lock:
            self._waiting += waiting
            self._most_waiting = max(self._most_waiting, waiting)
            self._looks += 1

    @property
    def count(self) -> int:
        """Items."""
        return self._count

    @property
    def total_ms(self) -> float:
        """Sum over all items."""
        return self._total_ms

    @property
    def mean_ms(self) -> float:
        """Mean over all items; 0 without items."""
        return self._total_ms / self._count if self._count else 0.0

    @property
    def recent_ms(self) -> Tuple[float, ...]:
        """The times of the last items, oldest first; at most 120."""
        with self._lock:
            return tuple(self._recent)

    @property
    def queue_mean(self) -> float:
        """Items that waited in front of the stage on average."""
        return self._waiting / self._looks if self._looks else 0.0

    @property
    def queue_most(self) -> int:
        """Items that waited in front of the stage at most."""
        return self._most_waiting

    def percentile_ms(self, percent: float) -> float:
        """The least time that ``percent`` of the items did not exceed; 0 without items."""
        with self._lock:
            buckets = sorted(self._buckets.items())
            least_ms, most_ms = self._least_ms, self._most_ms
        left = max(1, math.ceil(percent / 100 * sum(items for _, items in buckets)))
        for bucket, items in buckets:
            left -= items
            if left <= 0:
                middle_ms = math.exp((bucket + 0.5) * _LOG_GROWTH)
                return min(max(middle_ms, least_ms), most_ms)
        return 0.0
