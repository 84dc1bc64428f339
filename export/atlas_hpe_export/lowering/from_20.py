"""Opset 20 to 19: Gelu, grids, and booleans in ReduceMax and ReduceMin."""

from __future__ import annotations

from onnx_ir import DataType

from atlas_hpe_export.lowering.expansions.affine_grid import expand_affine_grid
from atlas_hpe_export.lowering.expansions.gelu import expand_gelu
from atlas_hpe_export.lowering.expansions.grid_sample import rename_grid_sample_modes
from atlas_hpe_export.lowering.reasons import SIGNAL, TEXT
from atlas_hpe_export.lowering.restate import in_type
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

STEP = OpsetStep(
    version=20,
    adapters={
        "AffineGrid": expand_affine_grid,
        "Gelu": expand_gelu,
        "GridSample": rename_grid_sample_modes,
        "IsInf": in_type({DataType.FLOAT16: DataType.FLOAT}),
        "ReduceMax": in_type({DataType.BOOL: DataType.INT32}),
        "ReduceMin": in_type({DataType.BOOL: DataType.INT32}),
    },
    widened=frozenset(["ConstantOfShape", "IsNaN"]),
    refused={
        "DFT": SIGNAL,
        "ImageDecoder": "pictures are decoded before the network runs",
        "RegexFullMatch": TEXT,
        "StringConcat": TEXT,
        "StringSplit": TEXT,
    },
)
