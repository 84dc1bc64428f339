"""Coordinates that the graph has computed itself."""

from __future__ import annotations

from typing import Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.hands import to_hand21
from atlas_hpe_pipelines.decoders.decoded import DecodedHand

__all__ = ["decode_coordinates"]


def decode_coordinates(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Optional[DecodedHand]:
    """Decode (1, J, 2) joints in [0, 1] of the input.

    Args:
        card: Role ``joints`` is required; ``score`` (1, J), ``presence`` (1, 1) and ``handedness``
            (1, 1), the probability of a right hand, are optional. Option ``min_presence``
            (default 0.5) is the least presence of a hand.
        outputs: The graph's outputs.

    Returns:
        The hand, None when its presence is below ``min_presence`` or a coordinate is not finite.
    """
    by_role = {role: outputs[name][0] for role, name in card.decode.outputs.items()}
    size_px = np.array([card.preprocess.width_px, card.preprocess.height_px])
    joints = to_hand21(by_role["joints"].astype(np.float64) * size_px, card.joint_order)
    presence = float(by_role["presence"].reshape(())) if "presence" in by_role else 1.0
    # Written so that a NaN presence is no hand either.
    if (
        not presence >= card.decode.options.get("min_presence", 0.5)
        or not np.isfinite(joints).all()
    ):
        return None
    native_scores = by_role.get("score", np.ones(len(by_role["joints"])))
    scores = to_hand21(np.clip(native_scores.astype(np.float64), 0, 1)[:, None], card.joint_order)
    handedness, handedness_score = None, None
    if "handedness" in by_role:
        right = float(by_role["handedness"].reshape(()))
        handedness, handedness_score = ("right", right) if right >= 0.5 else ("left", 1 - right)
    return DecodedHand(
        joints=joints,
        joint_scores=scores[:, 0],
        score=presence,
        handedness=handedness,
        handedness_score=handedness_score,
    )
