"""GatherND with constant indices: the places they name, with Slice or Gather (``element_places``).

One Gather of whole rows along an axis is a contiguous read, GatherND is one read per tuple.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of, shape_of
from atlas_hpe_export.rewrites.element_places import MAX_PLACES, places_of_tuples, read_places
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "GatherND" or node.domain or attribute_of(node, "batch_dims", 0):
        return None
    data, indices, shape = node.inputs[0], constant_of(node.inputs[1]), shape_of(node.inputs[0])
    if data is None or indices is None or not indices.size or not shape:
        return None  # the board has a kernel for it
    wanted = (*indices.shape[:-1], *shape[indices.shape[-1] :])
    if max(np.prod(shape), np.prod(wanted)) > MAX_PLACES:
        return None
    return [read_places(builder, data, places_of_tuples(shape, indices), wanted)]


RULE = RewriteRule(
    name="gather_nd",
    reason="it takes int64 indices; a Slice or a Gather of whole rows does the same",
    example="GatherND with constant indices -> Slice, Gather",
    source="ascend.md section 3.7 (GatherND, Gather) and section 10, row 11",
    replacement=_replace,
)
