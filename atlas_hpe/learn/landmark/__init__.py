"""Training of `hand_landmark`: what it sees, what it is asked, how it is measured."""

from __future__ import annotations

from atlas_hpe.learn.landmark.task import LandmarkTask, load_task

__all__ = ["LandmarkTask", "load_task"]
