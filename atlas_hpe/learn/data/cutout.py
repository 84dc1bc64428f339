"""Cut labelled hands out of their pictures, so that they can be put in front of others.

The joints say roughly where the hand is; GrabCut (Rother et al., SIGGRAPH 2004, in OpenCV) decides
pixel by pixel at a small size. Forearms are left out: no joint says where they end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List, Sequence

import cv2
import numpy as np

from atlas_hpe.learn.data.cache import read_arrays, write_arrays
from atlas_hpe.learn.data.hand_images import HandImage

__all__ = ["CUTOUT_SIZE_PX", "cut_out_hand", "with_cutouts"]

CUTOUT_SIZE_PX = 96
_ROUNDS = 3
# Thickness of a finger as a share of the palm: surely the hand, probably, possibly.
_SURE, _PROBABLE, _POSSIBLE = 0.10, 0.24, 0.38
_PALM = (0, 1, 2, 5, 9, 13, 17)
_FINGERS = (1, 5, 9, 13, 17)


def _outline(joints_px: np.ndarray, thick_px: float, size_px: int) -> np.ndarray:
    mask = np.zeros((size_px, size_px), np.uint8)
    points = np.round(joints_px).astype(np.int32)
    thick = max(1, int(thick_px))
    cv2.fillConvexPoly(mask, cv2.convexHull(points[list(_PALM)]), 255)
    for first in _FINGERS:
        chain = points[[0, first, first + 1, first + 2, first + 3]]
        cv2.polylines(mask, [chain], False, 255, thick)
    return mask


def cut_out_hand(image: np.ndarray, joints_px: np.ndarray) -> np.ndarray:
    """Which pixels are the hand.

    Args:
        image: (H, W, 3) BGR uint8, a crop around the hand.
        joints_px: (21, 2) continuous pixels.

    Returns:
        (96, 96) uint8, 0 or 255: the picture squeezed to a square.
    """
    size = CUTOUT_SIZE_PX
    height, width = image.shape[:2]
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    joints = joints_px * np.array([size / width, size / height], np.float32)
    box_px = float((joints.max(axis=0) - joints.min(axis=0)).max())
    palm_px = max(float(np.linalg.norm(joints[0] - joints[9])), 0.35 * box_px)
    sure, probable, possible = (
        _outline(joints, share * palm_px, size) for share in (_SURE, _PROBABLE, _POSSIBLE)
    )
    labels = np.full((size, size), cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(possible, np.ones((3, 3), np.uint8)) > 0] = cv2.GC_PR_BGD
    labels[cv2.erode(probable, np.ones((3, 3), np.uint8)) > 0] = cv2.GC_PR_FGD
    labels[sure > 0] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # GrabCut starts from clusters that OpenCV's generator chooses
    behind, front = np.zeros((1, 65)), np.zeros((1, 65))
    nowhere = (0, 0, 1, 1)  # the rectangle is not read in this mode
    cv2.grabCut(small, labels, nowhere, behind, front, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask: np.ndarray = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    return mask


def with_cutouts(hands: Sequence[HandImage], path: Path) -> List[HandImage]:
    """The same hands with their masks, computed once (10 ms each) and kept in the file `path`."""
    masks = read_arrays(path, "masks")["masks"] if path.exists() else np.empty((0,))
    if len(masks) != len(hands):
        masks = np.stack([cut_out_hand(hand.image, hand.joints_px) for hand in hands])
        write_arrays(path, masks=masks)
    return [replace(hand, mask=mask) for hand, mask in zip(hands, masks)]
