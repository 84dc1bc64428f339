"""Pictures of what was found: ``Renderer`` for a run, ``draw_hands`` for one picture."""

from __future__ import annotations

from atlas_hpe_pipelines.drawing.hands import draw_hands
from atlas_hpe_pipelines.drawing.options import SHOW, DrawOptions
from atlas_hpe_pipelines.drawing.renderer import Renderer
from atlas_hpe_pipelines.drawing.skeleton import FINGER_COLOURS_BGR

__all__ = ["FINGER_COLOURS_BGR", "SHOW", "DrawOptions", "Renderer", "draw_hands"]
