"""Presentation times to whole ticks of an output format, without drift."""

from __future__ import annotations

import math
from typing import Optional

__all__ = ["FrameClock"]

# Times are sums of floats: a time that should lie exactly between two ticks must not fall to either
# side by chance, so that a source at twice the rate of the output loses every second frame.
_TIE_TICKS = 1e-6


class FrameClock:
    """Tell how long each frame stands, in whole ticks.

    A frame's start is its time since the first frame, rounded to a tick; it stands until the start
    of the next one. So each boundary is within half a tick of the truth, however long the clip is.

    Args:
        ticks_per_s: Resolution of the output: 100 for GIF, the frame rate for constant-rate video.
        min_ticks: Shortest time a frame can stand; a frame that comes sooner is left out.
        fps: Nominal rate, which gives the length of a clip of one frame.
        max_fps: Most frames per second: of the frames in one interval of this rate only the first
            stays. None for no limit.

    Attributes:
        dropped: How many frames were left out.
    """

    def __init__(
        self, ticks_per_s: float, *, min_ticks: int, fps: float, max_fps: Optional[float] = None
    ) -> None:
        self.dropped = 0
        self._ticks_per_s = ticks_per_s
        self._min_ticks = min_ticks
        self._interval_s = 1.0 / fps
        self._first_s: Optional[float] = None
        self._last_s = 0.0
        self._start_ticks = 0
        self._is_capped = max_fps is not None
        self._max_fps = max_fps or 0.0
        self._last_interval = 0

    def advance(self, time_s: float) -> Optional[int]:
        """Take the time of the next frame, in seconds.

        Returns:
            How many ticks the previous frame stands (0 for the first frame, which has none before
            it), or None when the new frame comes too soon and is to be left out.
        """
        if self._first_s is None:
            self._first_s = self._last_s = time_s
            return 0
        if time_s > self._last_s:
            self._interval_s = time_s - self._last_s
            self._last_s = time_s
        ticks = self._to_ticks(time_s) - self._start_ticks
        interval = math.floor((time_s - self._first_s) * self._max_fps + _TIE_TICKS)
        if ticks < self._min_ticks or (self._is_capped and interval <= self._last_interval):
            self.dropped += 1
            return None
        self._start_ticks += ticks
        self._last_interval = interval
        return ticks

    def remaining_ticks(self) -> int:
        """How long the last frame stands, taking the last interval as its length.

        May be less than ``min_ticks``; 0 before the first frame.
        """
        if self._first_s is None:
            return 0
        return self._to_ticks(self._last_s + self._interval_s) - self._start_ticks

    def _to_ticks(self, time_s: float) -> int:
        first_s = 0.0 if self._first_s is None else self._first_s
        return math.floor((time_s - first_s) * self._ticks_per_s + 0.5 + _TIE_TICKS)
