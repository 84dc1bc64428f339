"""Coordinates that the graph has computed itself."""

from __future__ import annotations

from typing import Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.hands import NUM_JOINTS, to_hand21
from atlas_hpe_pipelines.decoders.decoded import DecodedHand

__all__ = ["decode_coordinates"]


def decode_coordinates(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Optional[DecodedHand]:
    """Decode (1, J, 2) or (1, J, 3) joints in [0, 1] of the input; a third column is left aside.

    Args:
        card: Role ``joints`` is required; ``score`` (1, J), ``presence`` (1, 1), ``handedness``
            (1, 1), the probability of a right hand, ``depth`` (1, J), relative to the wrist in
            units of the input's width, and ``mass`` (1, J), what a heatmap summed to before the
            graph decoded it, are optional. Option ``min_presence`` (default 0.5) is the least
            presence of a hand, ``min_mass`` (default 1) the least mass of a joint that was found;
            with half of the joints not found there is no hand.
        outputs: The graph's outputs.

    Returns:
        The hand, None when there is none or a coordinate is not finite. Its score is the presence,
        without one the mean of the joints' scores.
    """
    by_role = {role: outputs[name][0] for role, name in card.decode.outputs.items()}
    size_px = np.array([card.preprocess.width_px, card.preprocess.height_px])
    native = by_role["joints"][:, :2].astype(np.float64) * size_px  # (J, 2)
    native_scores = by_role.get("score", np.ones(len(native))).astype(np.float64)
    found = _find_joints(card, by_role, len(native))
    depth = _read_depth(card, by_role, found)
    presence = float(by_role["presence"].reshape(())) if "presence" in by_role else 1.0
    # Written so that a NaN presence is no hand either.
    if (
        not presence >= card.decode.options.get("min_presence", 0.5)
        or not np.isfinite(native[found]).all()
        or (depth is not None and not np.isfinite(depth[found]).all())
    ):
        return None
    native = np.where(found[:, None], native, np.nan)
    native_scores = np.where(found, np.clip(native_scores, 0, 1), 0.0)
    joints = to_hand21(native, card.joint_order)
    scores = to_hand21(native_scores[:, None], card.joint_order)[:, 0]
    if np.isnan(joints[:, 0]).sum() * 2 >= NUM_JOINTS:
        return None
    handedness, handedness_score = None, None
    if "handedness" in by_role:
        right = float(by_role["handedness"].reshape(()))
        handedness, handedness_score = ("right", right) if right >= 0.5 else ("left", 1 - right)
    return DecodedHand(
        joints=joints,
        joint_scores=scores,
        score=presence if "presence" in by_role else float(scores.mean()),
        handedness=handedness,
        handedness_score=handedness_score,
        depth=None if depth is None else to_hand21(depth[:, None], card.joint_order)[:, 0],
    )


def _read_depth(
    card: ModelCard, by_role: Mapping[str, np.ndarray], found: np.ndarray
) -> Optional[np.ndarray]:
    """(J,) depth in input pixels, None where the graph does not say."""
    if "depth" not in by_role:
        return None
    return np.where(found, by_role["depth"].astype(np.float64) * card.preprocess.width_px, np.nan)


def _find_joints(card: ModelCard, by_role: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Which joints had enough mass in their heatmaps, (J,); all where the graph does not say."""
    if "mass" not in by_role:
        return np.ones(count, bool)
    mass = by_role["mass"].astype(np.float64)
    return np.isfinite(mass) & (mass >= card.decode.options.get("min_mass", 1.0))
