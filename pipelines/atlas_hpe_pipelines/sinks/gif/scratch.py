"""Memory that is used again for each picture of a clip."""

from __future__ import annotations

import numpy as np

__all__ = ["Scratch"]


class Scratch:
    """Room for one array at a time, in whatever shape a picture needs.

    A fresh array for each rectangle costs more than its malloc, see ``PictureBuffers``, whose
    arrays have one shape.
    """

    def __init__(self) -> None:
        self._room = np.empty(0, np.uint8)

    def take(self, *shape: int) -> np.ndarray:
        """A uint8 array of this shape, C-contiguous; it overwrites what was taken before."""
        size = 1
        for side in shape:
            size *= side
        if self._room.size < size:
            self._room = np.empty(size, np.uint8)
        return self._room[:size].reshape(shape)
