"""Which part of the picture a network looks at."""

from __future__ import annotations

from typing import Optional, Tuple

from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import UsageError
from atlas_hpe.geometry import Box

__all__ = ["choose_region", "is_in_picture"]


def choose_region(spec: PreprocessSpec, size_px: Tuple[int, int], box: Optional[Box]) -> Box:
    """What the network's input shows.

    With ``fit="crop"`` it is a square: around the hand's box, ``crop_scale`` times as large, or,
    without a box, just large enough for the whole frame. Otherwise it is the box or the frame.

    Args:
        spec: The network's input.
        size_px: Width and height of the frame.
        box: The hand's box in source pixels, None for the whole frame.

    Raises:
        UsageError: The box lies outside the frame.
    """
    frame = Box(0, 0, *size_px)
    if box is None:
        return frame.squared() if spec.fit == "crop" else frame
    if not is_in_picture(box, size_px):
        raise UsageError(
            "the box lies outside the picture",
            where="--box",
            why=f"the picture is {size_px[0]}x{size_px[1]}, the box starts at {box.x:g},{box.y:g}",
            fix="give x,y,w,h in pixels of the source",
        )
    return box.squared(spec.crop_scale) if spec.fit == "crop" else box


def is_in_picture(box: Box, size_px: Tuple[int, int]) -> bool:
    """Whether any part of a box lies in a picture of this width and height."""
    inside_x = min(box.x + box.width, size_px[0]) - max(box.x, 0)
    inside_y = min(box.y + box.height, size_px[1]) - max(box.y, 0)
    return inside_x > 0 and inside_y > 0
