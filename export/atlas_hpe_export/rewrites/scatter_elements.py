"""ScatterElements with constant indices, which only the AI CPU has.

The places are written as in ``scatter_nd``: by Slice and Concat where they are a product of a list
per axis, else by one Gather from the tensor and its updates side by side. ``torch.export`` makes
these nodes from ``K[:, 0, 0] = fx``.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    shape_of,
)
from atlas_hpe_export.rewrites.element_places import MAX_PLACES, places_along, write_places
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type not in ("Scatter", "ScatterElements") or node.domain:
        return None
    data, updates, shape = node.inputs[0], node.inputs[2], shape_of(node.inputs[0])
    indices = constant_of(node.inputs[1])
    if data is None or updates is None or not shape or np.prod(shape) > MAX_PLACES:
        return Refusal("the shape of its input is not known, or it is too large to look through")
    if indices is None:
        return Refusal("its indices depend on the data")
    if not indices.size:
        return [data]
    places = places_along(shape, indices, attribute_of(node, "axis", 0))
    return [write_places(builder, data, places, updates)]


RULE = RewriteRule(
    name="scatter_elements",
    reason="it runs on the AI CPU, which is slow and can fail with 507018",
    example="ScatterElements with constant indices -> Slice, Concat",
    source="ascend.md section 3.7 (ScatterElements)",
    replacement=_replace,
)
