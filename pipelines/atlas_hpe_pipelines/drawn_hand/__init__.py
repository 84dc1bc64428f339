"""The project's own articulated hand: pictures and clips whose joints are exactly known.

It gives tests, demos and training a hand that belongs to nobody: forward kinematics in metres, a
pinhole camera, and a renderer in numpy and OpenCV.
"""

from __future__ import annotations

from atlas_hpe_pipelines.drawn_hand.background import draw_background
from atlas_hpe_pipelines.drawn_hand.camera import View, frame_hand, measure_depth, project, turn
from atlas_hpe_pipelines.drawn_hand.clip import DrawnClip, iter_clip
from atlas_hpe_pipelines.drawn_hand.feeds import draw_samples
from atlas_hpe_pipelines.drawn_hand.picture import draw_hand, random_sample
from atlas_hpe_pipelines.drawn_hand.poses import (
    GESTURES,
    blend_postures,
    named_posture,
    random_pose,
)
from atlas_hpe_pipelines.drawn_hand.sample import DrawnSample, training_sample
from atlas_hpe_pipelines.drawn_hand.skeleton import (
    HandPosture,
    HandShape,
    PosedHand,
    default_shape,
    pose_skeleton,
    random_shape,
)
from atlas_hpe_pipelines.drawn_hand.style import DrawStyle, random_style
from atlas_hpe_pipelines.drawn_hand.video import joints_path, write_clip

__all__ = [
    "GESTURES",
    "DrawStyle",
    "DrawnClip",
    "DrawnSample",
    "HandPosture",
    "HandShape",
    "PosedHand",
    "View",
    "blend_postures",
    "default_shape",
    "draw_background",
    "draw_hand",
    "draw_samples",
    "frame_hand",
    "iter_clip",
    "joints_path",
    "measure_depth",
    "named_posture",
    "pose_skeleton",
    "project",
    "random_pose",
    "random_sample",
    "random_shape",
    "random_style",
    "training_sample",
    "turn",
    "write_clip",
]
