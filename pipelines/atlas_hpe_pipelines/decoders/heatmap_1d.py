"""1-D heatmaps: a soft-argmax per joint and axis (networks.md section 5)."""

from __future__ import annotations

from typing import Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.hands import to_hand21
from atlas_hpe_pipelines.decoders.decoded import DecodedHand

__all__ = ["decode_heatmap_1d", "read_heatmap_1d"]


def decode_heatmap_1d(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Optional[DecodedHand]:
    """Decode (1, 3 J, L) logits: the maps of x of all joints first, then y, then z.

    With p = softmax(m) over the L cells, a coordinate is sum_i i p_i / L, in [0, 1) of its axis.
    The depth is read but not part of a 2-D hand.

    Args:
        card: Role ``heatmaps`` names the output.
        outputs: The graph's outputs.

    Returns:
        The hand, None when a number is not finite. A joint's score is the least peak of its maps.
    """
    weights = _weights(card, outputs)
    cells = weights.shape[1]
    shares = (weights @ np.arange(cells) / cells).reshape(3, -1).T  # (J, 3)
    if not np.isfinite(shares).all():
        return None
    size_px = (card.preprocess.width_px, card.preprocess.height_px)
    peaks = weights.max(axis=1).reshape(3, -1).min(axis=0)  # (J,)
    scores = to_hand21(peaks[:, None], card.joint_order)[:, 0]
    return DecodedHand(
        joints=to_hand21(shares[:, :2] * size_px, card.joint_order),
        joint_scores=scores,
        score=float(scores.mean()),
    )


def read_heatmap_1d(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """(J, L, L) probabilities: the outer product of a joint's maps of y and of x."""
    across, down, _ = np.split(_weights(card, outputs).astype(np.float32), 3)
    return np.asarray(down[:, :, None] * across[:, None, :])


def _weights(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """(3 J, L) probabilities."""
    maps = outputs[card.decode.outputs["heatmaps"]][0].astype(np.float64)
    weights = np.exp(maps - maps.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
