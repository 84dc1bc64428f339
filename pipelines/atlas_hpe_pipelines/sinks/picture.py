"""Fitting pictures into an output."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

__all__ = ["fit_width", "shrink"]


def fit_width(size_px: Tuple[int, int], max_width_px: Optional[int]) -> Tuple[int, int]:
    """Width and height after shrinking to ``max_width_px``; never larger than before.

    Args:
        size_px: Width and height.
        max_width_px: Largest width, None for no limit.
    """
    width, height = size_px
    if max_width_px is None or width <= max_width_px:
        return size_px
    return max_width_px, max(1, round(height * max_width_px / width))


def shrink(picture: np.ndarray, size_px: Tuple[int, int]) -> np.ndarray:
    """The picture at a smaller size, (h, w, 3) uint8; the same array when the size fits already.

    Args:
        picture: (H, W, 3) uint8.
        size_px: Width and height wanted.
    """
    if (picture.shape[1], picture.shape[0]) == size_px:
        return picture
    import cv2

    # Averaging over the source area: thin skeleton lines fade instead of breaking up.
    return np.asarray(cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA))
