"""What the network is told about the hands of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from atlas_hpe.learn.detector.compose import Window

__all__ = ["HAND", "IGNORED", "MAX_HANDS", "NOTHING", "Labels", "Part", "label_hands"]

#: More hands than this are not kept apart in one picture.
MAX_HANDS = 12
HAND, IGNORED, NOTHING = 1.0, -1.0, 0.0

#: Hands, each (21, 2) px of the whole picture, and the part of it that they are seen in.
Part = Tuple[List[np.ndarray], Window]

# A hand counts when this share of its joints is in view, and is passed over when fewer are.
_VISIBLE_SHARE = 0.66
# Smaller hands than this share of the input are passed over: nobody can tell.
_LEAST_SPAN = 0.04
# A hand that points at the camera has no direction in the picture.
_LEAST_LENGTH = 0.2


@dataclass(frozen=True)
class Labels:
    """Hands of one picture, padded to MAX_HANDS rows.

    Attributes:
        boxes: (MAX_HANDS, 4) float32 centre x, y, width, height in [0, 1] of the input.
        directions: (MAX_HANDS, 2) float32 of unit length, zeros where unknown.
        kinds: (MAX_HANDS,) float32: HAND, IGNORED (neither hand nor background), NOTHING.
    """

    boxes: np.ndarray
    directions: np.ndarray
    kinds: np.ndarray


def label_hands(parts: Sequence[Part], size_px: int) -> Labels:
    """Labels of the hands of a picture, which may be put together from several."""
    boxes = np.zeros((MAX_HANDS, 4), np.float32)
    directions, kinds = np.zeros((MAX_HANDS, 2), np.float32), np.zeros(MAX_HANDS, np.float32)
    hands = [(joints, window) for joints_of_part, window in parts for joints in joints_of_part]
    row = 0
    for joints, window in hands:
        start = np.array([window.left, window.top])
        end = start + np.array([window.width, window.height])
        visible = float(((joints > start) & (joints < end)).all(axis=1).mean())
        if visible == 0.0 or row == MAX_HANDS:
            continue
        low, high = joints.min(axis=0), joints.max(axis=0)
        centre, size = (low + high) / 2.0, np.maximum(high - low, 1e-3)
        boxes[row] = np.concatenate((centre, size)) / size_px
        clear = visible >= _VISIBLE_SHARE and bool(((centre > start) & (centre < end)).all())
        large = float(size.max()) >= _LEAST_SPAN * size_px
        kinds[row] = HAND if clear and large else IGNORED
        vector = joints[9] - joints[0]
        length = float(np.linalg.norm(vector))
        if length >= _LEAST_LENGTH * float(size.max()):
            directions[row] = vector / length
        row += 1
    return Labels(boxes, directions, kinds)
