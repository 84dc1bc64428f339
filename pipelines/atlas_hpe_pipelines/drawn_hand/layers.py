"""Pictures with depth, put together so that each pixel shows what is nearest to the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np

from atlas_hpe_pipelines.drawn_hand.raster import Surface, clip01

__all__ = ["Layer", "merge_layers", "place_surface"]

_FAR = -1.0e4


@dataclass(frozen=True, eq=False)
class Layer:
    """One body, or several already merged, in the size of the picture; all float32.

    Attributes:
        cover: (H, W) share of the pixel that is covered, 0..1.
        depth_px: (H, W) height towards the camera in pixels; has no meaning where cover is 0.
        colours: (H, W, 3) BGR, 0..255 and a little beyond.
    """

    cover: np.ndarray
    depth_px: np.ndarray
    colours: np.ndarray


def place_surface(surface: Surface, colours: np.ndarray, size_px: Tuple[int, int]) -> Layer:
    """A shaded surface in its window as a layer of the whole picture.

    Args:
        surface: What the camera sees.
        colours: (h, w, 3) float32 of its window.
        size_px: Width and height of the picture.
    """
    width, height = size_px
    rows, columns = surface.cover.shape
    left, top = surface.origin_px
    window = (slice(top, top + rows), slice(left, left + columns))
    cover = np.zeros((height, width), dtype=np.float32)
    depth = np.full((height, width), _FAR, dtype=np.float32)
    full = np.zeros((height, width, 3), dtype=np.float32)
    cover[window], depth[window], full[window] = surface.cover, surface.depth_px, colours
    return Layer(cover=cover, depth_px=depth, colours=full)


def merge_layers(
    first: Layer, second: Layer, light_xy: Tuple[float, float], unit_px: float
) -> Layer:
    """Both layers, the nearer in front at each pixel, with the shadow it throws on the other.

    With f the share to which the second is in front, a its cover and A that of the first, the
    second weighs a (1 - (1 - f) A) and the first A (1 - f a), as when capsules are merged.

    Args:
        first: One layer.
        second: The other; the result does not depend on which is which.
        light_xy: Direction to the light in the picture, x right, y down, of length 0..1.
        unit_px: Radius of the wrist, the measure for the shadow.
    """
    front = clip01((second.depth_px - first.depth_px) * 0.5 + 0.5)
    over_first, over_second = second.cover * front, first.cover * (1.0 - front)
    weight = second.cover * (1.0 - over_second)
    rest = first.cover * (1.0 - over_first)
    total = weight + rest
    share = weight / np.maximum(total, 1e-6)
    lower = first.colours * _shadow(over_first, light_xy, unit_px)[..., None]
    upper = second.colours * _shadow(over_second, light_xy, unit_px)[..., None]
    return Layer(
        cover=total,
        depth_px=first.depth_px + share * (second.depth_px - first.depth_px),
        colours=lower + share[..., None] * (upper - lower),
    )


def _shadow(over: np.ndarray, light_xy: Tuple[float, float], unit_px: float) -> np.ndarray:
    """(H, W) light that is left beside and under what lies above, 0..1."""
    shift = 0.5 * unit_px
    move = np.array([[1.0, 0.0, -light_xy[0] * shift], [0.0, 1.0, -light_xy[1] * shift]])
    side = int(0.8 * unit_px) | 1
    moved = cv2.warpAffine(over, move, (over.shape[1], over.shape[0]))
    return np.asarray(1.0 - 0.55 * cv2.blur(moved, (side, side)))
