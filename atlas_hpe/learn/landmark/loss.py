"""Targets and losses of the hand-landmark network."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from atlas_hpe.nets.hand_landmark import HEATMAP_SIZE, RawLandmarks

__all__ = [
    "DEFAULT_WEIGHTS",
    "FOUND_WITHIN_BOX",
    "LandmarkLoss",
    "LossWeights",
    "box_sides",
    "gaussian_heat",
    "landmark_loss",
]

# A joint counts as found when it lies within this share of the hand box (what `score` predicts).
FOUND_WITHIN_BOX = 0.1


class LossWeights(NamedTuple):
    """Weights of the loss terms."""

    heat: float = 1.0
    joints: float = 5.0
    score: float = 0.2
    depth: float = 0.5
    presence: float = 1.0
    right: float = 0.3


DEFAULT_WEIGHTS = LossWeights()


class LandmarkLoss(NamedTuple):
    """The weighted sum `total` and its unweighted terms, each a scalar tensor."""

    total: Tensor
    heat: Tensor
    joints: Tensor
    score: Tensor
    depth: Tensor
    presence: Tensor
    right: Tensor


def box_sides(joints: Tensor) -> Tensor:
    """Longer side of the box around (N, 21, 2) joints: (N,), at least 1e-3 (it divides)."""
    spans = joints.amax(dim=1) - joints.amin(dim=1)
    return spans.amax(dim=1).clamp_min(1e-3)


def gaussian_heat(joints: Tensor, sigma: Tensor, size: int) -> Tuple[Tensor, Tensor]:
    """Target maps that sum to 1, and how much the loss of a perfect answer would be.

    A Gaussian on a grid is the product of one over the columns and one over the rows, which makes
    the maps cheap and their entropy the sum of two small ones.

    Args:
        joints: (N, J, 2) in [0, 1].
        sigma: (N,) deviations in units of the crop side.
        size: cells per side.

    Returns:
        (N, J, size * size) maps, row-major, and (N, J) entropies in nats.
    """
    centres = (torch.arange(size, dtype=joints.dtype, device=joints.device) + 0.5) / size
    squares = (joints[..., None] - centres).square()  # (N, J, 2, size)
    profiles = functional.softmax(squares / (-2.0 * sigma.square()[:, None, None, None]), dim=3)
    entropy = -(profiles * profiles.clamp_min(1e-12).log()).sum(dim=(2, 3))
    maps = profiles[:, :, 1, :, None] * profiles[:, :, 0, None, :]
    return maps.reshape(joints.shape[0], joints.shape[1], size * size), entropy


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1.0)


def landmark_loss(
    raw: RawLandmarks,
    joints: Tensor,
    depth: Tensor,
    has_hand: Tensor,
    right: Tensor,
    weights: LossWeights = DEFAULT_WEIGHTS,
) -> LandmarkLoss:
    """Heatmap divergence + soft-argmax distance + depth + three binary terms.

    The heatmap term is the KL divergence to a Gaussian whose width follows the hand (6 % of its
    box, 0.6 to 1.2 cells); the distance is L1 over the hand box; joints outside the crop do not
    count. Depth is L1 over the same box. The soft-argmax term is the integral regression of Sun et
    al., ECCV 2018.

    Args:
        raw: heads of the network for N crops.
        joints: (N, 21, 2) true joints in [0, 1] of the crop.
        depth: (N, 21) true depth in units of the crop side, NaN where unknown.
        has_hand: (N,) 1 or 0.
        right: (N,) probability of a right hand.
        weights: one weight per term.
    """
    side = box_sides(joints)
    inside = ((joints > 0.0) & (joints < 1.0)).all(dim=2).float() * has_hand[:, None]
    cell = 1.0 / HEATMAP_SIZE
    sigma = (0.06 * side).clamp(0.6 * cell, 1.2 * cell)
    target, entropy = gaussian_heat(joints, sigma, HEATMAP_SIZE)
    log_heat = functional.log_softmax(raw.heat_logits, dim=2)
    divergence = -(target * log_heat).sum(dim=2) - entropy
    heat = _mean_where(divergence, inside)
    offsets = raw.joints - joints
    distance = _mean_where(offsets.abs().sum(dim=2) / side[:, None], inside)
    error = offsets.detach().square().sum(dim=2).sqrt() / side[:, None]
    found = (error < FOUND_WITHIN_BOX).float() * inside
    known = torch.isfinite(depth).float() * has_hand[:, None]
    depth_off = (raw.depth - torch.nan_to_num(depth)).abs() / side[:, None]
    depth_loss = _mean_where(depth_off, known)
    score = functional.binary_cross_entropy_with_logits(raw.score_logits, found)
    presence = functional.binary_cross_entropy_with_logits(raw.presence_logits[:, 0], has_hand)
    sides = functional.binary_cross_entropy_with_logits(
        raw.right_logits[:, 0], right, reduction="none"
    )
    hand_side = _mean_where(sides, has_hand)
    total = (
        weights.heat * heat
        + weights.joints * distance
        + weights.score * score
        + weights.depth * depth_loss
        + weights.presence * presence
        + weights.right * hand_side
    )
    return LandmarkLoss(total, heat, distance, score, depth_loss, presence, hand_side)
