"""Network outputs to joints, one file per kind; NumPy only.

To add a decoder: write ``decoders/<kind>.py`` with a function that keeps ``Decoder`` and add its
line to ``DECODERS``.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CardError
from atlas_hpe.geometry import apply_affine
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.poses import JointHeatmaps
from atlas_hpe_pipelines.decoders.coordinates import decode_coordinates
from atlas_hpe_pipelines.decoders.decoded import DecodedHand, Decoder, DecoderKind
from atlas_hpe_pipelines.decoders.heatmap_1d import decode_heatmap_1d, read_heatmap_1d
from atlas_hpe_pipelines.decoders.heatmap_2d import decode_heatmap_2d, read_heatmap_2d

__all__ = [
    "DECODERS",
    "DecodedHand",
    "Decoder",
    "DecoderKind",
    "decode_hand",
    "decode_joints",
    "find_decoder",
    "gives_heatmaps",
    "place_heatmaps",
]

#: ``DecodeSpec.kind`` -> decoder.
DECODERS: Dict[str, DecoderKind] = {
    "heatmap-1d": DecoderKind(decode_heatmap_1d, "heatmaps", 3, read_heatmap_1d),
    "heatmap-2d": DecoderKind(decode_heatmap_2d, "heatmaps", 4, read_heatmap_2d),
    "coordinates": DecoderKind(decode_coordinates, role="joints", rank=3),
}


def find_decoder(card: ModelCard) -> DecoderKind:
    """The decoder that a card names.

    Raises:
        CardError: There is none of that name, or the card names no output for it.
    """
    kind = DECODERS.get(card.decode.kind)
    if kind is None:
        raise CardError(
            f"there is no decoder '{card.decode.kind}'",
            where=f"{card.name}, card.decode.kind",
            fix="this release has: " + ", ".join(DECODERS),
        )
    if kind.role not in card.decode.outputs:
        raise CardError(
            f"the decoder '{card.decode.kind}' needs an output for the role '{kind.role}'",
            where=f"{card.name}, card.decode.outputs",
            fix="export the model again",
        )
    return kind


def decode_hand(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Optional[DecodedHand]:
    """Decode the graph's outputs at batch 1 as the card says.

    Raises:
        CardError: The card names a decoder or an output that does not exist.
    """
    kind = find_decoder(card)
    missing = [name for name in card.decode.outputs.values() if name not in outputs]
    if missing:
        raise CardError(
            f"the graph has no output '{missing[0]}'",
            where=f"{card.name}, card.decode.outputs",
            why="it has: " + ", ".join(outputs),
            fix="export the model again",
        )
    return kind.decode(card, outputs)


def decode_joints(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The joints alone, (21, 2) in input pixels; all NaN when there is no hand."""
    hand = decode_hand(card, outputs)
    return np.full((NUM_JOINTS, 2), np.nan) if hand is None else hand.joints


def gives_heatmaps(card: ModelCard) -> bool:
    """Whether a network's outputs have heatmaps to show.

    Raises:
        CardError: The card names a decoder that does not exist.
    """
    return find_decoder(card).heatmaps is not None


def place_heatmaps(
    card: ModelCard, outputs: Mapping[str, np.ndarray], to_source: np.ndarray
) -> Optional[JointHeatmaps]:
    """The heatmaps of a hand, placed so that a cell lies where its joint would be decoded.

    Args:
        card: The network's card.
        outputs: Its outputs at batch 1.
        to_source: (2, 3) map from input to source pixels.

    Returns:
        The maps, a view of the output where that needs no work; None from networks without.

    Raises:
        CardError: The card names a decoder that does not exist.
    """
    read = find_decoder(card).heatmaps
    if read is None:
        return None
    maps = read(card, outputs)
    if card.joint_order != tuple(range(len(maps))):
        maps = maps[list(card.joint_order)]
    # Cell i of n, whose centre is at i + 0.5, decodes to i / n of the input.
    size_px = np.array([card.preprocess.width_px, card.preprocess.height_px])
    scale = size_px / (maps.shape[2], maps.shape[1])
    shift = apply_affine(to_source, -0.5 * scale)
    return JointHeatmaps(maps, np.hstack([to_source[:, :2] * scale, shift[:, None]]))
