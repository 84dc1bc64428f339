"""The element type in which a normalisation computes, attribute ``stash_type``."""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, attribute_of

__all__ = ["cast_back", "cast_to_stash"]

_HALF_TYPES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def cast_to_stash(node: ir.Node, x: ir.Value, builder: GraphBuilder) -> ir.Value:
    """The input in the type of ``stash_type``, when that is wider than its own."""
    stash = ir.DataType(attribute_of(node, "stash_type", ir.DataType.FLOAT.value))
    if x.dtype in _HALF_TYPES and stash == ir.DataType.FLOAT:
        return builder.op("Cast", x, attributes={"to": stash.value})
    return x


def cast_back(value: ir.Value, x: ir.Value, builder: GraphBuilder) -> ir.Value:
    """A value computed in the type of ``stash_type``, in the type of the input."""
    if x.dtype is None or value.dtype == x.dtype:
        return value
    return builder.op("Cast", value, attributes={"to": x.dtype.value})
