"""Targets and losses of the hand detector."""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from atlas_hpe.learn.detector.labels import HAND, IGNORED
from atlas_hpe.nets.hand_detector import MAP_SIZE, RawDetections
from atlas_hpe.nets.hand_landmark import MEAN_RGB, STD_RGB

__all__ = ["Targets", "detector_loss", "make_targets", "normalise"]

# Weights of the box and direction terms beside the heatmap's.
_BOX_WEIGHT, _DIRECTION_WEIGHT = 2.0, 0.5
# Deviation of the target peak: this share of the hand, within these bounds in cells.
_SIGMA_SHARE, _SIGMA_RANGE = 0.1, (0.6, 2.5)
# Boxes are learned where the target peak is above this.
_NEAR = 0.4
# Loss of a cell, (1 - p) ** 2 log p, and how little the cells beside a centre count as background.
_FOCUS, _PENALTY = 2.0, 4.0


class Targets(NamedTuple):
    """What the maps should say.

    heat (N, H, W) in [0, 1], exactly 1 in the cells of the centres; counted (N, H, W) 0 or 1;
    box (N, 4, H, W) and direction (N, 2, H, W) as the network's outputs; box_weight and
    direction_weight (N, H, W).
    """

    heat: Tensor
    counted: Tensor
    box: Tensor
    direction: Tensor
    box_weight: Tensor
    direction_weight: Tensor


def normalise(images: Tensor) -> Tensor:
    """(N, S, S, 3) RGB uint8 -> (N, 3, S, S) float32, mean and std of the card, channels last."""
    mean, std = (torch.tensor(values, device=images.device) for values in (MEAN_RGB, STD_RGB))
    return ((images.to(torch.float32) - mean) / std).permute(0, 3, 1, 2)


def _peaks(boxes: Tensor, centres: Tensor) -> Tensor:
    """(N, K, H, W) Gaussians around the cells (N, K, 2) of the centres."""
    sigma = (_SIGMA_SHARE * MAP_SIZE * boxes[..., 2:]).clamp(*_SIGMA_RANGE)  # (N, K, 2)
    cells = torch.arange(MAP_SIZE, dtype=boxes.dtype, device=boxes.device)
    squares = ((cells - centres[..., None]) / sigma[..., None]).square()  # (N, K, 2, cells)
    profiles = torch.exp(-0.5 * squares)
    return profiles[:, :, 1, :, None] * profiles[:, :, 0, None, :]


def _of_owner(values: Tensor, owner: Tensor) -> Tensor:
    """(N, K, C) values of the hand (N, H, W) that each cell belongs to: (N, C, H, W)."""
    count, rows, columns = owner.shape
    index = owner.flatten(1)[:, None, :].expand(-1, values.shape[2], -1)
    return values.transpose(1, 2).gather(2, index).reshape(count, -1, rows, columns)


def make_targets(boxes: Tensor, directions: Tensor, kinds: Tensor) -> Targets:
    """Maps from labels.

    Args:
        boxes: (N, K, 4) centre and size in [0, 1].
        directions: (N, K, 2), zeros where unknown.
        kinds: (N, K) HAND, IGNORED or NOTHING.
    """
    centres = (boxes[..., :2] * MAP_SIZE).floor().clamp(0, MAP_SIZE - 1)
    peaks = _peaks(boxes, centres) * (kinds == HAND)[:, :, None, None]
    heat, owner = peaks.max(dim=1)  # (N, H, W)
    middles = torch.arange(MAP_SIZE, dtype=boxes.dtype, device=boxes.device) + 0.5
    reach = 0.5 * boxes[..., 2:] * MAP_SIZE + 1.0
    inside = ((middles - boxes[..., :2, None] * MAP_SIZE).abs() < reach[..., None]).to(boxes.dtype)
    area = inside[:, :, 1, :, None] * inside[:, :, 0, None, :]
    passed_over = (area * (kinds == IGNORED)[:, :, None, None]).amax(dim=1)
    counted = 1.0 - passed_over * (heat < _NEAR)
    box = _of_owner(boxes, owner)
    shift_x = box[:, 0] * MAP_SIZE - middles[None, None, :]
    shift_y = box[:, 1] * MAP_SIZE - middles[None, :, None]
    direction = _of_owner(directions, owner)
    box_weight = heat * (heat > _NEAR)
    return Targets(
        heat,
        counted,
        torch.stack((shift_x, shift_y, box[:, 2], box[:, 3]), dim=1),
        direction,
        box_weight,
        box_weight * (direction.square().sum(dim=1) > 0.5),
    )


def _heat_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Penalty-reduced focal loss (Zhou et al. 2019, Objects as Points, eq. 1) per hand."""
    log_hand, log_none = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    probability = logits.sigmoid()
    centre = targets.heat == 1.0
    found = (1.0 - probability) ** _FOCUS * log_hand
    quiet = (1.0 - targets.heat) ** _PENALTY * probability**_FOCUS * log_none
    terms = torch.where(centre, found, quiet) * targets.counted
    return -terms.sum() / centre.sum().clamp_min(1)


def _edges(box: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """Left, top, right, bottom in cells, relative to the cell's middle."""
    half = 0.5 * MAP_SIZE * box[:, 2:].clamp_min(1e-3)
    low, high = box[:, :2] - half, box[:, :2] + half
    return low[:, 0], low[:, 1], high[:, 0], high[:, 1]


def _generalised_overlap(one: Tensor, other: Tensor) -> Tensor:
    """GIoU of (N, 4, H, W) boxes in [-1, 1] (Rezatofighi et al. 2019, algorithm 1): (N, H, W)."""
    left, top, right, bottom = _edges(one)
    left_b, top_b, right_b, bottom_b = _edges(other)
    wide = (torch.minimum(right, right_b) - torch.maximum(left, left_b)).clamp_min(0.0)
    tall = (torch.minimum(bottom, bottom_b) - torch.maximum(top, top_b)).clamp_min(0.0)
    both = wide * tall
    union = (right - left) * (bottom - top) + (right_b - left_b) * (bottom_b - top_b) - both
    hull = (torch.maximum(right, right_b) - torch.minimum(left, left_b)) * (
        torch.maximum(bottom, bottom_b) - torch.minimum(top, top_b)
    )
    return both / union - (hull - union) / hull


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def _box_loss(box: Tensor, targets: Targets) -> Tensor:
    """1 - GIoU and the distance of centre and size, both over the hand's longer side."""
    side = targets.box[:, 2:].amax(dim=1).clamp_min(0.04)
    apart = (box - targets.box).abs()
    distance = (apart[:, :2].sum(dim=1) / MAP_SIZE + apart[:, 2:].sum(dim=1)) / side
    overlap = _generalised_overlap(box, targets.box)
    return _mean(1.0 - overlap + distance, targets.box_weight)


def _direction_loss(direction: Tensor, targets: Targets) -> Tensor:
    """1 - cosine, and a pull of the length towards 1."""
    length = (direction.square().sum(dim=1) + 1e-6).sqrt()
    cosine = (direction * targets.direction).sum(dim=1) / length
    return _mean(1.0 - cosine + 0.1 * (length - 1.0).square(), targets.direction_weight)


def detector_loss(raw: RawDetections, labels: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """All terms and their weighted sum.

    Args:
        raw: heads of the network for N pictures.
        labels: boxes (N, K, 4), directions (N, K, 2) and kinds (N, K) as `Labels` has them.

    Returns:
        ``total``, ``heat``, ``box`` and ``direction``, scalars; the last three are unweighted.
    """
    targets = make_targets(labels["boxes"], labels["directions"], labels["kinds"])
    heat = _heat_loss(raw.score_logits.float()[:, 0], targets)
    box = _box_loss(raw.box.float(), targets)
    direction = _direction_loss(raw.direction.float(), targets)
    total = heat + _BOX_WEIGHT * box + _DIRECTION_WEIGHT * direction
    return {"total": total, "heat": heat, "box": box, "direction": direction}
