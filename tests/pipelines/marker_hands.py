"""Hands that are three coloured dots, and networks that read them: the answers are known exactly.

A hand is a dot on the wrist, one on the base of the middle finger and one on the thumb, in the
three colours of its kind; the other joints follow from a template. Kind 0 is a right hand, kind 1 a
left one; in a mirror the thumb is on the other side, and the one looks like the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

import tiny_onnx
from atlas_hpe.card import DecodeSpec, ModelCard, PreprocessSpec
from atlas_hpe.poses import Frame

SIZE_PX = (320, 240)
CROP_PX = 64
DETECTOR_PX = 128
CELLS = 16
#: RGB of wrist, middle base and thumb, per kind.
COLOURS = (((255, 0, 0), (0, 255, 0), (0, 0, 255)), ((255, 0, 255), (0, 255, 255), (255, 255, 0)))
_DOTS = [0, 9, 3]
_LANDMARK = {
    "joints": (1, 21, 2),
    "score": (1, 21),
    "presence": (1, 1),
    "handedness": (1, 1),
    "depth": (1, 21),
}
_MAPS = {
    "score": (1, 1, CELLS, CELLS),
    "box": (1, 4, CELLS, CELLS),
    "direction": (1, 2, CELLS, CELLS),
}


def template() -> np.ndarray:
    """(21, 2) joints of an upright hand, wrist at the origin, palm of length 1."""
    fan = np.radians([140, 110, 90, 75, 60])
    joints = [[0.0, 0.0]]
    for angle in fan:
        joints += [[np.cos(angle) * r, -np.sin(angle) * r] for r in (1.0, 1.35, 1.6, 1.8)]
    return np.array(joints)


def hand_joints(wrist: np.ndarray, base: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """(21, 2) joints of the hand with these two."""
    x, y = -(base - wrist)  # the template's base is at (0, -1)
    upright = template() * (-1.0 if mirrored else 1.0, 1.0)
    joints: np.ndarray = wrist + upright @ np.array([[y, -x], [x, y]])
    return joints


@dataclass(frozen=True)
class Marker:
    """A hand in a frame: its wrist, the length of its palm, its clockwise turn and its kind."""

    x: float
    y: float
    palm_px: float = 30.0
    turn_deg: float = 0.0
    kind: int = 0

    def joints(self) -> np.ndarray:
        turn = np.radians(self.turn_deg)
        wrist = np.array([self.x, self.y])
        return hand_joints(wrist, wrist + self.palm_px * np.array([np.sin(turn), -np.cos(turn)]))


def draw(markers: Sequence[Marker], index: int = 0, size_px: Tuple[int, int] = SIZE_PX) -> Frame:
    """A frame with these hands; a later one hides an earlier one."""
    image = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    for marker in markers:
        joints, radius = marker.joints(), round(0.25 * marker.palm_px * 16)
        for joint, colour in reversed(list(zip(joints[_DOTS], COLOURS[marker.kind]))):
            x, y = np.round((joint - 0.5) * 16).astype(int).tolist()
            cv2.circle(image, (x, y), radius, colour[::-1], -1, cv2.LINE_AA, 4)
    return Frame(index, index / 30, image)


def _find_hands(picture: np.ndarray) -> List[Tuple[int, np.ndarray]]:
    """Kind and joints of each hand in an (H, W, 3) RGB picture, in its pixels."""
    found = []
    for drawn_kind, colours in enumerate(COLOURS):
        wrist, base, thumb = (_find_dot(picture, colour) for colour in colours)
        if wrist is None or base is None:
            continue
        palm, side = base - wrist, np.zeros(2) if thumb is None else thumb - wrist
        mirrored = bool(palm[0] * side[1] - palm[1] * side[0] > 0)
        kind = 1 - drawn_kind if mirrored else drawn_kind
        found.append((kind, hand_joints(wrist, base, mirrored)))
    return found


def _find_dot(picture: np.ndarray, colour: Tuple[int, int, int]) -> Optional[np.ndarray]:
    rows, columns = np.nonzero(((picture > 128) == (np.array(colour) > 128)).all(axis=2))
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) if len(rows) >= 3 else None


def _picture(feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    return feeds["image"][0].transpose(1, 2, 0)


class LandmarkSession:
    """Reads the hand nearest to the middle of the crop; its attributes change what it says."""

    backend = "marker"
    basis = "made up"

    def __init__(self) -> None:
        self.runs = 0
        self.presence = 1.0
        self.joint_score = 1.0
        self.right: Optional[float] = None
        self.depth = 0.25
        self.broken = False

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        self.runs += 1
        outputs = {name: np.zeros(shape, np.float32) for name, shape in _LANDMARK.items()}
        hands = _find_hands(_picture(feeds))
        if hands:
            kind, joints = min(
                hands, key=lambda hand: np.linalg.norm(hand[1].mean(axis=0) - CROP_PX / 2)
            )
            outputs["joints"][0] = joints / CROP_PX
            outputs["score"][:] = self.joint_score
            outputs["presence"][:] = self.presence
            outputs["handedness"][:] = float(kind == 0) if self.right is None else self.right
            outputs["depth"][0, 1:] = self.depth
        if self.broken:
            outputs["joints"][:] = np.nan
        return outputs


class DetectorSession:
    """Finds every hand; ``turn_deg`` is how wrong it is about the direction."""

    backend = "marker"
    basis = "made up"

    def __init__(self, turn_deg: float = 0.0) -> None:
        self.runs = 0
        self.blind = False
        self.broken = False
        self.turn_deg = turn_deg

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        self.runs += 1
        outputs = {name: np.zeros(shape, np.float32) for name, shape in _MAPS.items()}
        hands = [] if self.blind else _find_hands(_picture(feeds))
        for _, joints in hands:
            wrist, base = joints[0], joints[9]
            low, high = joints.min(axis=0), joints.max(axis=0)
            centre = (low + high) / 2 / DETECTOR_PX * CELLS
            column, row = np.clip(centre.astype(int), 0, CELLS - 1)
            outputs["score"][0, 0, row, column] = 0.9
            outputs["box"][0, :2, row, column] = centre - (column + 0.5, row + 0.5)
            outputs["box"][0, 2:, row, column] = (high - low) / DETECTOR_PX
            turn = np.arctan2(*(base - wrist) * (1, -1)) + np.radians(self.turn_deg)
            outputs["direction"][0, :, row, column] = np.sin(turn), -np.cos(turn)
        if self.broken:
            outputs["score"][:] = np.nan
        return outputs


def _spec(size_px: int, fit: str) -> PreprocessSpec:
    return PreprocessSpec(
        width_px=size_px,
        height_px=size_px,
        colour="rgb",
        fit=fit,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        crop_scale=1.5 if fit == "crop" else 1.0,
        border="mean",
    )


def landmark_card() -> ModelCard:
    return replace(
        tiny_onnx.hand_card(_spec(CROP_PX, "crop"), _LANDMARK),
        decode=DecodeSpec("coordinates", {name: name for name in _LANDMARK}),
    )


def detector_card() -> ModelCard:
    return replace(
        tiny_onnx.hand_card(_spec(DETECTOR_PX, "letterbox"), _MAPS),
        name="tiny detector",
        task="hand-detect",
        decode=DecodeSpec("centre-heatmap", {name: name for name in _MAPS}),
    )
