"""The PCK curve of an evaluation as a picture."""

from __future__ import annotations

from typing import Mapping, Tuple

import cv2
import numpy as np

from atlas_hpe_pipelines.evaluation.report import CURVE_THRESHOLDS, TaskReport

__all__ = ["draw_curve"]

_WIDTH_PX, _HEIGHT_PX = 720, 540
_LEFT_PX, _TOP_PX, _RIGHT_PX, _BOTTOM_PX = 70, 30, 690, 480  # of the axes
_BLACK, _GREY, _WHITE = (25, 25, 25), (215, 215, 215), (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
#: Colours that colour-blind viewers tell apart (Okabe and Ito, 2008), BGR.
_COLOURS = ((178, 114, 0), (0, 94, 213), (115, 158, 0))


def draw_curve(tasks: Mapping[str, TaskReport], title: str) -> np.ndarray:
    """Share of joints within a distance of their label, over that distance.

    Args:
        tasks: Name -> its report; one line each.
        title: Written above.

    Returns:
        (540, 720, 3) uint8, BGR.
    """
    picture = np.full((_HEIGHT_PX, _WIDTH_PX, 3), _WHITE, np.uint8)
    _draw_axes(picture)
    _write(picture, f"{title}: PCK, share of joints within a distance", (_LEFT_PX, 20))
    drawn = {name: task for name, task in tasks.items() if task.curve}
    for number, (name, task) in enumerate(drawn.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = np.array([_place(x, y) for x, y in zip(CURVE_THRESHOLDS, task.curve)], np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        _write(picture, name, (_RIGHT_PX - 130, _BOTTOM_PX - 20 - 24 * number), colour)
    return picture


def _draw_axes(picture: np.ndarray) -> None:
    for step in range(6):
        x, y = _place(0.1 * step, 0.2 * step)
        cv2.line(picture, (x, _TOP_PX), (x, _BOTTOM_PX), _GREY, 1)
        cv2.line(picture, (_LEFT_PX, y), (_RIGHT_PX, y), _GREY, 1)
        _write(picture, f"{0.1 * step:.1f}", (x - 12, _BOTTOM_PX + 22))
        _write(picture, f"{0.2 * step:.1f}", (_LEFT_PX - 38, y + 5))
    cv2.rectangle(picture, (_LEFT_PX, _TOP_PX), (_RIGHT_PX, _BOTTOM_PX), _BLACK, 1)
    _write(picture, "distance to the label / side of the hand's box", (200, _HEIGHT_PX - 12))


def _place(x: float, y: float) -> Tuple[int, int]:
    """Pixels of a distance in [0, 0.5] and a share in [0, 1]."""
    across = (_RIGHT_PX - _LEFT_PX) * x / CURVE_THRESHOLDS[-1]
    return round(_LEFT_PX + across), round(_BOTTOM_PX - (_BOTTOM_PX - _TOP_PX) * y)


def _write(
    picture: np.ndarray,
    text: str,
    place: Tuple[int, int],
    colour: Tuple[int, int, int] = _BLACK,
) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV has no other letters
    cv2.putText(picture, plain, place, _FONT, 0.5, colour, 1, cv2.LINE_AA)
