"""Labelled pictures: the format of an annotated set, and the indices of a training set.

``docs/evaluate.md`` has the layout. An item holds one hand itself (``crops.json``) or a list
``hands`` (``labels.json``, ``frames.json``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Tuple, Union

import cv2
import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.files import check_readable, read_bytes
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.metrics import box_side_px

__all__ = ["INDEX_NAMES", "LabelledHand", "LabelledPicture", "find_index", "read_labels"]

#: Index files that a folder may hold; the first one that is there is read.
INDEX_NAMES = ("labels.json", "crops.json", "frames.json")
_LAYOUT = "docs/evaluate.md says what a set of labels holds"
#: A side is known when its probability is at least this far from one half.
_SURE_SIDE = 0.3
_SIDES = ("left", "right")
#: With a smaller box, as of no visible joint or a single one, there is nothing to measure by.
_MIN_BOX_PX = 1.0


@dataclass(frozen=True, eq=False)
class LabelledHand:
    """One hand as a person, or another model, saw it.

    Attributes:
        joints: (21, 2) float64, continuous pixels of the picture, hand21 order.
        visible: (21,) bool; the other joints do not count.
        side: ``"left"`` or ``"right"`` (anatomical), None when nobody knows.
    """

    joints: np.ndarray
    visible: np.ndarray
    side: Optional[str]


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """One photograph with all its hands.

    Attributes:
        path: The picture.
        name: What the index calls it.
        group: Name of the collection.
        size_px: Width and height that the index states, None when it does not.
        hands: Hands whose visible joints span a pixel or more.
        left_out: Number of hands whose joints do not: they can't be measured.
    """

    path: Path
    name: str
    group: str
    size_px: Optional[Tuple[int, int]]
    hands: Tuple[LabelledHand, ...]
    left_out: int = 0

    def read(self) -> np.ndarray:
        """Decode the picture: (H, W, 3) uint8, BGR.

        Raises:
            InputError: Missing, no picture, or of another size than the index says.
        """
        data = np.frombuffer(read_bytes(self.path), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if image is None:
            raise InputError("the file is not a picture that OpenCV reads", where=self.path)
        found = (int(image.shape[1]), int(image.shape[0]))
        labelled = self.size_px or found
        if labelled != found:
            raise InputError(
                "the picture has another size than its labels say",
                where=self.path,
                why="it is {}x{}, the index says {}x{}".format(*found, *labelled),
                fix="give the picture that was labelled",
            )
        return np.asarray(image)


def find_index(data: Union[str, Path]) -> Path:
    """The index file that ``--data`` names: itself, or the first of ``INDEX_NAMES`` in the folder.

    Raises:
        InputError: There is none.
    """
    path = Path(data)
    if not path.is_dir():
        return check_readable(path)
    for name in INDEX_NAMES:
        if (path / name).is_file():
            return path / name
    raise InputError(
        "the folder holds no labels",
        where=path,
        why="none of these is there: " + ", ".join(INDEX_NAMES),
        fix=_LAYOUT,
    )


def read_labels(data: Union[str, Path], *, limit: Optional[int] = None) -> List[LabelledPicture]:
    """Read an index; the pictures themselves are only looked for.

    Args:
        data: Index file, or a folder with one.
        limit: At most so many pictures, spread evenly over the set; None for all.

    Raises:
        InputError: No index, not of the expected form, or a picture that is missing.
    """
    index = find_index(data)
    items = _read_items(index)
    if limit is not None and limit < len(items):
        items = [items[place] for place in np.linspace(0, len(items) - 1, limit).astype(int)]
    pictures = [_read_picture(index, number, item) for number, item in items]
    for picture in pictures:
        check_readable(picture.path)
    return pictures


def _read_items(index: Path) -> List[Tuple[int, Mapping[str, object]]]:
    try:
        document = json.loads(read_bytes(index).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError("the index is not JSON", where=index, why=str(error)) from error
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or not items:
        raise InputError("the index has no items", where=index, fix=_LAYOUT)
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise _bad_item(index, number, "is no object")
    return list(enumerate(items))


def _read_picture(index: Path, number: int, item: Mapping[str, object]) -> LabelledPicture:
    image, group = item.get("image"), item.get("group", item.get("source"))
    if not isinstance(image, str) or not image:
        raise _bad_item(index, number, "names no image")
    labels = item.get("hands", [item] if "keypoints" in item else None)
    if not isinstance(labels, list):
        raise _bad_item(index, number, "has no list 'hands' and no 'keypoints'")
    hands = [_read_hand(index, number, label) for label in labels]
    measurable = tuple(
        hand for hand in hands if box_side_px(hand.joints, hand.visible) >= _MIN_BOX_PX
    )
    return LabelledPicture(
        path=index.parent / image,
        name=image,
        group=group if isinstance(group, str) else "all",
        size_px=_read_size(index, number, item),
        hands=measurable,
        left_out=len(hands) - len(measurable),
    )


def _read_size(index: Path, number: int, item: Mapping[str, object]) -> Optional[Tuple[int, int]]:
    if "width" not in item and "height" not in item:
        return None
    width, height = item.get("width"), item.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        raise _bad_item(index, number, "has a width or height that is no whole number")
    return width, height


def _read_hand(index: Path, number: int, label: object) -> LabelledHand:
    if not isinstance(label, dict):
        raise _bad_item(index, number, "has a hand that is no object")
    joints = _read_array(label.get("keypoints"))
    if joints is None or joints.shape != (NUM_JOINTS, 2):
        found = "no table of numbers" if joints is None else f"shape {joints.shape}"
        raise _bad_item(index, number, f"has a hand without {NUM_JOINTS} x 2 keypoints: {found}")
    visible = np.ones(NUM_JOINTS, bool)
    if "visible" in label:
        flags = _read_array(label["visible"])
        if flags is None or flags.shape != (NUM_JOINTS,):
            raise _bad_item(index, number, f"has a hand without {NUM_JOINTS} flags 'visible'")
        visible = flags > 0
    if not np.isfinite(joints[visible]).all():
        raise _bad_item(index, number, "has a visible keypoint that is no number")
    return LabelledHand(joints, visible, _read_side(label))


def _read_array(values: object) -> Optional[np.ndarray]:
    """Floats; None where it is no regular table of numbers. A null becomes NaN."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _read_side(label: Mapping[str, object]) -> Optional[str]:
    """``side`` by name, or ``right``, the probability of a right hand."""
    side, right = label.get("side"), label.get("right")
    if isinstance(side, str) and side in _SIDES:
        return side
    if isinstance(right, (int, float)) and abs(right - 0.5) > _SURE_SIDE:
        return "right" if right > 0.5 else "left"
    return None


def _bad_item(index: Path, number: int, what: str) -> InputError:
    return InputError(f"an item {what}", where=f"{index}, items[{number}]", fix=_LAYOUT)
