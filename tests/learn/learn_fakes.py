"""Small stand-ins: stick hands drawn by code and a network of a few thousand weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Dict, List

import cv2
import numpy as np

from atlas_hpe.hands import BONES
from atlas_hpe.learn.data.hand_images import EmptyImage, HandImage
from atlas_hpe.learn.landmark.batches import Mixture, Pool
from atlas_hpe.nets.hand_landmark import HandLandmark


def stick_joints(rng: np.random.Generator, side_px: float) -> np.ndarray:
    joints = np.zeros((21, 2))
    joints[0] = 0.5, 0.85
    for finger in range(5):
        angle = np.deg2rad(-120 + 15 * finger + rng.normal(0, 3))
        for number in range(4):
            reach = 0.25 + 0.1 * number + rng.normal(0, 0.01)
            joints[1 + 4 * finger + number] = joints[0] + reach * np.array(
                [np.cos(angle), np.sin(angle)]
            )
    return (joints * side_px).astype(np.float32)


def stick_hand(seed: int, side_px: int = 96) -> HandImage:
    rng = np.random.default_rng(seed)
    joints = stick_joints(rng, side_px)
    image = np.full((side_px, side_px, 3), rng.integers(0, 120), np.uint8)
    for parent, child in BONES:
        first, last = (tuple(int(v) for v in joints[index]) for index in (parent, child))
        colour = (40 * (child % 4) + 90, 40 * (child // 4) + 50, 255)
        cv2.line(image, first, last, colour, 3, cv2.LINE_AA)
    return HandImage(image, joints, 1.0, "sticks", f"stick_{seed}")


def stick_hands(count: int) -> List[HandImage]:
    return [stick_hand(seed) for seed in range(count)]


def stick_mixture(count: int = 12) -> Mixture:
    wall = EmptyImage(np.full((64, 64, 3), 90, np.uint8), np.zeros((0, 4), np.float32), "walls")
    return Mixture([Pool(stick_hands(count), 1.0)], [wall])


def tiny_network() -> HandLandmark:
    return HandLandmark(widths=(16, 16, 16, 16), coarse_blocks=1)


def _item(hand: HandImage, image: str) -> Dict[str, object]:
    return {
        "image": image,
        "source": hand.source,
        "path": hand.name,
        "right": hand.right,
        "keypoints": hand.joints_px.round(1).tolist(),
    }


def _write_index(folder: Path, name: str, items: List[Dict[str, object]]) -> None:
    (folder / f"{name}.json").write_text(json.dumps({"version": 1, "items": items}))


def write_stick_set(folder: Path, count: int = 12) -> List[HandImage]:
    """A data folder as the trainer reads it: some `digits` (one held out), the rest `sticks`."""
    hands = stick_hands(count)
    for index in range(0, count, 2):
        number = 400 if index == 0 else 1000 + index
        hands[index] = replace(hands[index], source="digits", name=f"IMG_{number}.JPG")
    for kind in ("crops", "frames", "negatives"):
        (folder / kind).mkdir()
    for index, hand in enumerate(hands):
        cv2.imwrite(str(folder / "crops" / f"{index}.png"), hand.image)
    items = [_item(hand, f"crops/{index}.png") for index, hand in enumerate(hands)]
    _write_index(folder, "crops", items)
    scene = np.full((200, 300, 3), 80, np.uint8)
    scene[20:116, 150:246] = hands[1].image
    cv2.imwrite(str(folder / "frames" / "0.png"), scene)
    near = hands[1].joints_px + np.array([150, 20], np.float32)
    labels = [{"keypoints": joints.tolist(), "right": 1.0} for joints in (near, near / 4)]
    frame = {"image": "frames/0.png", "source": "sticks", "path": "0", "hands": labels}
    _write_index(folder, "frames", [frame])
    wall = np.full((64, 64, 3), 70, np.uint8)
    cv2.imwrite(str(folder / "negatives" / "0.png"), wall)
    walls = [{"image": "negatives/0.png", "source": name} for name in ("sticks", "digits")]
    _write_index(folder, "negatives", walls)
    return hands
