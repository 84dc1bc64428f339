"""How far smoothed joints run behind, measured on the motion that there was."""

from __future__ import annotations

from typing import Optional

import numpy as np

__all__ = ["AddedLag"]

#: Joints slower than this, in sizes of the hand per second, say nothing about lag: what a filter
#: takes off them is jitter.
_MOVING = 0.5


class AddedLag:
    """The delay that explains best, in the least-squares sense, how raw and smoothed joints differ.

    Smoothed joints y that follow the raw ones x with a delay d differ from them by x - y = d v to
    first order, v being their velocity. Over all joints and frames in which a joint moves,
    d = sum((x - y) v) / sum(v v). For a joint at a steady speed behind a first-order low-pass with
    share a and time step T, this is (1 - a) / a T, the lag of the low-pass at a ramp. On motion
    without noise it agrees with the peak of the cross-correlation of raw and smoothed joints; on
    clips it is 5 to 10 ms more, as the noise of joints that move is taken for motion.
    """

    def __init__(self) -> None:
        self._behind = 0.0
        self._moved = 0.0

    def add(
        self,
        raw: np.ndarray,
        smooth: np.ndarray,
        smooth_before: np.ndarray,
        step_s: float,
        size: float,
    ) -> None:
        """Count one step of a hand.

        Args:
            raw: (21, 2) as they were read.
            smooth: (21, 2) as they were given on.
            smooth_before: (21, 2) the same, one step earlier.
            step_s: Seconds between the two.
            size: Of the hand, in the unit of the joints.
        """
        velocity = (smooth - smooth_before) / step_s
        with np.errstate(invalid="ignore"):  # NaN of joints that were not found
            moving = np.linalg.norm(velocity, axis=1) > _MOVING * size
        velocity = velocity[moving]
        self._behind += float(((raw - smooth)[moving] * velocity).sum())
        self._moved += float((velocity**2).sum())

    @property
    def ms(self) -> Optional[float]:
        """Milliseconds, None before any movement."""
        return 1000.0 * self._behind / self._moved if self._moved else None
