"""Hands followed through a clip: regions turned upright, tracks, and when to detect."""

from __future__ import annotations

from atlas_hpe_pipelines.tracking.average import average_hands
from atlas_hpe_pipelines.tracking.finder import HandFinder
from atlas_hpe_pipelines.tracking.first_look import look_at_new_hand
from atlas_hpe_pipelines.tracking.readers import (
    Detector,
    HandDetector,
    HandReader,
    place_hand,
    read_region,
)
from atlas_hpe_pipelines.tracking.region import (
    Region,
    region_affine,
    region_bounds,
    region_from_detection,
    region_from_joints,
)
from atlas_hpe_pipelines.tracking.tracker import DETECT_EVERY, Tracker

__all__ = [
    "DETECT_EVERY",
    "Detector",
    "HandDetector",
    "HandFinder",
    "HandReader",
    "Region",
    "Tracker",
    "average_hands",
    "look_at_new_hand",
    "place_hand",
    "read_region",
    "region_affine",
    "region_bounds",
    "region_from_detection",
    "region_from_joints",
]
