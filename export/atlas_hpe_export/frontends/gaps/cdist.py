"""``cdist``: distances between all pairs of points, ``D_ij = |x_i - y_j|_p``."""

from __future__ import annotations

import math

import onnx_ir as ir

from atlas_hpe_export.frontends.gaps.fill import GapError, tensor_inputs
from atlas_hpe_export.graph import GraphBuilder, attribute_of

__all__ = ["fill_cdist"]


def fill_cdist(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """Points (..., P, M) and (..., R, M) -> (..., P, R), for p of 1, 2 and infinity.

    Raises:
        GapError: Another p.
    """
    one, other = tensor_inputs(node, 2)
    rows = builder.op("Unsqueeze", one, builder.ints(-2))
    columns = builder.op("Unsqueeze", other, builder.ints(-3))
    difference = builder.op("Sub", rows, columns)
    norm, last = attribute_of(node, "p", 2.0), builder.ints(-1)
    drop = {"keepdims": 0}
    if norm == 2.0:
        return builder.op("ReduceL2", difference, last, attributes=dict(drop))
    if norm == 1.0:
        return builder.op("ReduceL1", difference, last, attributes=dict(drop))
    if math.isinf(norm):
        return builder.op("ReduceMax", builder.op("Abs", difference), last, attributes=dict(drop))
    raise GapError(f"distances with p = {norm:g} are not written, only 1, 2 and infinity")
