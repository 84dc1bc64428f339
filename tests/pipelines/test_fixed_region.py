"""One place in frames that change their size on the way."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple

import cv2
import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.geometry import Box
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines import Pipeline, SourceOptions

pytest.importorskip("onnxruntime")

#: Width and height of the pictures, and the middle of the spot in each.
PICTURES = [
    ((64, 48), (20, 24)),
    ((160, 64), (120, 40)),
    ((40, 96), (24, 70)),
    ((64, 48), (44, 30)),
]
SIZES = [size_px for size_px, _ in PICTURES]


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, ((width_px, height_px), (x, y)) in enumerate(PICTURES):
        picture = np.zeros((height_px, width_px, 3), np.uint8)
        half = max(width_px, height_px) // 16
        picture[y - half : y + half, x - half : x + half] = 255
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    return folder


def run(
    folder: Path, model_path: Path, box: Optional[Box] = None, fps: float = 1
) -> List[Tuple[HandPose, ...]]:
    """At one picture a second nothing is smoothed from one into the next."""
    reading = SourceOptions(fps=fps)
    return [hands for _, hands in Pipeline(folder, model_path, box=box, reading=reading)]


def middle(hands: Tuple[HandPose, ...]) -> np.ndarray:
    (hand,) = hands
    joint: np.ndarray = hand.joints[10]
    return joint


def test_the_whole_of_each_picture_is_looked_at(folder: Path, model_path: Path) -> None:
    found = run(folder, model_path)
    assert [hands[0].box for hands in found] == [(0, 0, *size_px) for size_px in SIZES]
    for hands, (_, spot) in zip(found, PICTURES):
        np.testing.assert_allclose(middle(hands), spot, atol=2)


def test_nothing_is_smoothed_into_a_picture_of_another_size(folder: Path, model_path: Path) -> None:
    for one, other in zip(run(folder, model_path), run(folder, model_path, fps=30)):
        np.testing.assert_allclose(other[0].joints, one[0].joints)


def test_a_box_stays_in_its_pixels(folder: Path, model_path: Path) -> None:
    box = Box(10, 20, 20, 20)
    found = run(folder, model_path, box)
    np.testing.assert_allclose(middle(found[0]), (20, 24), atol=1)
    assert found[0][0].box == box.as_tuple()
    assert found[1:] == [()] * 3  # their spots lie elsewhere


def test_where_the_box_lies_outside_of_a_later_picture_there_is_no_hand(
    folder: Path, model_path: Path
) -> None:
    # OpenCV repeats the edge of a picture, here one with a bright corner, and shows a spot there.
    small = np.zeros((20, 20, 3), np.uint8)
    small[10:, 10:] = 255
    cv2.imwrite(str(folder / "4.png"), small)
    found = run(folder, model_path, Box(32, 18, 24, 24))
    assert [len(hands) for hands in found] == [0, 0, 0, 1, 0]
