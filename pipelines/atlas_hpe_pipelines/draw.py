"""Skeletons on pictures."""

from __future__ import annotations

from typing import Iterable, Tuple

import cv2
import numpy as np

from atlas_hpe.hands import FINGER_JOINTS
from atlas_hpe.poses import HandPose

__all__ = ["FINGER_COLOURS_BGR", "draw_hands"]

#: Thumb, index, middle, ring, little: five hues that colour-blind viewers tell apart
#: (after the qualitative palette of Okabe and Ito, 2008).
FINGER_COLOURS_BGR: Tuple[Tuple[int, int, int], ...] = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (167, 121, 204),
)
_WRIST_BGR = (255, 255, 255)
_OUTLINE_BGR = (25, 25, 25)
_SHIFT = 4  # OpenCV draws with 4 fractional bits, so that a slow hand does not jump by pixels


def draw_hands(image: np.ndarray, hands: Iterable[HandPose]) -> np.ndarray:
    """A copy of the picture with a skeleton on each hand.

    Args:
        image: (H, W, 3) uint8, BGR.
        hands: Joints in source pixels; a joint that is NaN is left out together with its bones.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    picture: np.ndarray = image.copy()
    for hand in hands:
        thickness_px = max(1, round(0.018 * _extent_px(hand.joints, image)))
        outline_px = thickness_px + 2 * max(1, thickness_px // 3)
        for width_px, outlined in ((outline_px, True), (thickness_px, False)):
            _draw_bones(picture, hand.joints, width_px, outlined)
        _draw_joints(picture, hand.joints, thickness_px)
    return picture


def _extent_px(joints: np.ndarray, image: np.ndarray) -> float:
    """Side of the hand's box, within bounds that keep lines visible and sane."""
    found = joints[~np.isnan(joints[:, 0])]
    largest = float(max(image.shape[:2]))
    if not len(found):
        return largest
    return float(np.clip(np.ptp(found, axis=0).max(), 0.05 * largest, largest))


def _draw_bones(picture: np.ndarray, joints: np.ndarray, width_px: int, outlined: bool) -> None:
    for finger, colour in zip(FINGER_JOINTS, FINGER_COLOURS_BGR):
        chain = (0, *finger)
        for start, end in zip(chain, chain[1:]):
            if np.isnan(joints[[start, end]]).any():
                continue
            cv2.line(
                picture,
                _fixed(joints[start]),
                _fixed(joints[end]),
                _OUTLINE_BGR if outlined else colour,
                width_px,
                cv2.LINE_AA,
                _SHIFT,
            )


def _draw_joints(picture: np.ndarray, joints: np.ndarray, thickness_px: int) -> None:
    colours = [_WRIST_BGR, *(colour for colour in FINGER_COLOURS_BGR for _ in range(4))]
    for joint, colour in zip(joints, colours):
        if np.isnan(joint).any():
            continue
        for radius_px, fill in ((thickness_px * 1.25 + 1, _OUTLINE_BGR), (thickness_px, colour)):
            radius = round(radius_px * (1 << _SHIFT))
            cv2.circle(picture, _fixed(joint), radius, fill, -1, cv2.LINE_AA, _SHIFT)


def _fixed(point: np.ndarray) -> Tuple[int, int]:
    """Continuous pixels to OpenCV's fixed point, which has pixel centres at integers.

    Bounded, because OpenCV overflows on points far outside the picture.
    """
    x, y = np.clip(point - 0.5, -8192, 8192) * (1 << _SHIFT)
    return round(float(x)), round(float(y))
