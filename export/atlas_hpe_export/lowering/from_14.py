"""Opset 14 to 13: arithmetic on small integers, BatchNormalization, Reshape, HardSwish, Trilu."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir import DataType

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    shape_of,
)
from atlas_hpe_export.lowering.expansions.activations import expand_hard_swish
from atlas_hpe_export.lowering.expansions.trilu import expand_trilu
from atlas_hpe_export.lowering.integers import cast_to, in_wide_integers, pick
from atlas_hpe_export.lowering.restate import in_type, keep_if_old, restate
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

# The lower bits of a sum, a difference or a product do not depend on the bits above, and Cast keeps
# the lower bits, so overflow is the same.
_ON_INT32 = in_type(
    {
        DataType.INT8: DataType.INT32,
        DataType.INT16: DataType.INT32,
        DataType.UINT8: DataType.INT32,
        DataType.UINT16: DataType.INT32,
    }
)


def _infer_only(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if attribute_of(node, "training_mode", 0):
        return Refusal("it is in training mode, call eval() on the network before the export")
    return keep_if_old(node, builder)


def _relu(node: ir.Node, builder: GraphBuilder) -> Outcome:
    data = node.inputs[0]
    if data is None or data.dtype is None or data.dtype.is_floating_point():
        return keep_if_old(node, builder)
    (wide,) = in_wide_integers(builder, [data])
    larger = pick(builder, "Greater", wide, builder.like(wide, 0))
    return [cast_to(builder, larger, data.dtype)]


def _reshape(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """With ``allowzero`` a zero is a size of zero; without, it is the size of the input there."""
    if not attribute_of(node, "allowzero", 0):
        return keep_if_old(node, builder)
    target = constant_of(node.inputs[1])
    sizes = shape_of(node.outputs[0]) if target is None else tuple(target)
    if sizes is None:
        return Refusal("with allowzero its shape has to be known")
    if 0 in sizes:
        return Refusal("it makes a tensor without elements")
    return restate(node, builder, node.inputs, without=["allowzero"])


STEP = OpsetStep(
    version=14,
    adapters={
        "Add": _ON_INT32,
        "BatchNormalization": _infer_only,
        "CumSum": in_type({DataType.FLOAT16: DataType.FLOAT}),
        "Div": _ON_INT32,
        "HardSwish": expand_hard_swish,
        "Mul": _ON_INT32,
        "Relu": _relu,
        "Reshape": _reshape,
        "Sub": _ON_INT32,
        "Trilu": expand_trilu,
    },
    widened=frozenset(["GRU", "Identity", "LSTM", "RNN"]),
)
