"""A contact sheet of the hands with the largest errors."""

from __future__ import annotations

import math
from typing import Sequence

import cv2
import numpy as np

from atlas_hpe.geometry import Box, apply_affine, box_affine, to_pixel_centres
from atlas_hpe_pipelines.evaluation.tally import WORST_HANDS, WorstHand
from atlas_hpe_pipelines.movement import draw_skeleton

__all__ = ["draw_worst"]

_TILE_PX = 240
_COLUMNS = 4
_TITLE_PX = 32
_CAPTION_PX = 20
_SCALE = 1.6  # of the box around both skeletons
_LABEL, _FOUND = (178, 114, 0), (0, 159, 230)  # blue and orange (Okabe and Ito, 2008), BGR
_BLACK, _WHITE = (25, 25, 25), (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_worst(hands: Sequence[WorstHand], title: str) -> np.ndarray:
    """Enlarged cuts, label in blue, answer in orange, the NME below.

    Args:
        hands: At most ``WORST_HANDS``, worst first.
        title: Written above.

    Returns:
        (752, 960, 3) uint8, BGR; the same size for any number of hands.
    """
    rows = math.ceil(WORST_HANDS / _COLUMNS)
    sheet = np.full((_TITLE_PX + rows * _TILE_PX, _COLUMNS * _TILE_PX, 3), _WHITE, np.uint8)
    _write(sheet, f"{title}: label blue, found orange", (8, 21))
    for number, hand in enumerate(hands[:WORST_HANDS]):
        row, column = divmod(number, _COLUMNS)
        top, left = _TITLE_PX + row * _TILE_PX, column * _TILE_PX
        sheet[top : top + _TILE_PX, left : left + _TILE_PX] = _draw_tile(hand)
    return sheet


def _draw_tile(worst: WorstHand) -> np.ndarray:
    label = worst.hand.label
    shown = np.where(label.visible[:, None], label.joints, np.nan)
    found = (
        np.full_like(shown, np.nan)
        if worst.hand.answer.joints is None
        else worst.hand.answer.joints
    )
    affine = box_affine(_view(shown, found, worst.image), (_TILE_PX, _TILE_PX))
    tile = np.asarray(cv2.warpAffine(worst.image, to_pixel_centres(affine), (_TILE_PX, _TILE_PX)))
    for joints, colour, width_px in ((shown, _LABEL, 3), (found, _FOUND, 1)):
        draw_skeleton(tile, apply_affine(affine, joints), colour, width_px)
    error = "not found" if math.isinf(worst.error) else f"{worst.error:.3f}"
    tile[_TILE_PX - _CAPTION_PX :] = _BLACK
    _write(tile, f"{error}  {worst.name[-24:]}", (6, _TILE_PX - 6), _WHITE)
    return tile


def _view(shown: np.ndarray, found: np.ndarray, image: np.ndarray) -> Box:
    """The square around both skeletons; what lies outside the picture does not widen it."""
    joints = np.concatenate([shown, found])
    joints = np.clip(joints[np.isfinite(joints).all(axis=1)], 0, image.shape[1::-1])
    low, size = joints.min(axis=0), np.ptp(joints, axis=0)
    box = Box(float(low[0]), float(low[1]), max(1.0, float(size[0])), max(1.0, float(size[1])))
    return box.squared(_SCALE)


def _write(
    picture: np.ndarray, text: str, place: Sequence[int], colour: Sequence[int] = _BLACK
) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV has no other letters
    cv2.putText(picture, plain, tuple(place), _FONT, 0.42, tuple(colour), 1, cv2.LINE_AA)
