"""What every decoder returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Mapping, Optional

import numpy as np

if TYPE_CHECKING:
    from atlas_hpe.card import ModelCard

__all__ = ["DecodedHand", "Decoder", "DecoderKind", "HeatmapReader"]


@dataclass(frozen=True, eq=False)
class DecodedHand:
    """One hand in the coordinates of the network's input.

    Attributes:
        joints: (21, 2) hand21 joints in input pixels; NaN for a joint that was not found.
        joint_scores: (21,) in [0, 1]; 0 for a joint that was not found.
        score: Confidence that there is a hand, in [0, 1].
        handedness: ``"left"``, ``"right"`` or None.
        handedness_score: In [0.5, 1], None without handedness.
        depth: (21,) depth relative to the wrist in input pixels, away from the camera positive;
            NaN for a joint that was not found. None when the network does not say.
    """

    joints: np.ndarray
    joint_scores: np.ndarray
    score: float
    handedness: Optional[str] = None
    handedness_score: Optional[float] = None
    depth: Optional[np.ndarray] = None


#: Card and the graph's outputs at batch 1 -> the hand, None when there is none.
Decoder = Callable[["ModelCard", Mapping[str, np.ndarray]], Optional[DecodedHand]]

#: Card and the graph's outputs at batch 1 -> (J, h, w) maps in the network's order; cell i of n
#: decodes to i / n of the input.
HeatmapReader = Callable[["ModelCard", Mapping[str, np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class DecoderKind:
    """A decoder and what it needs from the graph.

    Attributes:
        decode: The decoder.
        role: The role that a card must name an output for.
        rank: Number of dimensions of that output; the second one counts the joints.
        heatmaps: How its heatmaps are read for those who want to see them, None where it has none.
    """

    decode: Decoder
    role: str
    rank: int
    heatmaps: Optional[HeatmapReader] = None
