"""Hands seen from the side: depth to the right, height as in the picture."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.drawing.labels import Lettering, describe_hand
from atlas_hpe_pipelines.drawing.layout import Rect
from atlas_hpe_pipelines.drawing.skeleton import draw_skeleton, outline_bgr

__all__ = ["SideView", "depth_px"]

_GROUND_BGR = (74, 68, 62)
_GRID_BGR = (94, 88, 82)
_AXIS_BGR = (150, 144, 138)
_TEXT_BGR = (225, 222, 218)
_MARGIN = 0.1  # of a slot's sides, kept free
_GRID_LINES = 8
_WRIST = 0


class SideView:
    """Draws the panel with each hand from the side, the camera on its left.

    A hand has the scale that it has in the picture, or a smaller one when it would not fit; its
    wrist lies on the axis. Several hands lie one below the other.

    Args:
        size_px: Width and height of the panel.
        picture_size_px: Of the picture beside it, whose letters it takes.
    """

    def __init__(self, size_px: Tuple[int, int], picture_size_px: Tuple[int, int]) -> None:
        self._size_px = size_px
        self._letters = Lettering.for_picture(picture_size_px)
        self._top_line = self._letters.margin_px + round(self._letters.height_px)
        self._grounds: Dict[int, np.ndarray] = {}

    def draw(
        self,
        panel: np.ndarray,
        hands: Sequence[HandPose],
        places: Sequence[np.ndarray],
        scale: float,
    ) -> None:
        """Fill the panel.

        Args:
            panel: (height, width, 3) uint8, BGR; drawn on.
            hands: The hands.
            places: Their joints in pixels of the picture, (21, 2) each.
            scale: Pixels of the picture per pixel of the source.
        """
        count = len(hands)
        if count not in self._grounds:
            self._grounds[count] = self._make_ground(count)
        np.copyto(panel, self._grounds[count])
        for rect, hand, joints in zip(self._slots(max(1, count)), hands, places):
            self._draw_hand(rect.of(panel), hand, joints, scale)

    def _slots(self, count: int) -> List[Rect]:
        width, height = self._size_px
        edges = [height * index // count for index in range(count + 1)]
        return [Rect(0, top, width, bottom - top) for top, bottom in zip(edges, edges[1:])]

    def _draw_hand(
        self, slot: np.ndarray, hand: HandPose, joints: np.ndarray, scale: float
    ) -> None:
        height, width = slot.shape[:2]
        self._write(slot, self._top_line, describe_hand(hand, score=False))
        depth = depth_px(hand)
        if depth is None:
            self._write(slot, height // 2, "no depth")
            return
        points = np.stack([depth * scale, joints[:, 1]], axis=1)
        found = points[np.isfinite(points).all(axis=1)]
        if not len(found):
            return
        middle = (found[:, 1].min() + found[:, 1].max()) / 2
        reach = np.abs(found - (0, middle)).max(axis=0)
        room = np.array([width, height - 2 * self._top_line]) * (0.5 - _MARGIN)
        fit = min(1.0, *(float(space / max(need, 1e-6)) for space, need in zip(room, reach)))
        centred = (points - (0, middle)) * max(fit, 0.0) + (width / 2, height / 2)
        draw_skeleton(slot, centred, outline_bgr(hand.track_id))

    def _write(self, slot: np.ndarray, baseline: int, *words: str) -> None:
        """Spread words over a line, where there is room for all of them."""
        margin = self._letters.margin_px
        widths = [self._letters.width_px(word) for word in words]
        spare = slot.shape[1] - sum(widths) - (len(words) + 1) * margin
        if spare < 0:
            return
        x = margin
        for word, width in zip(words, widths):
            self._letters.write(slot, word, x, baseline, _TEXT_BGR)
            x += width + margin + spare // max(1, len(words) - 1)

    def _make_ground(self, count: int) -> np.ndarray:
        """The panel for a number of hands without them; for none it says what it is."""
        width, height = self._size_px
        ground = np.full((height, width, 3), _GROUND_BGR, np.uint8)
        for rect in self._slots(max(1, count)):
            slot = rect.of(ground)
            self._draw_grid(slot)
            self._write(slot, rect.height - self._letters.margin_px - 1, "near", "far")
        if not count:
            self._write(ground, self._top_line, "side view")
        return ground

    def _draw_grid(self, slot: np.ndarray) -> None:
        """Lines of equal depth and height, the wrist's depth in the middle, and the ground."""
        height, width = slot.shape[:2]
        line_px = max(1, round(self._letters.height_px / 14))
        step = max(width / _GRID_LINES, 4.0)
        for line in range(1, _GRID_LINES):
            x = round(line * width / _GRID_LINES)
            colour = _AXIS_BGR if line == _GRID_LINES // 2 else _GRID_BGR
            cv2.line(slot, (x, 0), (x, height), colour, line_px)
        for line in range(int(height / step) + 1):
            y = round(height - 1 - line * step)
            cv2.line(slot, (0, y), (width, y), _GRID_BGR if line else _AXIS_BGR, line_px)


def depth_px(hand: HandPose) -> Optional[np.ndarray]:
    """Depth of each joint relative to the wrist, in source pixels, away from the camera positive.

    Of metric joints by weak perspective: the scale is the one that their x and y have in the
    picture.

    Args:
        hand: With ``joints_3d`` (x right, y down, z away from the camera) or ``depth``.

    Returns:
        (21,), NaN where not known; None when the network says neither.
    """
    if hand.joints_3d is None:
        return hand.depth
    flat, metric = hand.joints, hand.joints_3d
    known = np.isfinite(flat).all(axis=1) & np.isfinite(metric).all(axis=1)
    if not known[_WRIST]:
        return np.full(len(flat), np.nan)
    spread = [
        float(np.linalg.norm(points - points.mean(axis=0)))
        for points in (flat[known], metric[known, :2])
    ]
    px_per_m = spread[0] / max(spread[1], 1e-9)
    return np.asarray(np.where(known, (metric[:, 2] - metric[_WRIST, 2]) * px_per_m, np.nan))
