"""The points of one hand, smoothed: its motion as a whole apart from that of its joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from atlas_hpe_pipelines.smoothing.one_euro import OneEuro, low_pass_share

__all__ = ["MovingPoints", "Strength"]

#: Cutoff of the hand's size; a fist that opens has its new size after about half a second.
_SIZE_CUTOFF_HZ = 0.5


@dataclass(frozen=True)
class Strength:
    """Cutoffs of a level of smoothing; speeds are in sizes of the hand per second.

    Attributes:
        place: ``rest_hz`` and ``opening`` of the hand as a whole. It is a mean over the joints with
            little noise, and is followed closely.
        shape: The same of the joints against it.
    """

    place: Tuple[float, float]
    shape: Tuple[float, float]


class MovingPoints:
    """Filters the points of a hand that moves; points that are not finite stay so.

    Args:
        strength: How much.

    Attributes:
        size: Longer side of the box around the points, itself smoothed; None until two points at
            different places have been seen.
    """

    def __init__(self, strength: Strength) -> None:
        self.size: Optional[float] = None
        self._place = OneEuro(*strength.place)
        self._shape = OneEuro(*strength.shape)
        self._last = np.zeros(0)
        self._middle = np.zeros(0)

    def smooth(self, points: np.ndarray, step_s: float) -> np.ndarray:
        """The next points, (N, D), smoothed; see ``OneEuro.smooth``."""
        middle = self._follow(points)
        self.size = _follow_size(self.size, points, step_s)
        if self.size is None:
            return points
        place = self._place.smooth(middle, step_s, self.size)
        smooth: np.ndarray = place + self._shape.smooth(points - middle, step_s, self.size)
        return smooth

    def _follow(self, points: np.ndarray) -> np.ndarray:
        """(1, D) middle of the hand, moved by the mean motion of the points seen before and now.

        A mean over the points themselves would leap when one of them is not found.
        """
        before = self._last if len(self._last) else np.full_like(points, np.nan)
        moved = points - before
        known = np.isfinite(moved).all(axis=1)
        if known.any():
            self._middle = self._middle + moved[known].mean(axis=0)
        else:
            found = points[np.isfinite(points).all(axis=1)]
            nowhere = np.full(points.shape[1], np.nan)
            self._middle = found.mean(axis=0) if len(found) else nowhere
        self._last = points
        return self._middle[None]


def _follow_size(size: Optional[float], points: np.ndarray, step_s: float) -> Optional[float]:
    found = points[np.isfinite(points).all(axis=1)]
    seen = float(np.ptp(found, axis=0).max()) if len(found) else 0.0
    if not seen > 0.0:
        return size
    return seen if size is None else size + low_pass_share(_SIZE_CUTOFF_HZ, step_s) * (seen - size)
