"""Scenes of stick hands, small enough to train on within seconds."""

from __future__ import annotations

import numpy as np
from learn_fakes import stick_hand

from atlas_hpe.learn.data.hand_images import EmptyImage
from atlas_hpe.learn.detector.data import DetectorData, Scene, ScenePool


def stick_scene(seed: int, width_px: int = 160, height_px: int = 120) -> Scene:
    """One stick hand somewhere in a plain room."""
    rng = np.random.default_rng(seed)
    hand = stick_hand(seed, 64)
    image = np.full((height_px, width_px, 3), rng.integers(60, 120), np.uint8)
    left, top = int(rng.integers(0, width_px - 64)), int(rng.integers(0, height_px - 64))
    image[top : top + 64, left : left + 64] = hand.image
    return Scene(image, hand.joints_px[None] + np.array([left, top], np.float32), "sticks")


def stick_data(count: int = 12) -> DetectorData:
    crops = [stick_hand(100 + seed, 96) for seed in range(count)]
    wall = EmptyImage(np.full((64, 64, 3), 90, np.uint8), np.zeros((0, 4), np.float32), "walls")
    return DetectorData(
        frames=ScenePool([stick_scene(seed) for seed in range(count)]),
        crops=ScenePool([Scene(hand.image, hand.joints_px[None], hand.source) for hand in crops]),
        drawn=ScenePool([]),
        empty=[wall],
        held_out=([stick_scene(1000 + seed) for seed in range(6)], [wall]),
    )
