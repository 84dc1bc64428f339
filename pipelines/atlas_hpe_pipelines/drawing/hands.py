"""Skeletons on a copy of one picture."""

from __future__ import annotations

from typing import Iterable

import numpy as np

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.drawing.labels import Label, write_labels
from atlas_hpe_pipelines.drawing.skeleton import draw_skeleton, outline_bgr

__all__ = ["draw_hands"]


def draw_hands(image: np.ndarray, hands: Iterable[HandPose]) -> np.ndarray:
    """A copy of the picture with a skeleton on each hand and its side beside the wrist.

    Hands that are followed have outlines by their number, so that two are told apart. ``Renderer``
    draws more, and for a whole run.

    Args:
        image: (H, W, 3) uint8, BGR.
        hands: Joints in source pixels; a joint that is NaN is left out together with its bones.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    picture: np.ndarray = image.copy()
    labels = []
    for hand in hands:
        outline = outline_bgr(hand.track_id)
        draw_skeleton(picture, hand.joints, outline)
        labels.append(Label(hand.handedness or "", hand.joints, outline))
    write_labels(picture, labels)
    return picture
