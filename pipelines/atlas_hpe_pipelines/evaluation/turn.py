"""A labelled picture turned in its plane, so that every direction of a hand can be looked at."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import List, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.geometry import apply_affine, to_pixel_centres
from atlas_hpe_pipelines.evaluation.labels import LabelledHand

__all__ = ["turn_picture"]


def turn_picture(
    image: np.ndarray, hands: Sequence[LabelledHand], angle_deg: float
) -> Tuple[np.ndarray, List[LabelledHand]]:
    """Turn a picture clockwise about its centre; it grows so that nothing is cut off.

    What was outside the picture repeats its border. A turn by a multiple of 90 degrees moves whole
    pixels.

    Args:
        image: (H, W, 3) uint8, BGR.
        hands: Its labels.
        angle_deg: The turn, clockwise as the picture is looked at.
    """
    if angle_deg % 360 == 0:
        return image, list(hands)
    affine, size_px = _turn_affine((image.shape[1], image.shape[0]), angle_deg)
    turned = cv2.warpAffine(
        image,
        to_pixel_centres(affine),
        size_px,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    moved = [replace(hand, joints=apply_affine(affine, hand.joints)) for hand in hands]
    return np.asarray(turned), moved


def _turn_affine(size_px: Tuple[int, int], angle_deg: float) -> Tuple[np.ndarray, Tuple[int, int]]:
    """The map from the picture to the turned one, (2, 3), and the size of that."""
    angle_rad = math.radians(angle_deg)
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    linear = np.array([[cos, -sin], [sin, cos]])  # y points down: this is clockwise
    extent = np.abs(linear) @ np.array(size_px, float)
    # Quarter turns are exact but for rounding, and must not gain a pixel by it.
    width_px, height_px = (math.ceil(side - 1e-6) for side in extent)
    shift = np.array([width_px, height_px]) / 2 - linear @ (np.array(size_px) / 2)
    return np.hstack([linear, shift[:, None]]), (width_px, height_px)
