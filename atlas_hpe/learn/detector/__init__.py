"""Training of `hand_detector`: what it sees, what it is asked, how it is measured."""

from __future__ import annotations

from atlas_hpe.learn.detector.task import DetectorTask, load_task

__all__ = ["DetectorTask", "load_task"]
