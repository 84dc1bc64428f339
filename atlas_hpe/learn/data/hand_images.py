"""Labelled hand pictures held decoded in memory.

Reads the layout of a pseudo-labelled set: `crops.json`, `frames.json` and `negatives.json`, each
with `items` that name an image relative to the folder; docs/training-data.md has the layout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.hands import NUM_JOINTS

__all__ = [
    "CONTEXT_BOX_SCALE",
    "EmptyImage",
    "HandImage",
    "bounding_box",
    "load_crops",
    "load_frames",
    "load_negatives",
    "read_image",
    "read_items",
    "read_joints",
    "source_weights",
]

_LAYOUT = "docs/training-data.md says what an index holds"

# A square crop that keeps the hand and some surroundings; the project's crops use the same factor.
CONTEXT_BOX_SCALE = 2.6
# Joints in millimetres that do not look like the joints in the picture tell nothing about depth.
_MOST_MISFIT = 0.25


@dataclass(frozen=True)
class HandImage:
    """One hand in one picture.

    Attributes:
        image: (H, W, 3) BGR uint8.
        joints_px: (21, 2) float32, continuous pixels of `image` (corner origin), hand21 order.
        right: probability in [0, 1] that this is an anatomical right hand.
        source: name of the collection.
        name: file name inside the collection, for tables and contact sheets.
        depth_px: (21,) float32 depth relative to the wrist, away from the camera positive, in
            pixels of `image` (weak perspective); None where nobody knows.
        mask: (M, N) uint8 0..255, which part of the picture is the hand, squeezed to any size;
            None where nobody cut it out.
    """

    image: np.ndarray
    joints_px: np.ndarray
    right: float
    source: str
    name: str
    depth_px: Optional[np.ndarray] = None
    mask: Optional[np.ndarray] = None


@dataclass(frozen=True)
class EmptyImage:
    """A picture without a hand outside `hand_boxes`.

    Attributes:
        image: (H, W, 3) BGR uint8.
        hand_boxes: (K, 4) float32 x0, y0, x1, y1 in pixels that a hand-free cut must not touch.
        source: name of the collection.
    """

    image: np.ndarray
    hand_boxes: np.ndarray
    source: str


def read_items(index: Path, *members: str) -> List[Dict[str, object]]:
    """The items of an index file, each with at least these members.

    Raises:
        InputError: no such file, not JSON, or another layout.
    """
    try:
        document = json.loads(index.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "the training set has no index file",
            where=index,
            fix="give --data the folder with crops.json",
        ) from error
    except ValueError as error:
        raise InputError(
            "the index is not JSON", where=index, why=str(error), fix="copy it again"
        ) from error
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise InputError("the index has no list 'items'", where=index, fix=_LAYOUT)
    for number, item in enumerate(items):
        missing = [key for key in members if not (isinstance(item, dict) and key in item)]
        if missing:
            where = f"{index}, items[{number}]"
            raise InputError(f"the item has no member '{missing[0]}'", where=where, fix=_LAYOUT)
    return items


def read_image(path: Path) -> np.ndarray:
    """Decode one picture: (H, W, 3) BGR uint8.

    Raises:
        InputError: missing or not a picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(
            "a picture of the set can't be decoded", where=path, fix="copy the set again"
        )
    return image


def read_joints(values: object, where: Path) -> np.ndarray:
    """(21, 2) float32 from a label; `where` is the picture, for the message.

    Raises:
        InputError: another number of joints.
    """
    joints = np.asarray(values, dtype=np.float32)
    if joints.shape != (NUM_JOINTS, 2):
        raise InputError(
            "a label has not 21 joints",
            where=where,
            why=f"shape {joints.shape}",
            fix="map it into hand21 first",
        )
    return joints


def _number(values: Mapping[str, object], key: str) -> float:
    value = values.get(key, 0.5)
    return float(value) if isinstance(value, (int, float)) else 0.5


def _depth(world_mm: object, joints_px: np.ndarray) -> Optional[np.ndarray]:
    """Depth in pixels from joints in millimetres: weak perspective, one scale fitted to x and y."""
    world = np.asarray(world_mm, dtype=np.float32) if world_mm is not None else np.zeros(0)
    if world.shape != (NUM_JOINTS, 3):
        return None
    flat, seen = world[:, :2] - world[:, :2].mean(axis=0), joints_px - joints_px.mean(axis=0)
    px_per_mm = float((flat * seen).sum() / max(1e-6, float((flat * flat).sum())))
    misfit = float(np.linalg.norm(px_per_mm * flat - seen) / max(1e-6, np.linalg.norm(seen)))
    depth: np.ndarray = (px_per_mm * (world[:, 2] - world[0, 2])).astype(np.float32)
    return depth if misfit < _MOST_MISFIT else None


def load_crops(folder: Path) -> List[HandImage]:
    """Every crop of `crops.json`, in the order of the file."""
    images = []
    for item in read_items(folder / "crops.json", "image", "keypoints", "source", "path"):
        path = folder / str(item["image"])
        joints = read_joints(item["keypoints"], path)
        right, depth = _number(item, "right"), _depth(item.get("world_mm"), joints)
        source, name = str(item["source"]), str(item["path"])
        images.append(HandImage(read_image(path), joints, right, source, name, depth))
    return images


def bounding_box(joints: np.ndarray) -> Tuple[float, float, float, float]:
    """x0, y0, x1, y1 around (21, 2) joints."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _context(image: np.ndarray, joints: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The part of a frame that a zoomed-out crop can see, with the joints moved along."""
    x0, y0, x1, y1 = bounding_box(joints)
    reach = CONTEXT_BOX_SCALE * max(x1 - x0, y1 - y0)
    left, top = max(0, int((x0 + x1) / 2 - reach)), max(0, int((y0 + y1) / 2 - reach))
    right, bottom = int((x0 + x1) / 2 + reach), int((y0 + y1) / 2 + reach)
    return image[top:bottom, left:right], joints - np.array([left, top], np.float32)


def load_frames(folder: Path, min_box_px: float = 40.0) -> Tuple[List[HandImage], List[EmptyImage]]:
    """Hands of `frames.json` with their surroundings, and the frames as sources of hand-free cuts.

    Args:
        folder: the set.
        min_box_px: hands smaller than this are only boxes to avoid.
    """
    hands: List[HandImage] = []
    empty: List[EmptyImage] = []
    for item in read_items(folder / "frames.json", "image", "source", "path", "hands"):
        path = folder / str(item["image"])
        image, source = read_image(path), str(item["source"])
        labels = item["hands"]
        boxes = []
        for label in labels if isinstance(labels, list) else []:
            joints = read_joints(label["keypoints"], path)
            box = bounding_box(joints)
            boxes.append(box)
            if max(box[2] - box[0], box[3] - box[1]) < min_box_px:
                continue
            part, moved = _context(image, joints)
            hands.append(HandImage(part, moved, _number(label, "right"), source, str(item["path"])))
        empty.append(EmptyImage(image, np.array(boxes, np.float32).reshape(-1, 4), source))
    return hands, empty


def load_negatives(folder: Path) -> List[EmptyImage]:
    """Every hand-free crop of `negatives.json`."""
    none = np.zeros((0, 4), np.float32)
    items = read_items(folder / "negatives.json", "image", "source")
    return [
        EmptyImage(read_image(folder / str(item["image"])), none, str(item["source"]))
        for item in items
    ]


def source_weights(hands: Sequence[HandImage], power: float = 0.75) -> np.ndarray:
    """Cumulative sampling weights (N,) that keep a large source from drowning small ones.

    A source with n pictures gets a share proportional to n ** power; the last weight is 1.
    """
    counts: Dict[str, int] = {}
    for hand in hands:
        counts[hand.source] = counts.get(hand.source, 0) + 1
    each = np.array([counts[hand.source] ** (power - 1.0) for hand in hands])
    cumulative: np.ndarray = np.cumsum(each) / each.sum()
    return cumulative
