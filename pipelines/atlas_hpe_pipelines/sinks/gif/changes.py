"""Which pixels of the next picture a viewer has to be given, compared with what it shows now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

__all__ = ["Change", "Screen"]

# Above this share of changed pixels the whole rectangle is written: single pixels that stay cost
# the compressor more than they save.
_WRITE_ALL_SHARE = 0.55


@dataclass(frozen=True, eq=False)
class Change:
    """A rectangle to be written.

    Attributes:
        left: Its place in the picture, in pixels.
        top: The same.
        picture: (h, w, 3) uint8 BGR, C-contiguous, its content; black where ``mask`` is 0.
        mask: (h, w) uint8, 255 for a pixel to be written and 0 for one that stays; None for all.
        share: The pixels to be written, as a share of the whole picture.
        whole: (H, W, 3) uint8 BGR, the whole picture.
    """

    left: int
    top: int
    picture: np.ndarray
    mask: Optional[np.ndarray]
    share: float
    whole: np.ndarray

    def leave_out_unchanged(self, indices: np.ndarray) -> np.ndarray:
        """The (h, w) uint8 indices, with 255 where a pixel stays."""
        import cv2

        if self.mask is None:
            return indices
        return np.asarray(cv2.bitwise_or(indices, cv2.bitwise_not(self.mask)))


class Screen:
    """What a viewer of the clip sees.

    A pixel is left as it is shown when no channel is further than ``tolerance`` from what it should
    be. The comparison is with what is seen, not with the picture before, so that errors never add
    up.

    Args:
        tolerance: In levels.

    Attributes:
        shown: (H, W, 3) uint8 BGR, None before the first picture.
    """

    def __init__(self, tolerance: int) -> None:
        self._limit = (tolerance, tolerance, tolerance, 0)
        self.shown: Optional[np.ndarray] = None

    def compare(self, picture: np.ndarray) -> Optional[Change]:
        """The smallest rectangle that brings the screen to the picture, None when nothing differs.

        Args:
            picture: (H, W, 3) uint8 BGR; not kept.
        """
        import cv2

        if self.shown is None:
            return Change(0, 0, np.ascontiguousarray(picture), None, 1.0, picture)
        stays = cv2.inRange(cv2.absdiff(picture, self.shown), (0, 0, 0, 0), self._limit)
        mask = cv2.bitwise_not(stays)
        left, top, width, height = cv2.boundingRect(mask)
        if not width:
            return None
        rows, columns = slice(top, top + height), slice(left, left + width)
        part, part_mask = picture[rows, columns], mask[rows, columns]
        written, area = cv2.countNonZero(part_mask), width * height
        pixels = picture.shape[0] * picture.shape[1]
        if written > _WRITE_ALL_SHARE * area:
            part = np.ascontiguousarray(part)
            return Change(left, top, part, None, area / pixels, picture)
        part = np.asarray(cv2.bitwise_and(part, part, mask=part_mask))
        return Change(left, top, part, part_mask, written / pixels, picture)

    def show(self, change: Change, indices: np.ndarray, colours: bytes) -> None:
        """Take in what was written.

        Args:
            change: The rectangle.
            indices: (h, w) uint8.
            colours: The RGB colours that they stand for, 768 bytes.
        """
        import cv2

        table = np.frombuffer(colours, np.uint8).reshape(256, 1, 3)[..., ::-1]
        seen = np.asarray(cv2.applyColorMap(indices, np.ascontiguousarray(table)))
        if self.shown is None:
            self.shown = seen
            return
        height, width = indices.shape
        part = self.shown[change.top : change.top + height, change.left : change.left + width]
        if change.mask is None:
            part[:] = seen
        else:
            cv2.copyTo(seen, change.mask, part)
