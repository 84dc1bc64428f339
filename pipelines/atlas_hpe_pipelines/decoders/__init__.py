"""Network outputs to joints, one file per kind; NumPy only.

To add a decoder: write ``decoders/<kind>.py`` with a function that keeps ``Decoder`` and add its
line to ``DECODERS``.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CardError
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe_pipelines.decoders.coordinates import decode_coordinates
from atlas_hpe_pipelines.decoders.decoded import DecodedHand, Decoder
from atlas_hpe_pipelines.decoders.heatmap_2d import decode_heatmap_2d

__all__ = ["DECODERS", "DecodedHand", "Decoder", "decode_hand", "decode_joints"]

#: ``DecodeSpec.kind`` -> decoder.
DECODERS: Dict[str, Decoder] = {
    "heatmap-2d": decode_heatmap_2d,
    "coordinates": decode_coordinates,
}


def decode_hand(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Optional[DecodedHand]:
    """Decode the graph's outputs at batch 1 as the card says.

    Raises:
        CardError: The card names a decoder or an output that does not exist.
    """
    decoder = DECODERS.get(card.decode.kind)
    if decoder is None:
        raise CardError(
            f"there is no decoder '{card.decode.kind}'",
            where=f"{card.name}, card.decode.kind",
            fix="this release has: " + ", ".join(DECODERS),
        )
    missing = [name for name in card.decode.outputs.values() if name not in outputs]
    if missing:
        raise CardError(
            f"the graph has no output '{missing[0]}'",
            where=f"{card.name}, card.decode.outputs",
            why="it has: " + ", ".join(outputs),
            fix="export the model again",
        )
    return decoder(card, outputs)


def decode_joints(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The joints alone, (21, 2) in input pixels; all NaN when there is no hand."""
    hand = decode_hand(card, outputs)
    return np.full((NUM_JOINTS, 2), np.nan) if hand is None else hand.joints
