"""The resize filters of VPC, on one plane at a time.

Modes (ascend.md section 5.3): 1 bilinear and 2 nearest as OpenCV, 3 bilinear and 4 nearest as
TensorFlow 1 (no half-pixel shift). 0 is Huawei's own high-order filter, which is not published: the
simulator takes the cubic of Catmull and Rom in its place (Keys 1981, a = -0.5), widened where the
picture shrinks. Nobody has said that any mode is the same to the bit on the chip.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

from atlas_hpe_runtime.simulator.media.planes import Planes

__all__ = ["filter_taps", "resize_plane", "resize_planes"]

_CUBIC_A = -0.5
# From here on one large product is faster than a sum over taps.
_FEW_TAPS = 4


def resize_planes(planes: Planes, width: int, height: int, mode: int) -> Planes:
    """Resize a picture; luma and chroma each at their own resolution, as the chip does.

    Args:
        planes: The picture, with one chroma sample for 2x2 pixels.
        width: Wanted width in pixels, even.
        height: Wanted height in pixels, even.
        mode: 0 to 4.

    Returns:
        The picture in its new size.
    """
    return Planes(
        resize_plane(planes.luma, width, height, mode),
        resize_plane(planes.chroma, width // 2, height // 2, mode),
    )


def resize_plane(plane: np.ndarray, width: int, height: int, mode: int) -> np.ndarray:
    """Resize (H, W) or (H, W, channels) uint8 to (height, width, ...)."""
    if plane.shape[:2] == (height, width):
        return plane
    values = plane.astype(np.float32)
    values = _filter_rows(values, *filter_taps(plane.shape[0], height, mode))
    columns = np.swapaxes(values, 0, 1)
    columns = _filter_rows(columns, *filter_taps(plane.shape[1], width, mode))
    result: np.ndarray = np.floor(np.swapaxes(columns, 0, 1) + 0.5)
    return result.clip(0, 255).astype(np.uint8)


def _filter_rows(values: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if places.shape[1] > _FEW_TAPS:
        matrix = np.zeros((len(places), len(values)), np.float32)
        np.add.at(matrix, (np.arange(len(places))[:, None], places), weights)
        product: np.ndarray = np.tensordot(matrix, values, axes=1)
        return product
    result = np.zeros((places.shape[0], *values.shape[1:]), np.float32)
    flat = (-1,) + (1,) * (values.ndim - 1)
    for tap in range(places.shape[1]):
        result += values[places[:, tap]] * weights[:, tap].reshape(flat)
    return result


def filter_taps(source: int, target: int, mode: int) -> Tuple[np.ndarray, np.ndarray]:
    """Which samples make each new sample, along one axis.

    Args:
        source: Samples there are.
        target: Samples wanted.
        mode: 0 to 4.

    Returns:
        Indices (target, taps) inside 0..source - 1, and float32 weights (target, taps) that add up
        to 1.
    """
    scale = source / target
    steps = np.arange(target)
    if mode in (2, 4):
        # OpenCV divides by the ratio the other way round, and rounds that: it is not the same.
        inverse = 1 / (target / source)
        places = np.floor(steps * inverse) if mode == 2 else steps * source // target
        places = np.minimum(places.astype(np.int64), source - 1)
        return places[:, None], np.ones((target, 1), np.float32)
    if mode == 3:
        return _linear_taps(steps * scale, source)
    if mode == 1:
        return _linear_taps((steps + 0.5) * scale - 0.5, source)
    return _cubic_taps((steps + 0.5) * scale - 0.5, source, max(scale, 1.0))


def _linear_taps(centres: np.ndarray, source: int) -> Tuple[np.ndarray, np.ndarray]:
    centres = centres.clip(0, source - 1)
    first = np.floor(centres).astype(np.int64)
    share = centres - first
    places = np.stack([first, np.minimum(first + 1, source - 1)], axis=1)
    return places, np.stack([1 - share, share], axis=1).astype(np.float32)


def _cubic_taps(centres: np.ndarray, source: int, widen: float) -> Tuple[np.ndarray, np.ndarray]:
    reach = int(np.ceil(2 * widen))
    places = np.floor(centres).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    weights = _cubic(np.abs(places - centres[:, None]) / widen)
    weights /= weights.sum(axis=1, keepdims=True)
    return places.clip(0, source - 1), weights.astype(np.float32)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """The cubic convolution kernel of Keys (1981), equation 4 with a = -0.5."""
    near = ((_CUBIC_A + 2) * distance - (_CUBIC_A + 3)) * distance**2 + 1
    far = _CUBIC_A * (((distance - 5) * distance + 8) * distance - 4)
    weights: np.ndarray = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return weights
