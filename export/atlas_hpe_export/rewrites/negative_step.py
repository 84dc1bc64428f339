"""Slice with a negative step, which is how ``flip`` arrives, as a constant choice of entries.

Starts and ends beyond the axis are cut off, and negative ones count from its end, as in Python
(ONNX, operator Slice, opset 11).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, constant_of, shape_of
from atlas_hpe_export.rewrites.along_axis import select_along
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "Slice" or node.domain or len(node.inputs) < 5:
        return None
    steps = constant_of(node.inputs[4])
    if steps is None or (steps > 0).all():
        return None
    x, shape = node.inputs[0], shape_of(node.inputs[0])
    starts, ends, axes = (constant_of(value) for value in node.inputs[1:4])
    if x is None or shape is None or starts is None or ends is None:
        return Refusal("its shape, starts or ends are not known")
    if node.inputs[3] is not None and axes is None:
        return Refusal("its axes are computed by the graph")
    axes = np.arange(len(starts)) if axes is None else axes
    for axis, start, end, step in zip(axes % len(shape), starts, ends, steps):
        wanted = range(shape[axis])[int(start) : int(end) : int(step)]
        if not wanted:
            return Refusal("nothing is left of it")
        x = select_along(builder, x, int(axis), wanted)
    return [x]


RULE = RewriteRule(
    name="negative_step",
    reason="the kernel of Slice takes negative steps in some cases only",
    example="flip -> Gather with constant indices",
    source="the notes on Slice in ascend310_onnx_ops.json",
    replacement=_replace,
)
