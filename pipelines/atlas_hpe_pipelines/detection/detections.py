"""Found hands: their boxes, how two of them overlap, and how they move with the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import List, Optional, Sequence

import numpy as np

from atlas_hpe.geometry import Box, apply_affine

__all__ = ["Detection", "box_overlap", "detections_to_source", "turn_of"]


@dataclass(frozen=True)
class Detection:
    """One hand that a detector found.

    Attributes:
        box: The box around the hand's joints, in pixels.
        score: Probability of a hand, in [0, 1].
        angle_rad: How far the hand is turned away from upright, clockwise in the picture, in
            (-pi, pi]; 0 when the middle finger's base is straight above the wrist. None when the
            network does not say.
    """

    box: Box
    score: float
    angle_rad: Optional[float] = None


def turn_of(x: float, y: float) -> Optional[float]:
    """The clockwise turn of a hand whose wrist-to-middle-base vector is (x, y), y down.

    Returns:
        Radians in (-pi, pi], None for a vector without a direction.
    """
    if not (math.isfinite(x) and math.isfinite(y)) or (x == 0.0 and y == 0.0):
        return None
    angle = math.atan2(x, -y)
    return math.pi if angle == -math.pi else angle


def box_overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0.0 or height <= 0.0:
        return 0.0
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)


def detections_to_source(detections: Sequence[Detection], to_source: np.ndarray) -> List[Detection]:
    """Move detections from the network's input to the picture it was cut from.

    Args:
        detections: In input pixels.
        to_source: (2, 3) map from input to source pixels, the inverse of ``input_affine``.

    Returns:
        The same hands in the same order; under a turning map a box grows to hold the turned one.
    """
    return [_move(detection, to_source) for detection in detections]


def _move(detection: Detection, to_source: np.ndarray) -> Detection:
    box = detection.box
    right, bottom = box.x + box.width, box.y + box.height
    corners = np.array([[box.x, box.y], [right, box.y], [box.x, bottom], [right, bottom]])
    moved = apply_affine(to_source, corners)
    low, high = moved.min(axis=0), moved.max(axis=0)
    size = high - low
    angle = detection.angle_rad
    if angle is not None:
        x, y = to_source[:, :2] @ np.array([math.sin(angle), -math.cos(angle)])
        angle = turn_of(float(x), float(y))
    moved_box = Box(float(low[0]), float(low[1]), float(size[0]), float(size[1]))
    return replace(detection, box=moved_box, angle_rad=angle)
