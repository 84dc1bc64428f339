"""What flows through a pipeline: frames with their time, and hand poses in source pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

__all__ = ["Frame", "HandPose", "JointHeatmaps"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        index: Position in the source, from 0; a frame that could not be read leaves a gap.
        time_s: Presentation time in seconds from the start of the source.
        image: (H, W, 3) uint8, BGR; of a depth source the depth in false colours.
        depth_mm: (H, W) float32, millimetres from the camera, 0 where there is none; None for
            colour sources.
    """

    index: int
    time_s: float
    image: np.ndarray
    depth_mm: Optional[np.ndarray] = None

    @property
    def size_px(self) -> Tuple[int, int]:
        """Width and height."""
        return int(self.image.shape[1]), int(self.image.shape[0])


@dataclass(frozen=True, eq=False)
class JointHeatmaps:
    """Where a network saw each joint of one hand.

    Attributes:
        values: (21, h, w), hand21 order, in the scale of the network.
        to_source: (2, 3) map from heatmap pixels (continuous) to source pixels.
    """

    values: np.ndarray
    to_source: np.ndarray


@dataclass(frozen=True, eq=False)
class HandPose:
    """One hand in one frame, joints in hand21 order.

    Coordinates are continuous source pixels: the top-left corner of the image is (0, 0) and the
    centre of the first pixel is (0.5, 0.5).

    Attributes:
        joints: (21, 2) x, y in source pixels; NaN for a joint that was not found.
        joint_scores: (21,) confidence in [0, 1].
        score: Confidence that this is a hand, in [0, 1].
        box: x, y, width, height of the region the joints were read from, source pixels; of a
            turned region the upright box around it.
        frame_index: Index of the frame.
        time_s: Presentation time of the frame in seconds.
        handedness: ``"left"`` or ``"right"`` (anatomical), None when the network does not say; of a
            tracked hand the vote of its frames so far.
        handedness_score: Confidence in the handedness, in [0.5, 1].
        track_id: Stable number of the hand through a clip, None without tracking.
        joints_3d: (21, 3) metres, None for 2-D networks.
        joints_3d_frame: Frame of reference of ``joints_3d``, for example ``"root-relative"``.
        depth: (21,) depth relative to the wrist in source pixels (weak perspective), away from the
            camera positive; NaN for a joint that was not found, None when the network does not say.
        heatmaps: What the joints were read from, None from networks without heatmaps. For drawing;
            no file holds them.
    """

    joints: np.ndarray
    joint_scores: np.ndarray
    score: float
    box: Tuple[float, float, float, float]
    frame_index: int
    time_s: float
    handedness: Optional[str] = None
    handedness_score: Optional[float] = None
    track_id: Optional[int] = None
    joints_3d: Optional[np.ndarray] = None
    joints_3d_frame: Optional[str] = None
    depth: Optional[np.ndarray] = None
    heatmaps: Optional[JointHeatmaps] = None
