"""Opset 17 to 16: LayerNormalization."""

from __future__ import annotations

from atlas_hpe_export.lowering.expansions.layer_normalization import expand_layer_normalization
from atlas_hpe_export.lowering.reasons import SIGNAL
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

STEP = OpsetStep(
    version=17,
    adapters={
        "LayerNormalization": expand_layer_normalization,
    },
    refused={
        "BlackmanWindow": SIGNAL,
        "DFT": SIGNAL,
        "HammingWindow": SIGNAL,
        "HannWindow": SIGNAL,
        "MelWeightMatrix": SIGNAL,
        "STFT": SIGNAL,
        "SequenceMap": "sequences have no form on the board",
    },
)
