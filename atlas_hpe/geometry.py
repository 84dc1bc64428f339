"""Boxes, crops and their inverse, as affine maps between continuous pixel coordinates.

The top-left corner of an image is (0, 0) and the centre of its first pixel is (0.5, 0.5), so a
change of size is a pure scale. OpenCV puts pixel centres at integers; ``to_pixel_centres`` converts
a map for ``cv2.warpAffine``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from atlas_hpe.errors import UsageError

__all__ = ["Box", "apply_affine", "box_affine", "invert_affine", "parse_box", "to_pixel_centres"]

_MIN_BOX_PX = 1.0
_MAX_BOX_PX = 1e6


@dataclass(frozen=True)
class Box:
    """An axis-aligned box in continuous pixels.

    Attributes:
        x: Left edge.
        y: Top edge.
        width: Width, above 0.
        height: Height, above 0.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Tuple[float, float]:
        """Centre x, y."""
        return self.x + self.width / 2, self.y + self.height / 2

    def squared(self, scale: float = 1.0) -> Box:
        """The square of side ``scale * max(width, height)`` around the same centre."""
        side = scale * max(self.width, self.height)
        centre_x, centre_y = self.centre
        return Box(centre_x - side / 2, centre_y - side / 2, side, side)

    def as_tuple(self) -> Tuple[float, float, float, float]:
        """x, y, width, height."""
        return self.x, self.y, self.width, self.height


def parse_box(text: str) -> Box:
    """Read ``"x,y,w,h"`` in source pixels.

    Raises:
        UsageError: Not four finite numbers, a side below 1 px, or a number beyond a million.
    """
    fix = "give four numbers in source pixels, for example --box 420,80,360,360"
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise UsageError(f"'{text}' is not a box", where="--box", why="expected x,y,w,h", fix=fix)
    box = Box(*numbers)
    if min(box.width, box.height) < _MIN_BOX_PX or max(map(abs, numbers)) > _MAX_BOX_PX:
        why = f"sides are {_MIN_BOX_PX:g} px or more, no number is beyond {_MAX_BOX_PX:g}"
        raise UsageError(f"the box '{text}' is impossible", where="--box", why=why, fix=fix)
    return box


def box_affine(box: Box, size_px: Tuple[int, int], keep_aspect: bool = False) -> np.ndarray:
    """The map from source pixels to a network input that shows ``box``.

    Args:
        box: Region of the source.
        size_px: Width and height of the network input.
        keep_aspect: True: one scale, the box centred, the rest is border (letterbox).
            False: the box fills the input, stretched if the aspect ratios differ.

    Returns:
        (2, 3) float64.
    """
    width_px, height_px = size_px
    scale_x, scale_y = width_px / box.width, height_px / box.height
    if keep_aspect:
        scale_x = scale_y = min(scale_x, scale_y)
    centre_x, centre_y = box.centre
    return np.array(
        [
            [scale_x, 0.0, width_px / 2 - scale_x * centre_x],
            [0.0, scale_y, height_px / 2 - scale_y * centre_y],
        ]
    )


def invert_affine(affine: np.ndarray) -> np.ndarray:
    """The inverse of a (2, 3) affine map, in closed form.

    Raises:
        ValueError: The map is singular.
    """
    (a, b, tx), (c, d, ty) = affine
    determinant = a * d - b * c
    if determinant == 0:
        raise ValueError("a singular affine map has no inverse")
    linear = np.array([[d, -b], [-c, a]]) / determinant
    inverse: np.ndarray = np.hstack([linear, -linear @ np.array([[tx], [ty]])])
    return inverse


def apply_affine(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) through a (2, 3) affine map."""
    mapped: np.ndarray = points @ affine[:, :2].T + affine[:, 2]
    return mapped


def to_pixel_centres(affine: np.ndarray) -> np.ndarray:
    """The same map between coordinates that put pixel centres at integers (OpenCV)."""
    half = np.full(2, 0.5)
    shifted: np.ndarray = affine.copy()
    shifted[:, 2] += affine[:, :2] @ half - half
    return shifted
