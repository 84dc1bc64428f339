"""Row and column of a flat index: division and remainder by a constant, from a table.

    i // c = Gather(q, i),  q[k] = k // c;     i % c = Gather(r, i),  r[k] = k % c,   k = 0..n-1

for indices i from ArgMax, ArgMin or TopK over an axis of n places. On the board Div and Mod have no
int32 kernel on the AI Core, and as float16 numbers they are wrong from 2048 on, in the middle of a
64 x 64 map. A table of n numbers is exact. Indices that may be negative are not looked up.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    dtype_of,
    shape_of,
)
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

_MAX_TABLE = 1 << 20
_MOVES = ("Cast", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type not in ("Div", "Mod") or node.domain:
        return None
    index, divisor, dtype = node.inputs[0], constant_of(node.inputs[1]), dtype_of(node.inputs[0])
    if index is None or dtype is None or dtype.kind != "i" or constant_of(index) is not None:
        return None
    places = _count_places(index)
    if places is None or places > _MAX_TABLE:
        return Refusal("it does not divide an index of ArgMax or TopK over a known axis")
    if divisor is None or divisor.size != 1 or divisor.ravel()[0] <= 0:
        return Refusal("its divisor is not one positive constant")
    if len(divisor.shape) > len(shape_of(index) or ()):
        return Refusal("its divisor adds an axis")
    numbers, by = np.arange(places), int(divisor.ravel()[0])
    table = numbers // by if node.op_type == "Div" else numbers % by
    return [builder.op("Gather", builder.constant(table.astype(dtype)), index)]


def _count_places(value: Optional[ir.Value]) -> Optional[int]:
    """Size of the axis that an index counts along; None when the value is no such index."""
    while value is not None:
        node = value.producer()
        if node is None or node.domain:
            return None
        if node.op_type in ("ArgMax", "ArgMin", "TopK"):
            is_index = node.op_type != "TopK" or value is node.outputs[1]
            shape = shape_of(node.inputs[0])
            default = -1 if node.op_type == "TopK" else 0
            return shape[attribute_of(node, "axis", default)] if is_index and shape else None
        dtype = dtype_of(value)
        if node.op_type not in _MOVES or dtype is None or dtype.name not in ("int32", "int64"):
            return None
        value = node.inputs[0]
    return None


RULE = RewriteRule(
    name="index_division",
    reason="whole numbers are divided on the AI CPU or not at all, and float16 is exact up to "
    "2048 only",
    example="ArgMax over 64 x 64 places, // 64, % 64 -> two tables of 4096 numbers",
    source="ascend310_onnx_ops.json (Div, Mod: element types); networks.md section 1 (Mod, Floor)",
    replacement=_replace,
)
