"""Joints that stand still when the hand does: the One-Euro filter, for each track and joint."""

from __future__ import annotations

from atlas_hpe_pipelines.smoothing.one_euro import OneEuro
from atlas_hpe_pipelines.smoothing.smoother import SMOOTHING, HandSmoother

__all__ = ["SMOOTHING", "HandSmoother", "OneEuro"]
