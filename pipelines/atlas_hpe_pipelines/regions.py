"""Which part of the picture a network looks at."""

from __future__ import annotations

from typing import Optional, Tuple

from atlas_hpe.errors import UsageError
from atlas_hpe.geometry import Box

__all__ = ["choose_region"]


def choose_region(size_px: Tuple[int, int], box: Optional[Box]) -> Box:
    """The given box of the hand, else the whole frame.

    Args:
        size_px: Width and height of the frame.
        box: The hand's box in source pixels, None for the whole frame.

    Raises:
        UsageError: The box lies outside the frame.
    """
    width_px, height_px = size_px
    if box is None:
        return Box(0, 0, width_px, height_px)
    inside_x = min(box.x + box.width, width_px) - max(box.x, 0)
    inside_y = min(box.y + box.height, height_px) - max(box.y, 0)
    if inside_x <= 0 or inside_y <= 0:
        raise UsageError(
            "the box lies outside the picture",
            where="--box",
            why=f"the picture is {width_px}x{height_px}, the box starts at {box.x:g},{box.y:g}",
            fix="give x,y,w,h in pixels of the source",
        )
    return box
