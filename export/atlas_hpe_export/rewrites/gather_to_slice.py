"""Gather with constant, evenly spaced indices.

    Gather(x, i)             Squeeze(Slice(x, i, i + 1))       for a single number i
    Gather(x, [a, a+s, ...]) Slice(x, a, ..., step s)

Attention splits query, key and value this way; msit has the same as gather_to_split.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of, shape_of
from atlas_hpe_export.rewrites.along_axis import select_along
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "Gather" or node.domain or constant_of(node.inputs[0]) is not None:
        return None
    data, indices, shape = node.inputs[0], constant_of(node.inputs[1]), shape_of(node.inputs[0])
    if data is None or indices is None or not indices.size or indices.ndim > 1 or not shape:
        return None
    axis = attribute_of(node, "axis", 0) % len(shape)
    wanted = np.where(indices < 0, indices + shape[axis], indices).ravel()
    steps = np.unique(np.diff(wanted))
    if len(steps) > 1 or (len(steps) == 1 and steps[0] <= 0):
        return None
    found = select_along(builder, data, axis, wanted.tolist())
    if indices.ndim == 0:
        found = builder.op("Squeeze", found, attributes={"axes": [axis]})
    return None if found is data and node.outputs[0].is_graph_output() else [found]


RULE = RewriteRule(
    name="gather_to_slice",
    reason="a Slice needs no indices; a Gather with int64 indices may move to the AI CPU",
    example="Gather of one index -> Slice, Squeeze",
    source="ascend.md section 10, row 11 and the rules of msit (gather_to_split)",
    replacement=_replace,
)
