"""One hand from two looks at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.tracking.handedness import average_side

__all__ = ["average_hands"]


def average_hands(one: HandPose, other: HandPose) -> HandPose:
    """The mean of two looks at a hand in one frame, each joint weighted by its scores.

    Args:
        one: Its box and what only it has are kept.
        other: The same hand in the same source pixels, seen otherwise.

    Returns:
        Joints, scores, depth and side of both; a joint that only one found is that one's.
    """
    weights = np.stack([one.joint_scores, other.joint_scores])
    found = np.isfinite(np.stack([one.joints, other.joints])).all(axis=2)
    weights = np.where(found, np.maximum(weights, 1e-6), 0.0)
    handedness, handedness_score = average_side(
        (one.handedness, one.handedness_score), (other.handedness, other.handedness_score)
    )
    return replace(
        one,
        joints=_weighted(one.joints, other.joints, weights[:, :, None]),
        joint_scores=(one.joint_scores + other.joint_scores) / 2,
        score=(one.score + other.score) / 2,
        handedness=handedness,
        handedness_score=handedness_score,
        depth=_mean_depth(one.depth, other.depth, weights),
    )


def _mean_depth(
    one: Optional[np.ndarray], other: Optional[np.ndarray], weights: np.ndarray
) -> Optional[np.ndarray]:
    return one if one is None or other is None else _weighted(one, other, weights)


def _weighted(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """NaN where neither weighs anything."""
    total = weights.sum(axis=0)
    summed = np.where(weights > 0, np.stack([one, other]), 0.0) * weights
    mean: np.ndarray = np.where(total > 0, summed.sum(axis=0) / np.maximum(total, 1e-12), np.nan)
    return mean
