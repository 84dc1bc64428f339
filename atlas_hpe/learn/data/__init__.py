"""Labelled pictures: read from a folder, cut out, or drawn by this project."""

from __future__ import annotations

from atlas_hpe.learn.data.cutout import with_cutouts
from atlas_hpe.learn.data.drawn_hands import cached_drawn_hands
from atlas_hpe.learn.data.hand_images import (
    EmptyImage,
    HandImage,
    load_crops,
    load_frames,
    load_negatives,
)

__all__ = [
    "EmptyImage",
    "HandImage",
    "cached_drawn_hands",
    "load_crops",
    "load_frames",
    "load_negatives",
    "with_cutouts",
]
