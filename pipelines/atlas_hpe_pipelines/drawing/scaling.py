"""Frames in the size that they are drawn in."""

from __future__ import annotations

from typing import Dict, Tuple

import cv2
import numpy as np

__all__ = ["Scaler"]


class Scaler:
    """Copies pictures into others of any size; what it needs in between it keeps."""

    def __init__(self) -> None:
        self._between: Dict[int, np.ndarray] = {}

    def copy(self, image: np.ndarray, place: np.ndarray, *, mirror: bool) -> None:
        """Fill a picture with another one, scaled and mirrored.

        Where it shrinks by two or more it is halved as often first, averaging as an area filter
        does, so that fine texture does not alias; OpenCV is fastest at exact halves.

        Args:
            image: (H, W, 3) uint8; stays as it is.
            place: (h, w, 3) uint8; rows may lie apart.
            mirror: Exchange left and right.
        """
        rows, columns = place.shape[:2]
        step = 0
        while image.shape[0] >= 2 * rows and image.shape[1] >= 2 * columns:
            half = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
            kept = self._keep(step, (half[1], half[0], 3))
            image = cv2.resize(image, half, dst=kept, interpolation=cv2.INTER_AREA)
            step += 1
        if image.shape != place.shape:
            scaled = self._keep(step, place.shape) if mirror else place
            size_px = (columns, rows)
            image = cv2.resize(image, size_px, dst=scaled, interpolation=cv2.INTER_LINEAR)
        if mirror:
            cv2.flip(image, 1, dst=place)
        elif image is not place:
            np.copyto(place, image)

    def _keep(self, step: int, shape: Tuple[int, ...]) -> np.ndarray:
        kept = self._between.get(step)
        if kept is None or kept.shape != shape:
            kept = self._between[step] = np.empty(shape, np.uint8)
        return kept
