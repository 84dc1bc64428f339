"""Random views of labelled pictures: geometry, scene, light, faults of cameras."""

from __future__ import annotations

from atlas_hpe.learn.augment.photometry import degrade, draw_texture, occlude, vary_colour
from atlas_hpe.learn.augment.scene import HandView, SceneRange, draw_scene
from atlas_hpe.learn.augment.warp import View, WarpRange, draw_view

__all__ = [
    "HandView",
    "SceneRange",
    "View",
    "WarpRange",
    "degrade",
    "draw_scene",
    "draw_texture",
    "draw_view",
    "occlude",
    "vary_colour",
]
