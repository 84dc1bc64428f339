"""What a run draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

__all__ = ["SHOW", "DrawOptions"]


@dataclass(frozen=True)
class DrawOptions:
    """What the pictures show besides the skeletons.

    Attributes:
        scores: Joints and bones fade and joints shrink as the network is less sure of them, and the
            label has the hand's score.
        heatmap: Lay the network's heatmaps over the picture, where it gives them.
        view_3d: A panel that shows each hand from the side.
        split: The untouched picture beside the drawn one.
        mirror: Mirror the pictures, as a viewer in front of the camera expects; text stays
            readable, and data outputs stay as they are.
        labels: The hand's number and side beside its wrist.
    """

    scores: bool = False
    heatmap: bool = False
    view_3d: bool = False
    split: bool = False
    mirror: bool = False
    labels: bool = True


#: What ``--show`` calls it -> the field of ``DrawOptions``.
SHOW: Dict[str, str] = {
    "scores": "scores",
    "heatmap": "heatmap",
    "3d": "view_3d",
    "split": "split",
}
