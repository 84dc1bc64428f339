"""GatherND with batch axes (opset 12) without them.

With b batch axes, an index tuple at place (i1 .. ib, ...) means data[i1, .., ib, *tuple]. So the
places themselves, constant for static shapes, go in front of each tuple:

    GatherND(data, indices, batch_dims=b) = GatherND(data, Concat([places, indices], axis=-1))

The board's plugin ignores batch_dims with no more than a warning (ascend.md section 3.7).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, shape_of
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_SHAPE

__all__ = ["expand_gather_nd"]


def expand_gather_nd(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """GatherND-12 -> GatherND-11, with the batch places among the indices."""
    if "batch_dims" not in node.attributes:
        return None
    data, indices = node.inputs
    batch_axes = attribute_of(node, "batch_dims", 0)
    if not batch_axes:
        return [builder.op("GatherND", data, indices)]
    shape = shape_of(indices)
    if shape is None:
        return UNKNOWN_SHAPE
    places = np.indices(shape[:-1], dtype=np.int64)[:batch_axes]
    columns = builder.constant(np.moveaxis(places, 0, -1))
    full = builder.op("Concat", columns, indices, attributes={"axis": -1})
    return [builder.op("GatherND", data, full)]
