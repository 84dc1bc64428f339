"""What makes a labelled hand hard: its direction, size, light and sharpness, in named bins."""

from __future__ import annotations

import math
from typing import Dict, Optional, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.card import PreprocessSpec
from atlas_hpe.geometry import Box, box_affine
from atlas_hpe.metrics import box_side_px
from atlas_hpe_pipelines.detection import turn_of
from atlas_hpe_pipelines.evaluation.labels import LabelledHand
from atlas_hpe_pipelines.preprocess import crop_picture

__all__ = ["TRAIT_BINS", "describe_traits", "hand_turn_deg", "joint_box"]

_WRIST, _MIDDLE_BASE = 0, 9
_UNKNOWN = "unknown"
#: Trait -> (upper limit, name) in ascending order. Size is the longer side of the joint box in
#: pixels of the picture; light is the mean of the luma of the crop, cut at thirds of the scale;
#: sharpness is the variance of its Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
#: brightfield microscopy", ICPR 2000), cut near the lower and the upper quarter of webcam pictures.
_LIMITS: Dict[str, Tuple[Tuple[float, str], ...]] = {
    "rotation": ((30.0, "0-30 deg"), (90.0, "30-90 deg"), (math.inf, "90-180 deg")),
    "size": (
        (64.0, "below 64 px"),
        (128.0, "64-128 px"),
        (256.0, "128-256 px"),
        (math.inf, "256 px and more"),
    ),
    "light": ((85.0, "dark"), (170.0, "medium"), (math.inf, "bright")),
    "sharpness": ((60.0, "blurred"), (300.0, "fair"), (math.inf, "sharp")),
}
#: Trait -> its bins, in order.
TRAIT_BINS: Dict[str, Tuple[str, ...]] = {
    trait: (*(name for _, name in limits), _UNKNOWN) for trait, limits in _LIMITS.items()
}
#: Light and sharpness are measured on this crop, whatever the model under test takes.
_CROP_SCALE = 1.4
_CROP = PreprocessSpec(
    width_px=128, height_px=128, colour="bgr", fit="crop", mean=(0.0,) * 3, std=(1.0,) * 3
)


def joint_box(joints: np.ndarray, visible: np.ndarray) -> Box:
    """The box around the visible joints."""
    low, high = joints[visible].min(axis=0), joints[visible].max(axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def hand_turn_deg(hand: LabelledHand) -> Optional[float]:
    """How far the hand is turned away from upright, in (-180, 180], clockwise.

    Upright: the base of the middle finger lies straight above the wrist.

    Returns:
        None when either joint is not visible, or both lie on one spot.
    """
    if not hand.visible[[_WRIST, _MIDDLE_BASE]].all():
        return None
    x, y = hand.joints[_MIDDLE_BASE] - hand.joints[_WRIST]
    turn_rad = turn_of(float(x), float(y))
    return None if turn_rad is None else math.degrees(turn_rad)


def describe_traits(image: np.ndarray, hand: LabelledHand) -> Dict[str, str]:
    """Trait -> bin of one labelled hand.

    Args:
        image: (H, W, 3) uint8, BGR: the picture.
        hand: A hand in it.
    """
    turn_deg = hand_turn_deg(hand)
    square = joint_box(hand.joints, hand.visible).squared(_CROP_SCALE)
    affine = box_affine(square, (_CROP.width_px, _CROP.height_px))
    luma = cv2.cvtColor(crop_picture(image, affine, _CROP), cv2.COLOR_BGR2GRAY)
    return {
        "rotation": _UNKNOWN if turn_deg is None else _bin("rotation", abs(turn_deg)),
        "size": _bin("size", box_side_px(hand.joints, hand.visible)),
        "light": _bin("light", float(luma.mean())),
        "sharpness": _bin("sharpness", float(cv2.Laplacian(luma, cv2.CV_64F).var())),
    }


def _bin(trait: str, value: float) -> str:
    limits: Sequence[Tuple[float, str]] = _LIMITS[trait]
    return next(name for limit, name in limits if value < limit)
