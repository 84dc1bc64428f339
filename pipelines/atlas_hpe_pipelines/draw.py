"""Skeletons on pictures."""

from __future__ import annotations

from typing import Iterable, Sequence, Tuple

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
#: Outlines of the first hand, the second, ...: dark, light, then two more hues of that palette.
_OUTLINES_BGR: Tuple[Tuple[int, int, int], ...] = (
    (25, 25, 25),
    (255, 255, 255),
    (178, 114, 0),
    (0, 94, 213),
)
_LABEL_SHARE = 0.08  # height of a label over the hand's extent
_LEAST_LABEL_PX, _MOST_LABEL_PX = 8.0, 22.0
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 22.0  # of a capital at scale 1
_SHIFT = 4  # OpenCV draws with 4 fractional bits, so that a slow hand does not jump by pixels


def draw_hands(image: np.ndarray, hands: Iterable[HandPose]) -> np.ndarray:
    """A copy of the picture with a skeleton on each hand and its side beside the wrist.

    Hands that are followed have outlines by their number, so that two are told apart.

    Args:
        image: (H, W, 3) uint8, BGR.
        hands: Joints in source pixels; a joint that is NaN is left out together with its bones.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    picture: np.ndarray = image.copy()
    for hand in hands:
        extent_px = _extent_px(hand.joints, image)
        outline = _OUTLINES_BGR[(hand.track_id or 0) % len(_OUTLINES_BGR)]
        thickness_px = max(1, round(0.018 * extent_px))
        outline_px = thickness_px + 2 * max(1, thickness_px // 3)
        _draw_bones(picture, hand.joints, outline_px, [outline] * len(FINGER_JOINTS))
        _draw_bones(picture, hand.joints, thickness_px, FINGER_COLOURS_BGR)
        _draw_joints(picture, hand.joints, thickness_px, outline)
        if hand.handedness is not None:
            _draw_label(picture, hand.joints, hand.handedness, extent_px)
    return picture


def _extent_px(joints: np.ndarray, image: np.ndarray) -> float:
    """Side of the hand's box, within bounds that keep lines visible and sane."""
    found = joints[~np.isnan(joints[:, 0])]
    largest = float(max(image.shape[:2]))
    if not len(found):
        return largest
    return float(np.clip(np.ptp(found, axis=0).max(), 0.05 * largest, largest))


def _draw_bones(
    picture: np.ndarray, joints: np.ndarray, width_px: int, colours: Sequence[Tuple[int, int, int]]
) -> None:
    for finger, colour in zip(FINGER_JOINTS, colours):
        chain = (0, *finger)
        for start, end in zip(chain, chain[1:]):
            if np.isnan(joints[[start, end]]).any():
                continue
            cv2.line(
                picture,
                _fixed(joints[start]),
                _fixed(joints[end]),
                colour,
                width_px,
                cv2.LINE_AA,
                _SHIFT,
            )


def _draw_joints(
    picture: np.ndarray, joints: np.ndarray, thickness_px: int, outline: Tuple[int, int, int]
) -> None:
    colours = [_WRIST_BGR, *(colour for colour in FINGER_COLOURS_BGR for _ in range(4))]
    for joint, colour in zip(joints, colours):
        if np.isnan(joint).any():
            continue
        for radius_px, fill in ((thickness_px * 1.25 + 1, outline), (thickness_px, colour)):
            radius = round(radius_px * (1 << _SHIFT))
            cv2.circle(picture, _fixed(joint), radius, fill, -1, cv2.LINE_AA, _SHIFT)


def _draw_label(picture: np.ndarray, joints: np.ndarray, text: str, extent_px: float) -> None:
    """A word on the side of the wrist that the fingers do not point to."""
    wrist, middle = joints[0], joints[9]
    if not np.isfinite([wrist, middle]).all():
        return
    height_px = min(max(_LABEL_SHARE * extent_px, _LEAST_LABEL_PX), _MOST_LABEL_PX)
    scale = height_px / _FONT_HEIGHT_PX
    (width_px, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    away = (wrist - middle) / max(float(np.linalg.norm(wrist - middle)), 1.0)
    x, y = wrist + away * (height_px + 0.5 * width_px) + (-0.5 * width_px, 0.5 * height_px)
    # A hand that reaches out of the picture keeps its word inside.
    x = min(max(float(x), 2.0), max(2.0, picture.shape[1] - width_px - 2.0))
    y = min(max(float(y), height_px + 2.0), picture.shape[0] - 3.0)
    place = (round(x), round(y))
    for colour, width in ((_OUTLINES_BGR[0], 3), (_WRIST_BGR, 1)):
        cv2.putText(picture, text, place, _FONT, scale, colour, width, cv2.LINE_AA)


def _fixed(point: np.ndarray) -> Tuple[int, int]:
    """Continuous pixels to OpenCV's fixed point, which has pixel centres at integers.

    Bounded, because OpenCV overflows on points far outside the picture.
    """
    x, y = np.clip(point - 0.5, -8192, 8192) * (1 << _SHIFT)
    return round(float(x)), round(float(y))
