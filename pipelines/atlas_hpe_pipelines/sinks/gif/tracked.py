"""Colours for each picture of a clip, grown from those of the one before it.

Neighbouring pictures hold nearly the same colours, so one round of k-means for each is enough: the
assignment of a picture's pixels gives the exact means for its own colours, and the start of the
next ones.
"""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from atlas_hpe_pipelines.sinks.gif.changes import Change
from atlas_hpe_pipelines.sinks.gif.colours import (
    Nearest,
    refine,
    start_centres,
    take_sample,
    to_bytes,
)
from atlas_hpe_pipelines.sinks.gif.scratch import Scratch

__all__ = ["TrackedPalette"]

# A picture whose squared error grows by this factor shows something new: the colours start afresh.
_CUT_FACTOR = 1.5
# Below a mean squared error of 1 (48 dB) nothing is worth a fresh start.
_CUT_FLOOR = 1.0
# Less of the picture than this is not a cut: the next rounds of k-means will follow it.
_CUT_SHARE = 0.3
# Pictures that are searched with the same centres, because a new search table costs as much as
# two pictures. The colours written are the means of each picture all the same.
_REFRESH = 4
# They are renewed sooner when the error has grown by this factor since.
_DRIFT = 1.2


class TrackedPalette:
    """Turn the changes of one clip, in their order, into indices and colours."""

    tolerance = 3

    def __init__(self) -> None:
        self._nearest: Optional[Nearest] = None
        self._room = Scratch()
        self._next = np.empty(0)  # (255, 3) centres after one more round
        self._age = 0
        self._error = 0.0
        self._first_error = 0.0

    def index(self, change: Change) -> Tuple[np.ndarray, bytes]:
        """As ``Palette.index``."""
        sample, places = take_sample(change.picture, change.mask)
        if self._nearest is None:
            return self._start(change, sample, places)
        if self._age >= _REFRESH or self._error > _DRIFT * self._first_error:
            self._nearest, self._age = Nearest(self._next), 0
        indices, means, error = self._assign(self._nearest, change, sample, places)
        if change.share > _CUT_SHARE and error > _CUT_FACTOR * max(self._error, _CUT_FLOOR):
            return self._start(change, sample, places)
        self._keep(error)
        return indices, to_bytes(means)

    def _start(
        self, change: Change, sample: np.ndarray, places: Tuple[np.ndarray, ...]
    ) -> Tuple[np.ndarray, bytes]:
        self._nearest, self._age = Nearest(start_centres(sample)), 0
        indices, means, error = self._assign(self._nearest, change, sample, places)
        self._keep(error)
        return indices, to_bytes(means)

    def _assign(
        self,
        nearest: Nearest,
        change: Change,
        sample: np.ndarray,
        places: Tuple[np.ndarray, ...],
    ) -> Tuple[np.ndarray, np.ndarray, float]:
        """Indices of the picture, its colours and its mean squared error."""
        indices = nearest.index(change.picture, self._room)
        means, self._next, error = refine(indices[places].ravel(), sample, nearest.centres)
        return indices, means, error

    def _keep(self, error: float) -> None:
        if not self._age:
            self._first_error = error
        self._error = error
        self._age += 1
