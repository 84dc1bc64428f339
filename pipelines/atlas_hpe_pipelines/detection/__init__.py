"""Where the hands are in a picture: the outputs of a detector as boxes; NumPy only."""

from __future__ import annotations

from atlas_hpe_pipelines.detection.decode import DETECTION_KIND, decode_detections
from atlas_hpe_pipelines.detection.detections import (
    Detection,
    box_overlap,
    detections_to_source,
    turn_of,
)

__all__ = [
    "DETECTION_KIND",
    "Detection",
    "box_overlap",
    "decode_detections",
    "detections_to_source",
    "turn_of",
]
