"""Labelled pictures whose pixels say where they lie, and networks that know the truth.

A pixel's blue is its x and its green its y, so that a network sees which part of which picture it
is shown, turned and scaled as it may be.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

import tiny_onnx
from atlas_hpe.card import DecodeSpec, ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.geometry import apply_affine, invert_affine
from atlas_hpe_pipelines.evaluation.labels import LabelledHand

SIZE_PX = 128
PICTURE_PX = 256
_CROP = PreprocessSpec(
    width_px=SIZE_PX,
    height_px=SIZE_PX,
    colour="rgb",
    fit="crop",
    crop_scale=1.5,
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
)
_OUTPUTS: Dict[str, Tuple[int, ...]] = {
    "joints": (1, 21, 2),
    "presence": (1, 1),
    "handedness": (1, 1),
}
CARD: ModelCard = replace(
    tiny_onnx.hand_card(_CROP, _OUTPUTS),
    decode=DecodeSpec("coordinates", {name: name for name in _OUTPUTS}),
)
_MAPS = {"score": (1, 1, 32, 32), "box": (1, 4, 32, 32)}
DETECTOR_CARD: ModelCard = replace(
    tiny_onnx.hand_card(
        replace(_CROP, width_px=256, height_px=256, fit="letterbox", crop_scale=1.0), _MAPS
    ),
    name="fake detector",
    task="hand-detect",
    decode=DecodeSpec("centre-heatmap", {name: name for name in _MAPS}),
)


def picture() -> np.ndarray:
    """(256, 256, 3) uint8, BGR; blue is x and green is y, in whole pixels from 0."""
    image = np.zeros((PICTURE_PX, PICTURE_PX, 3), np.uint8)
    image[:, :, 0] = np.arange(PICTURE_PX)[None, :]
    image[:, :, 1] = np.arange(PICTURE_PX)[:, None]
    return image


def hand_joints(x: float = 128.0, y: float = 128.0, height_px: float = 80.0) -> np.ndarray:
    """An upright open hand about a centre; its box is ``height_px`` high and less wide."""
    joints = np.zeros((21, 2))
    for finger in range(5):
        for step in range(4):
            reach = 0.55 + 0.15 * step
            joints[1 + 4 * finger + step] = ((finger - 2) * 0.18 * reach, -reach)
    joints -= (joints.min(axis=0) + joints.max(axis=0)) / 2
    return joints / np.ptp(joints, axis=0).max() * height_px + (x, y)


def label(joints: np.ndarray, side: Optional[str] = "right") -> LabelledHand:
    return LabelledHand(joints, np.ones(21, bool), side)


class Knower:
    """A landmark network that answers with the nearest of the hands it knows.

    Args:
        truths: (21, 2) each, in pixels of ``picture()``.
        off: Added to the answer, in pixels of the picture.
        presence: Its presence.
        right: Its probability of a right hand.
    """

    backend = "fake"
    basis = "simulated"
    inputs = (TensorSpec("image", (1, 3, SIZE_PX, SIZE_PX), "float32", "NCHW"),)
    outputs = tuple(TensorSpec(name, shape, "float32") for name, shape in _OUTPUTS.items())

    def __init__(
        self,
        *truths: np.ndarray,
        off: Sequence[float] = (0.0, 0.0),
        presence: float = 0.9,
        right: float = 0.8,
    ) -> None:
        self.truths = truths
        self.off = np.array(off)
        self.answer = (presence, right)
        self.closed = False
        self.seen: List[np.ndarray] = []  # the (2, 3) map to the input, of each run

    def __enter__(self) -> Knower:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        to_input = _read_affine(feeds["image"][0])
        self.seen.append(to_input)
        middle = SIZE_PX / 2
        shown = [apply_affine(to_input, truth + self.off) for truth in self.truths]
        nearest = min(shown, key=lambda joints: np.abs(joints.mean(axis=0) - middle).sum())
        presence, right = (np.full((1, 1), value, np.float32) for value in self.answer)
        if np.linalg.det(to_input[:, :2]) < 0:  # shown its mirror image
            right = 1 - right
        joints = (nearest / SIZE_PX)[None].astype(np.float32)
        return {"joints": joints, "presence": presence, "handedness": right}


def _read_affine(image: np.ndarray) -> np.ndarray:
    """The map from the picture to the input, read off the middle of the input, (2, 3)."""
    rows, columns = np.mgrid[40:88, 40:88]
    here = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5, np.ones(rows.size)], axis=1)
    there = np.stack([image[2][rows, columns].ravel(), image[1][rows, columns].ravel()], axis=1)
    to_picture = np.linalg.lstsq(here, there + 0.5, rcond=None)[0].T
    return invert_affine(to_picture)


class Pointer:
    """A detector that says there are hands in these boxes, whatever it is shown.

    Args:
        boxes: Centre x, centre y, width, height in pixels of a picture of 256 x 256.
    """

    backend = "fake"
    basis = "simulated"
    inputs = (TensorSpec("image", (1, 3, 256, 256), "float32", "NCHW"),)
    outputs = tuple(TensorSpec(name, shape, "float32") for name, shape in _MAPS.items())

    def __init__(self, *boxes: Tuple[float, float, float, float]) -> None:
        self.boxes = boxes
        self.closed = False

    def __enter__(self) -> Pointer:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        score, box = (np.zeros(shape, np.float32) for shape in _MAPS.values())
        for x, y, width, height in self.boxes:
            column, row = int(x // 8), int(y // 8)
            score[0, 0, row, column] = 0.9
            shift = (x / 8 - column - 0.5, y / 8 - row - 0.5)
            box[0, :, row, column] = (*shift, width / 256, height / 256)
        return {"score": score, "box": box}


def write_set(
    folder: Path, items: Sequence[Mapping[str, object]], index: str = "labels.json"
) -> Path:
    """Write an index, with ``picture()`` for each image that it names."""
    for item in items:
        done, data = cv2.imencode(".png", picture())
        assert done
        (folder / str(item["image"])).write_bytes(data.tobytes())
    path = folder / index
    path.write_text(json.dumps({"version": 1, "items": list(items)}), encoding="utf-8")
    return path


def item(
    name: str = "one.png", group: str = "g", *hands: np.ndarray, **more: object
) -> Dict[str, object]:
    """An item of ``labels.json``; ``more`` goes into each hand."""
    labels = [{"keypoints": joints.tolist(), **more} for joints in hands]
    size = {"width": PICTURE_PX, "height": PICTURE_PX}
    return {"image": name, **size, "group": group, "hands": labels}
