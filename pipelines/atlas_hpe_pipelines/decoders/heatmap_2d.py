"""2-D heatmaps: the expectation of each map's marginals (networks.md section 2)."""

from __future__ import annotations

from typing import Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.hands import NUM_JOINTS, to_hand21
from atlas_hpe_pipelines.decoders.decoded import DecodedHand

__all__ = ["decode_heatmap_2d", "read_heatmap_2d"]


def decode_heatmap_2d(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Optional[DecodedHand]:
    """Decode (1, J, H, W) heatmaps in [0, 1].

    For map m with mass M = sum m: x = sum_i i * (sum_j m[j, i] / M) / W, y alike, both in [0, 1],
    as published for ``shallow_unet``. An empty map has no expectation (the published code puts it
    in the middle of the image): a joint with a mass below ``min_mass`` is not found, and with half
    of the joints not found there is no hand.

    Args:
        card: Role ``heatmaps`` names the output; option ``min_mass`` is in cells (default 1).
            Option ``softmax_beta`` takes the maps as logits, for a soft-argmax: softmax(beta m).
        outputs: The graph's outputs.

    Returns:
        The hand, None when there is none. A joint's score is the peak of its map.
    """
    maps = read_heatmap_2d(card, outputs).astype(np.float64)
    height, width = maps.shape[1:]
    columns, rows = maps.sum(axis=1), maps.sum(axis=2)  # (J, W), (J, H)
    mass = columns.sum(axis=1)  # (J,)
    found = np.isfinite(mass) & (mass >= card.decode.options.get("min_mass", 1.0))
    safe_mass = np.where(found, mass, 1.0)
    x = columns @ np.arange(width) / safe_mass / width
    y = rows @ np.arange(height) / safe_mass / height
    size_px = (card.preprocess.width_px, card.preprocess.height_px)
    native = np.where(found[:, None], np.stack([x, y], axis=1) * size_px, np.nan)  # (J, 2)
    peaks = np.where(found, np.clip(maps.max(axis=(1, 2)), 0, 1), 0.0)
    joints = to_hand21(native, card.joint_order)
    scores = to_hand21(peaks[:, None], card.joint_order)[:, 0]
    if np.isnan(joints[:, 0]).sum() * 2 >= NUM_JOINTS:
        return None
    return DecodedHand(joints=joints, joint_scores=scores, score=float(scores.mean()))


def read_heatmap_2d(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """(J, H, W) maps: the output itself, of logits their softmax."""
    maps: np.ndarray = outputs[card.decode.outputs["heatmaps"]][0]
    if "softmax_beta" not in card.decode.options:
        return maps
    beta = card.decode.options["softmax_beta"]
    logits = maps.astype(np.float64, copy=False)
    weights = np.exp((logits - logits.max(axis=(1, 2), keepdims=True)) * beta)
    return np.asarray(weights / weights.sum(axis=(1, 2), keepdims=True))
