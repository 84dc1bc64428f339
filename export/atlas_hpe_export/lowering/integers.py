"""Integers where the older operator takes floats only: comparisons and Where."""

from __future__ import annotations

from typing import List, Sequence

import onnx_ir as ir
from onnx_ir import DataType

from atlas_hpe_export.graph import GraphBuilder

__all__ = ["cast_to", "in_wide_integers", "pick"]

#: Small integers have few kernels, so they are compared as 32 or 64 bits, which hold them all.
_WIDER = {
    DataType.INT8: DataType.INT32,
    DataType.INT16: DataType.INT32,
    DataType.UINT8: DataType.INT32,
    DataType.UINT16: DataType.INT32,
    DataType.UINT32: DataType.INT64,
}


def cast_to(builder: GraphBuilder, value: ir.Value, dtype: DataType) -> ir.Value:
    """The value with another element type; the value itself where it has that already."""
    if value.dtype == dtype:
        return value
    return builder.op("Cast", value, attributes={"to": int(dtype)})


def in_wide_integers(builder: GraphBuilder, values: Sequence[ir.Value]) -> List[ir.Value]:
    """Small integers cast to ones of 32 or 64 bits; everything else as it is."""
    return [
        value
        if value.dtype is None
        else cast_to(builder, value, _WIDER.get(value.dtype, value.dtype))
        for value in values
    ]


def pick(builder: GraphBuilder, comparison: str, first: ir.Value, second: ir.Value) -> ir.Value:
    """The first where the comparison of the two is true, else the second."""
    return builder.op("Where", builder.op(comparison, first, second), first, second)
