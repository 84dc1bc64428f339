"""The shipped landmark network follows a hand that turns and wanders."""

from __future__ import annotations

from typing import Iterator, List, Tuple

import cv2
import numpy as np
import pytest

from atlas_hpe.card import load_card
from atlas_hpe.geometry import Box, apply_affine, to_pixel_centres
from atlas_hpe.models import default_model_path
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.detection import Detection
from atlas_hpe_pipelines.drawn_hand import DrawnClip
from atlas_hpe_pipelines.tracking import HandFinder, HandReader
from atlas_hpe_runtime import open_session

pytest.importorskip("onnxruntime")

FRAMES, SIDE_PX, SIZE_PX = 40, 240, (480, 360)


class RoughDetector:
    """Knows the hand's box and nothing of its direction."""

    broken = False

    def __init__(self, joints: np.ndarray) -> None:
        low, high = joints.min(axis=0), joints.max(axis=0)
        self._box = Box(*low.tolist(), *(high - low).tolist())

    def detect(self, image: np.ndarray) -> List[Detection]:
        return [Detection(self._box, 0.9)]


def wandering_hand() -> Iterator[Tuple[Frame, np.ndarray]]:
    """A drawn hand that turns by 120 degrees a second, starting on its side, and drifts."""
    for index, (picture, joints, time_s) in enumerate(DrawnClip(FRAMES, (SIDE_PX,) * 2, seed=1)):
        turn = np.radians(60 + 120 * time_s)
        linear = 0.8 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        centre = np.array([200 + 60 * time_s, 180 + 30 * np.sin(6 * time_s)])
        affine = np.hstack([linear, (centre - linear @ ([SIDE_PX / 2] * 2))[:, None]])
        image = cv2.warpAffine(
            picture, to_pixel_centres(affine), SIZE_PX, borderMode=cv2.BORDER_REFLECT_101
        )
        yield Frame(index, time_s, image), apply_affine(affine, joints)


def test_a_turning_hand_is_followed() -> None:
    clip = list(wandering_hand())
    errors = []
    with open_session(default_model_path(), threads=1) as session:
        reader = HandReader(load_card(default_model_path()), session)
        finder = HandFinder(reader, RoughDetector(clip[0][1]), max_hands=1)
        for frame, joints in clip:
            (hand,) = finder.find(frame)
            away = np.linalg.norm(hand.joints - joints, axis=1).mean()
            errors.append(away / np.ptp(joints, axis=0).max())
    assert (finder.detections, finder.tracks) == (2, 1)  # found, and looked after once
    assert np.mean(errors) < 0.1
    assert errors[0] < 0.15  # the second look in the first frame has turned it upright
