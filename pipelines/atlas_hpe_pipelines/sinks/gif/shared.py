"""One palette for a whole clip."""

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

__all__ = ["SharedPalette"]

# A pixel this far from its colour, in any channel, is missed: it is seen to be wrong.
_MISSED = 32
# The palette is made anew when this share of the picture is missed: a hand that comes into the
# picture, a skeleton drawn over it, a cut.
_MISSED_SHARE = 0.001
# Or when its squared error has grown by this factor: all colours have moved a little. Errors below
# the floor (the sum of three channels, 42 dB) are none.
_STALE_FACTOR = 3.0
_STALE_FLOOR = 12.0
# Not again within so many pictures: there may be more colours than a palette holds.
_LEAST_AGE = 12


class SharedPalette:
    """Keep the colours of the first picture until they do not fit any more."""

    tolerance = 3

    def __init__(self) -> None:
        self._nearest: Optional[Nearest] = None
        self._room = Scratch()
        self._colours = b""
        self._first_error = 0.0
        self._age = 0

    def index(self, change: Change) -> Tuple[np.ndarray, bytes]:
        """As ``Palette.index``."""
        sample, places = take_sample(change.picture, change.mask)
        if self._nearest is not None:
            indices = self._nearest.index(change.picture, self._room)
            self._age += 1
            if self._age < _LEAST_AGE or not self._is_stale(change, sample, indices[places]):
                return indices, self._colours
        self._nearest = self._start(change, sample)
        self._age = 0
        return self._nearest.index(change.picture, self._room), self._colours

    def _start(self, change: Change, sample: np.ndarray) -> Nearest:
        """Colours of the whole picture; what has changed counts twice."""
        if change.mask is not None:
            sample = np.concatenate([sample, take_sample(change.whole, None)[0]])
        nearest = Nearest(start_centres(sample))
        labels = nearest.index(sample[None], Scratch()).ravel()
        means, _, self._first_error = refine(labels, sample, nearest.centres)
        self._colours = to_bytes(means)
        return nearest

    def _is_stale(self, change: Change, sample: np.ndarray, labels: np.ndarray) -> bool:
        colours = np.frombuffer(self._colours, np.uint8).reshape(256, 3)[:, ::-1].astype(np.int16)
        errors = np.abs(colours[labels.ravel()] - sample)
        missed = np.mean(errors.max(axis=1) > _MISSED)
        squared = np.mean(np.sum(errors.astype(np.float32) ** 2, axis=1))
        limit = _STALE_FACTOR * max(self._first_error, _STALE_FLOOR)
        return bool(change.share * missed > _MISSED_SHARE or change.share * squared > limit)
