"""A resize of constant size along one axis, as a matrix.

Linear and cubic interpolation are linear in the picture and act on each axis alone, so

    Y = A_rows @ X @ transpose(A_columns)

with an (out, in) matrix per axis. Row o holds the weights f((i - x) * r) of the pixels i around

    x = (o + 1/2) / scale - 1/2       half_pixel; the other modes as on the operator's page

where f is the triangle or the cubic convolution of Keys (1981), and r = 1; with antialias and
scale < 1 the filter is stretched, r = scale. A pixel outside is the one at the edge, or left out
with exclude_outside; then each row is brought to the sum 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ResizeFilter", "resize_matrix"]


@dataclass(frozen=True)
class ResizeFilter:
    """Attributes of a Resize, under the names of the operator's page."""

    mode: str
    transformation: str
    antialias: bool
    exclude_outside: bool
    cubic_coeff_a: float

    @property
    def radius(self) -> int:
        """Pixels that the filter reaches to each side."""
        return 2 if self.mode == "cubic" else 1


def resize_matrix(in_size: int, out_size: int, scale: float, resize: ResizeFilter) -> np.ndarray:
    """Make the matrix of one axis.

    Args:
        in_size: Elements before.
        out_size: Elements after.
        scale: Factor that coordinates are computed with; not always ``out_size / in_size``.
        resize: Mode and filter.

    Returns:
        Float64 (out_size, in_size).

    Raises:
        ValueError: The coordinate transformation is not one of those with a constant matrix.
    """
    places = _places(in_size, out_size, scale, resize.transformation)
    stretch = min(1.0, scale) if resize.antialias else 1.0
    reach = int(np.ceil(resize.radius / stretch)) + 1
    matrix = np.zeros((out_size, in_size))
    for row, place in zip(matrix, places):
        pixels = np.arange(np.floor(place) - reach, np.floor(place) + reach + 1).astype(int)
        weights = _filter((pixels - place) * stretch, resize)
        inside = (pixels >= 0) & (pixels < in_size)
        if resize.exclude_outside:
            weights = weights * inside
        np.add.at(row, np.clip(pixels, 0, in_size - 1), weights / weights.sum())
    return matrix


def _places(in_size: int, out_size: int, scale: float, transformation: str) -> np.ndarray:
    """Coordinate in the input of each output pixel."""
    steps = np.arange(out_size)
    half_pixel = (steps + 0.5) / scale - 0.5
    if transformation == "half_pixel_symmetric":
        # Without a size of its own, the output is as long as in_size * scale, a fraction.
        adjustment = out_size / (scale * in_size)
        return in_size / 2 * (1 - adjustment) + half_pixel
    if transformation == "pytorch_half_pixel" and out_size == 1:
        return np.zeros(1)
    if transformation in ("half_pixel", "pytorch_half_pixel"):
        return half_pixel
    if transformation == "align_corners":
        return steps * (in_size - 1) / max(1, out_size - 1)
    if transformation == "asymmetric":
        return steps / scale
    raise ValueError(f"coordinates '{transformation}' have no constant matrix")


def _filter(distance: np.ndarray, resize: ResizeFilter) -> np.ndarray:
    d = np.abs(distance)
    if resize.mode == "linear":
        return np.asarray(np.maximum(0, 1 - d))
    a = resize.cubic_coeff_a
    near = ((a + 2) * d - (a + 3)) * d**2 + 1
    far = ((d - 5) * d + 8) * a * d - 4 * a
    return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0)))
