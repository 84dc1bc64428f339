"""The One-Euro filter: a low-pass that opens as the signal moves faster.

G. Casiez, N. Roussel, D. Vogel: "1 EUR Filter: A Simple Speed-based Low-pass Filter for Noisy Input
in Interactive Systems", CHI 2012. Names in brackets below are those of the paper.
"""

from __future__ import annotations

import math
from typing import Optional, TypeVar

import numpy as np

__all__ = ["OneEuro", "low_pass_share"]

#: Cutoff of the low-pass on the speed, in hertz (dcutoff); the paper has 1 for all its signals.
_SPEED_CUTOFF_HZ = 1.0
_Number = TypeVar("_Number", float, np.ndarray)


def low_pass_share(cutoff_hz: _Number, step_s: float) -> _Number:
    """Share of the new sample in a first-order low-pass, in (0, 1).

    alpha = 1 / (1 + tau / Te) with tau = 1 / (2 pi fc), as in the paper.

    Args:
        cutoff_hz: Frequencies (fc) above 0.
        step_s: Seconds since the sample before (Te), above 0.
    """
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * step_s * cutoff_hz))


class OneEuro:
    """Filters N points in D dimensions; the coordinates of a point share one cutoff.

    The speed is that of the points as they come, not of their distance to the smoothed ones, which
    would grow with the rate of the frames. A point that is not finite comes out as it is, and
    starts anew when it is back.

    Args:
        rest_hz: Cutoff of a point at rest (fcmin): the lower, the less jitter.
        opening: Hertz by which the cutoff rises for each unit of speed (beta): the higher, the
            less lag.
    """

    def __init__(self, rest_hz: float, opening: float) -> None:
        self._rest_hz = rest_hz
        self._opening = opening
        self._last: Optional[np.ndarray] = None
        self._smooth = np.zeros(0)
        self._velocity = np.zeros(0)

    def smooth(self, points: np.ndarray, step_s: float, unit: float = 1.0) -> np.ndarray:
        """The next points, smoothed.

        Args:
            points: (N, D), the same shape in every call.
            step_s: Seconds since the last call, above 0; the first call does not look at it.
            unit: Length that counts as 1 in speeds, above 0.

        Returns:
            (N, D), not to be written to.
        """
        if self._last is None:
            self._last, self._smooth, self._velocity = points, points, np.zeros_like(points)
            return points
        moved, away = points - self._last, points - self._smooth
        known = np.isfinite(moved).all(axis=1, keepdims=True)
        share = low_pass_share(_SPEED_CUTOFF_HZ, step_s)
        velocity = self._velocity + share * (moved / step_s - self._velocity)
        self._velocity = np.where(known, velocity, 0.0)
        speed = np.linalg.norm(self._velocity, axis=1, keepdims=True) / unit
        # fc = fcmin + beta |speed|, the equation that makes the filter what it is.
        share_of_each = low_pass_share(self._rest_hz + self._opening * speed, step_s)
        self._smooth = np.where(known, self._smooth + share_of_each * away, points)
        self._last = points
        return self._smooth
