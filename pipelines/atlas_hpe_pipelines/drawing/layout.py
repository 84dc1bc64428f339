"""Where the parts of a picture lie: the drawn picture, the untouched one, the side view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from atlas_hpe_pipelines.drawing.options import DrawOptions

__all__ = ["Layout", "Rect", "fit_rect", "plan_layout"]

_PANEL_SHARE = 0.5  # of the side view, over the shorter side of the picture


@dataclass(frozen=True)
class Rect:
    """A rectangle of whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def of(self, canvas: np.ndarray) -> np.ndarray:
        """This part of a picture, as a view."""
        return canvas[self.y : self.y + self.height, self.x : self.x + self.width]

    def meets(self, other: Rect) -> bool:
        """Whether they have a pixel in common."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@dataclass(frozen=True)
class Layout:
    """The parts of every picture of a run.

    Attributes:
        size_px: Width and height of the whole.
        drawn: The picture with the skeletons.
        untouched: The picture as it came, left of the drawn one; None without.
        side_view: The panel; None without.
    """

    size_px: Tuple[int, int]
    drawn: Rect
    untouched: Optional[Rect] = None
    side_view: Optional[Rect] = None


def plan_layout(
    options: DrawOptions, source_size_px: Tuple[int, int], max_width_px: Optional[int] = None
) -> Layout:
    """Place the parts.

    The side view stands right of the picture, as high as it: a hand has room in its own scale.

    Args:
        options: What is shown.
        source_size_px: Width and height of the source's pictures.
        max_width_px: A wider whole is shrunk to this (no part of it below one pixel); None for the
            source's own scale.
    """
    width, height = source_size_px
    columns = 2 if options.split else 1
    share = _PANEL_SHARE * min(1.0, height / width) if options.view_3d else 0.0
    if max_width_px is not None:
        shrunk = min(width, max(1, int(max_width_px / (columns + share))))
        width, height = shrunk, max(1, round(height * shrunk / width))
    row = columns * width
    drawn = Rect(row - width, 0, width, height)
    untouched = Rect(0, 0, width, height) if options.split else None
    if not options.view_3d:
        return Layout((row, height), drawn, untouched)
    panel = Rect(row, 0, max(1, int(share * width)), height)
    return Layout((row + panel.width, height), drawn, untouched, panel)


def fit_rect(size_px: Tuple[int, int], room_px: Tuple[int, int]) -> Rect:
    """Where a picture lies in a room of another size: its aspect kept, as large as can be, centred.

    Args:
        size_px: Width and height of the picture.
        room_px: Width and height of the room.
    """
    scale = min(room / side for room, side in zip(room_px, size_px))
    width, height = (min(room, max(1, round(side * scale))) for room, side in zip(room_px, size_px))
    return Rect((room_px[0] - width) // 2, (room_px[1] - height) // 2, width, height)
