"""Opset 21 to 20: element types of four bits, and groups normalised by channel."""

from __future__ import annotations

from atlas_hpe_export.lowering.expansions.group_normalization import expand_group_normalization
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

_WIDENED = (
    "Cast CastLike Constant ConstantOfShape DequantizeLinear Flatten Identity If Loop Pad "
    "QLinearMatMul QuantizeLinear Reshape Scan Shape Size Squeeze Transpose Unsqueeze"
)

STEP = OpsetStep(
    version=21,
    adapters={
        "GroupNormalization": expand_group_normalization,
    },
    widened=frozenset(_WIDENED.split()),
)
