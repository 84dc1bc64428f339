"""The square of the picture that a hand is read from, turned so that the hand stands upright."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import numpy as np

from atlas_hpe.card import PreprocessSpec
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines.detection import Detection, turn_of

__all__ = [
    "Region",
    "distance_px",
    "joint_box",
    "region_affine",
    "region_bounds",
    "region_from_detection",
    "region_from_joints",
    "turn_between",
]

_WRIST, _MIDDLE_BASE = 0, 9
#: Side of the smallest region; a hand of fewer pixels than this has no joints to tell apart.
_LEAST_SIDE_PX = 8.0
#: A palm shorter than this share of the hand's box points at the camera and shows no direction.
_LEAST_PALM = 0.1


@dataclass(frozen=True)
class Region:
    """A square in source pixels.

    Attributes:
        x: Centre.
        y: Centre.
        side_px: Side, above 0.
        angle_rad: How far the hand is turned away from upright, clockwise in the picture, in
            (-pi, pi]; the square is turned with it.
        mirrored: Whether the network is shown its mirror image: a left hand looks like a right one.
    """

    x: float
    y: float
    side_px: float
    angle_rad: float = 0.0
    mirrored: bool = False


def turn_between(start_rad: float, end_rad: float) -> float:
    """The shorter way from one angle to another, in [-pi, pi)."""
    return (end_rad - start_rad + math.pi) % (2 * math.pi) - math.pi


def distance_px(one: Region, other: Region) -> float:
    """Distance between the centres."""
    return math.hypot(one.x - other.x, one.y - other.y)


def region_affine(region: Region, spec: PreprocessSpec) -> np.ndarray:
    """The (2, 3) map from source pixels to the input, in which the hand stands upright."""
    cos, sin = math.cos(region.angle_rad), math.sin(region.angle_rad)
    scale_x, scale_y = spec.width_px / region.side_px, spec.height_px / region.side_px
    scale_x = -scale_x if region.mirrored else scale_x
    linear = np.array([[scale_x * cos, scale_x * sin], [-scale_y * sin, scale_y * cos]])
    middle = np.array([spec.width_px / 2, spec.height_px / 2])
    return np.hstack([linear, (middle - linear @ (region.x, region.y))[:, None]])


def region_bounds(region: Region) -> Box:
    """The upright box around the turned square."""
    reach = abs(math.cos(region.angle_rad)) + abs(math.sin(region.angle_rad))
    side = region.side_px * reach
    return Box(region.x - side / 2, region.y - side / 2, side, side)


def region_from_joints(
    joints: np.ndarray, crop_scale: float, angle_rad: float = 0.0
) -> Optional[Region]:
    """The region that shows a hand as in training: ``crop_scale`` times its box, hand upright.

    The box is the one around the joints in the turned picture.

    Args:
        joints: (21, 2) in source pixels, NaN where not found.
        crop_scale: Side of the region over the longer side of the box.
        angle_rad: Taken where the joints show no direction: wrist or middle finger not found, or
            the palm points at the camera.

    Returns:
        The region, None without two joints at different places.
    """
    found = joints[np.isfinite(joints).all(axis=1)]
    if not len(found) or not np.ptp(found, axis=0).max() > 0:
        return None
    palm_x, palm_y = (float(part) for part in joints[_MIDDLE_BASE] - joints[_WRIST])
    if math.hypot(palm_x, palm_y) >= _LEAST_PALM * float(np.ptp(found, axis=0).max()):
        turned = turn_of(palm_x, palm_y)
        angle_rad = angle_rad if turned is None else turned
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    upright = found @ np.array([[cos, -sin], [sin, cos]])  # each row turned back by the angle
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = (float(part) for part in (low + high) / 2)
    return Region(
        x=cos * x - sin * y,
        y=sin * x + cos * y,
        side_px=max(_LEAST_SIDE_PX, crop_scale * float((high - low).max())),
        angle_rad=angle_rad,
    )


def region_from_detection(detection: Detection, crop_scale: float) -> Region:
    """The first region of a hand that a detector found; not turned where it does not say how."""
    box = detection.box.squared(crop_scale)
    x, y = box.centre
    side_px = max(_LEAST_SIDE_PX, box.width)
    angle = detection.angle_rad
    return Region(x, y, side_px, 0.0 if angle is None else angle)


def joint_box(joints: np.ndarray) -> Optional[Box]:
    """The box around the joints that were found, None without two at different places."""
    found = joints[np.isfinite(joints).all(axis=1)]
    if not len(found):
        return None
    low, high = found.min(axis=0), found.max(axis=0)
    (x, y), (width, height) = (tuple(map(float, part)) for part in (low, high - low))
    return Box(x, y, width, height) if max(width, height) > 0 else None
