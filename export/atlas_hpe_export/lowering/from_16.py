"""Opset 16 to 15: GridSample, and scattering that adds."""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of
from atlas_hpe_export.lowering.expansions.grid_sample import expand_grid_sample
from atlas_hpe_export.lowering.restate import restate
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

_WIDENED = (
    "GreaterOrEqual Identity If LeakyRelu LessOrEqual Loop PRelu Scan ScatterElements "
    "ScatterND Where"
)

_MODE = "coordinate_transformation_mode"


def _align_at_output(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """RoiAlign-10 is what ``output_half_pixel`` became; it widens regions to at least a pixel."""
    mode = attribute_of(node, _MODE, "half_pixel")
    if mode != "output_half_pixel":
        return Refusal(f"it aligns with '{mode}', below there is only 'output_half_pixel'")
    return restate(node, builder, node.inputs, without=[_MODE])


STEP = OpsetStep(
    version=16,
    adapters={
        "GridSample": expand_grid_sample,
        "RoiAlign": _align_at_output,
    },
    widened=frozenset(_WIDENED.split()),
)
