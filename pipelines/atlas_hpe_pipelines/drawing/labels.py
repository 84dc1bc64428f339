"""What is written beside a hand: its number, its side, its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.drawing.layout import Rect
from atlas_hpe_pipelines.drawing.skeleton import Colour

__all__ = ["Label", "Lettering", "describe_hand", "write_labels"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 22.0  # of a capital at scale 1
_TEXT_SHARE = 0.017  # height of a capital over the longer side of the picture
_LEAST_TEXT_PX = 9.0
_DARK, _LIGHT = (25, 25, 25), (255, 255, 255)
_WRIST, _MIDDLE_BASE = 0, 9


@dataclass(frozen=True)
class Lettering:
    """Letters of one size.

    Attributes:
        height_px: Of a capital.
    """

    height_px: float

    @classmethod
    def for_picture(cls, size_px: Tuple[int, int]) -> Lettering:
        """Letters that stay legible whatever size the picture has and is shown in."""
        return cls(max(_LEAST_TEXT_PX, _TEXT_SHARE * max(size_px)))

    @property
    def margin_px(self) -> int:
        """Room around a text."""
        return max(2, round(0.4 * self.height_px))

    def width_px(self, text: str) -> int:
        """Width of a text."""
        (width, _), _ = cv2.getTextSize(text, _FONT, self._scale, self._stroke_px)
        return int(width)

    def write(self, picture: np.ndarray, text: str, x: int, baseline: int, colour: Colour) -> None:
        """Write into a picture from x on, on a baseline."""
        cv2.putText(
            picture, text, (x, baseline), _FONT, self._scale, colour, self._stroke_px, cv2.LINE_AA
        )

    @property
    def _scale(self) -> float:
        return self.height_px / _FONT_HEIGHT_PX

    @property
    def _stroke_px(self) -> int:
        return max(1, round(self.height_px / 11))


@dataclass(frozen=True, eq=False)
class Label:
    """A text for one hand.

    Attributes:
        text: What to write.
        joints: (21, 2) of the hand in pixels of the picture.
        colour: Of the plate, that of the hand's outlines.
    """

    text: str
    joints: np.ndarray
    colour: Colour


def describe_hand(hand: HandPose, *, score: bool) -> str:
    """Number, side and, where asked for, score; empty when none is known."""
    words = [
        "" if hand.track_id is None else f"#{hand.track_id}",
        hand.handedness or "",
        f"{hand.score:.2f}" if score else "",
    ]
    return " ".join(word for word in words if word)


def write_labels(picture: np.ndarray, labels: Sequence[Label]) -> None:
    """Write each label on the side of the wrist that the fingers do not point to.

    Labels stay inside the picture and do not cover each other; without a wrist there is none.

    Args:
        picture: (H, W, 3) uint8, BGR; drawn on.
        labels: Earlier ones have the better places.
    """
    size_px = (picture.shape[1], picture.shape[0])
    letters = Lettering.for_picture(size_px)
    margin_px = letters.margin_px
    taken: List[Rect] = []
    for label in labels:
        towards = label.joints[_WRIST] - label.joints[_MIDDLE_BASE]
        if not label.text or not np.isfinite(towards).all():
            continue
        width = letters.width_px(label.text) + 2 * margin_px
        height = round(letters.height_px) + 2 * margin_px
        # So far along the arm that the plate clears the wrist and its disc.
        away = towards / max(float(np.linalg.norm(towards)), 1.0)
        distance = np.abs(away) @ (width / 2, height / 2) + height
        x, y = label.joints[_WRIST] + away * distance - (width / 2, height / 2)
        rect = _choose_place(float(x), float(y), (width, height), size_px, taken)
        taken.append(rect)
        plate = rect.of(picture)
        plate[:] = label.colour
        text_colour = _DARK if sum(label.colour) > 3 * 150 else _LIGHT
        letters.write(plate, label.text, margin_px, height - margin_px - 1, text_colour)


def _choose_place(
    x: float,
    y: float,
    plate_px: Tuple[int, int],
    size_px: Tuple[int, int],
    taken: Sequence[Rect],
) -> Rect:
    """The wished place or the nearest above or below that is free, inside the picture."""
    (width, height), (room_x, room_y) = plate_px, (max(0, r - p) for r, p in zip(size_px, plate_px))
    left = round(min(max(x, 0), room_x))
    tops = [min(max(y, 0), room_y)]
    for step in range(1, 2 * len(taken) + 1):  # a plate that is there is in the way of two
        tops += [tops[0] + step * height, tops[0] - step * height]
    places = [Rect(left, round(min(max(top, 0), room_y)), width, height) for top in tops]
    free = (place for place in places if not any(place.meets(other) for other in taken))
    return next(free, places[0])
