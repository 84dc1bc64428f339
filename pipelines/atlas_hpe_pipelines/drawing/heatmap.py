"""What the network saw, in colours over the picture."""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np

from atlas_hpe.geometry import apply_affine, to_pixel_centres
from atlas_hpe.poses import JointHeatmaps

__all__ = ["HeatmapPainter"]

_STRONGEST = 0.75  # share of the colour where a map peaks
_LEAST = 0.08  # of the peak: below that a map is noise, and the picture stays as it is


class HeatmapPainter:
    """Lays heatmaps over pictures of one size.

    Args:
        size_px: Width and height of the pictures.
    """

    def __init__(self, size_px: Tuple[int, int]) -> None:
        width, height = size_px
        self._heat = np.empty((height, width), np.uint8)
        self._paint = np.empty((height, width, 3), np.uint8)
        self._keep = np.empty((height, width, 3), np.uint8)
        self._paint_table, self._keep_table = _blend_tables()

    def paint(self, picture: np.ndarray, heatmaps: JointHeatmaps, affine: np.ndarray) -> None:
        """Blend the strongest joint's map, place by place, into a picture.

        The colour's share grows with the map, whose peak over all joints counts as 1.

        Args:
            picture: (height, width, 3) uint8, BGR; drawn on.
            heatmaps: Maps of one hand; what is not finite or below 0 counts as 0.
            affine: (2, 3) map from source pixels to those of the picture.
        """
        heat = np.fmax.reduce(heatmaps.values, axis=0).astype(np.float32)
        heat = np.where(np.isfinite(heat), np.maximum(heat, 0), 0)
        peak = float(heat.max())
        if not peak > 0:
            return
        to_picture = _chain(affine, heatmaps.to_source)
        x, y, width, height = _bounds(to_picture, heat.shape, picture.shape)
        if width <= 0 or height <= 0:
            return
        to_picture[:, 2] -= (x, y)
        part = (slice(0, height), slice(0, width))
        small = np.asarray(heat * (255 / peak), np.uint8)
        strength = cv2.warpAffine(
            small, to_pixel_centres(to_picture), (width, height), dst=self._heat[part]
        )
        paint = cv2.applyColorMap(strength, self._paint_table, self._paint[part])
        keep = cv2.applyColorMap(strength, self._keep_table, self._keep[part])
        place = picture[y : y + height, x : x + width]
        cv2.multiply(place, keep, dst=place, scale=1 / 255)
        cv2.add(place, paint, dst=place)


def _blend_tables() -> Tuple[np.ndarray, np.ndarray]:
    """By strength: the colour times its share, and the share of the picture that stays, of 255."""
    steps = np.arange(256, dtype=np.uint8)[:, None]
    colours = cv2.applyColorMap(steps, cv2.COLORMAP_TURBO).astype(np.float64)  # (256, 1, 3)
    above = np.clip((steps / 255 - _LEAST) / (1 - _LEAST), 0, 1)
    share = _STRONGEST * np.sqrt(above)[..., None]
    keep = np.repeat(1 - share, 3, axis=2)
    return np.rint(colours * share).astype(np.uint8), np.rint(keep * 255).astype(np.uint8)


def _chain(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The (2, 3) map that does one and then the other."""
    return np.hstack([second[:, :2] @ first[:, :2], apply_affine(second, first[:, 2])[:, None]])


def _bounds(
    to_picture: np.ndarray, map_shape: Tuple[int, ...], picture_shape: Tuple[int, ...]
) -> Tuple[int, int, int, int]:
    """The part of the picture that a map reaches: x, y, width, height."""
    rows, columns = map_shape
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]])
    seen = apply_affine(to_picture, corners)
    limits = (picture_shape[1], picture_shape[0])
    left, top = np.clip(np.floor(seen.min(axis=0)), 0, limits).astype(int).tolist()
    right, bottom = np.clip(np.ceil(seen.max(axis=0)), 0, limits).astype(int).tolist()
    return left, top, right - left, bottom - top
