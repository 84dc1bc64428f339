"""Which pixels of the next picture a viewer has to be given, compared with what it shows now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from atlas_hpe_pipelines.sinks.gif.scratch import Scratch

__all__ = ["Change", "Screen"]

# Above this share of changed pixels the whole rectangle is written: single pixels that stay cost
# the compressor more than they save.
_WRITE_ALL_SHARE = 0.55


@dataclass(frozen=True, eq=False)
class Change:
    """A rectangle to be written; its arrays are good until the screen compares again.

    Attributes:
        left: Its place in the picture, in pixels.
        top: The same.
        picture: (h, w, 3) uint8 BGR, C-contiguous, its content; black where ``mask`` is 0.
        mask: (h, w) uint8, 255 for a pixel to be written and 0 for one that stays; None for all.
        stays: The opposite of ``mask``; None as well.
        share: The pixels to be written, as a share of the whole picture.
        whole: (H, W, 3) uint8 BGR, the whole picture.
    """

    left: int
    top: int
    picture: np.ndarray
    mask: Optional[np.ndarray]
    stays: Optional[np.ndarray]
    share: float
    whole: np.ndarray

    def leave_out_unchanged(self, indices: np.ndarray) -> np.ndarray:
        """Put 255 where a pixel stays, into the (h, w) uint8 indices themselves."""
        import cv2

        if self.stays is None:
            return indices
        return np.asarray(cv2.bitwise_or(indices, self.stays, dst=indices))


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
        self._mask, self._stays = Scratch(), Scratch()
        # What compare() needs, first the differences and then the rectangle; and what show() needs.
        self._compared, self._coloured = Scratch(), Scratch()

    def compare(self, picture: np.ndarray) -> Optional[Change]:
        """The smallest rectangle that brings the screen to the picture, None when nothing differs.

        Args:
            picture: (H, W, 3) uint8 BGR; not kept.
        """
        import cv2

        if self.shown is None:
            return Change(0, 0, np.ascontiguousarray(picture), None, None, 1.0, picture)
        size = picture.shape[:2]
        difference = cv2.absdiff(picture, self.shown, dst=self._compared.take(*picture.shape))
        stays = cv2.inRange(difference, (0, 0, 0, 0), self._limit, dst=self._stays.take(*size))
        mask = cv2.bitwise_not(stays, dst=self._mask.take(*size))
        left, top, width, height = cv2.boundingRect(mask)
        if not width:
            return None
        rows, columns = slice(top, top + height), slice(left, left + width)
        part, part_mask = picture[rows, columns], mask[rows, columns]
        written, area = cv2.countNonZero(part_mask), width * height
        pixels = size[0] * size[1]
        content = self._compared.take(height, width, 3)
        if written > _WRITE_ALL_SHARE * area:
            np.copyto(content, part)
            return Change(left, top, content, None, None, area / pixels, picture)
        content.fill(0)
        cv2.copyTo(part, part_mask, content)
        part_stays = np.asarray(stays)[rows, columns]
        return Change(left, top, content, part_mask, part_stays, written / pixels, picture)

    def show(self, change: Change, indices: np.ndarray, colours: bytes) -> None:
        """Take in what was written.

        Args:
            change: The rectangle.
            indices: (h, w) uint8.
            colours: The RGB colours that they stand for, 768 bytes.
        """
        import cv2

        table = np.frombuffer(colours, np.uint8).reshape(256, 1, 3)[..., ::-1]
        table = np.ascontiguousarray(table)
        if self.shown is None:
            self.shown = np.asarray(cv2.applyColorMap(indices, table))
            return
        height, width = indices.shape
        seen = cv2.applyColorMap(indices, table, dst=self._coloured.take(height, width, 3))
        part = self.shown[change.top : change.top + height, change.left : change.left + width]
        cv2.copyTo(seen, change.mask, part)  # type: ignore[arg-type] # None is everywhere
