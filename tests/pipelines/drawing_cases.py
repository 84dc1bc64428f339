"""Hands for the tests of the drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from atlas_hpe.poses import Frame, HandPose


def spread_joints() -> np.ndarray:
    """An open hand in a picture of 240 x 240, its joints far enough apart to be told apart."""
    angles = np.radians(np.repeat([160, 125, 95, 70, 45], 4))
    radii = np.tile([40, 60, 75, 90], 5)
    points = np.stack([100 + radii * np.cos(angles), 180 - radii * np.sin(angles)], axis=1)
    return np.vstack([[100, 180], points])


def hand(joints: np.ndarray, **changes: object) -> HandPose:
    """A hand that the network is sure of."""
    sure = HandPose(
        joints=joints,
        joint_scores=np.ones(21),
        score=1.0,
        box=(0.0, 0.0, 1.0, 1.0),
        frame_index=0,
        time_s=0.0,
    )
    return replace(sure, **changes)


def frame(width: int = 240, height: int = 240, seed: int = 0) -> Frame:
    """A dark picture in which no pixel has a colour that is drawn."""
    image = np.random.default_rng(seed).integers(0, 20, (height, width, 3)).astype(np.uint8)
    return Frame(0, 0.0, image)


def has_colour(picture: np.ndarray, colour: tuple) -> bool:
    """Whether any pixel is of exactly this colour."""
    return bool((picture == colour).all(axis=2).any())


def colour_at(picture: np.ndarray, place: np.ndarray) -> tuple:
    """The colour at a place in continuous pixels."""
    column, row = (place - 0.5).round().astype(int)
    return tuple(picture[row, column].tolist())
