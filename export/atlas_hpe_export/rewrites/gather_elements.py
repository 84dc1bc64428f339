"""GatherElements, which only the AI CPU has, with Gather.

    constant indices   the places they name, with Slice or Gather (``element_places``)
    others             Gather(Flatten(x), base + i * stride),  base = place of each output with
                       index 0 along the axis, constant; negative i counts from the end

The arithmetic is int32, which the AI Core has; int64 and floats it would not keep exact.
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
from atlas_hpe_export.rewrites.along_axis import reshape
from atlas_hpe_export.rewrites.element_places import MAX_PLACES, places_along, read_places
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "GatherElements" or node.domain:
        return None
    data, indices = node.inputs
    shape, wanted = shape_of(data), shape_of(indices)
    if data is None or indices is None or not shape or not wanted or 0 in wanted:
        return Refusal("the shape of its input is not known")
    if max(np.prod(shape), np.prod(wanted)) > MAX_PLACES:
        return Refusal("its input is too large")
    axis, constant = attribute_of(node, "axis", 0) % len(shape), constant_of(indices)
    if constant is not None:
        return [read_places(builder, data, places_along(shape, constant, axis), wanted)]
    base = places_along(shape, np.zeros(wanted, np.int64), axis)
    size, stride = (np.array(item, np.int32) for item in (shape[axis], np.prod(shape[axis + 1 :])))
    narrow = builder.op("Cast", indices, attributes={"to": ir.DataType.INT32.value})
    is_negative = builder.op("Less", narrow, builder.constant(np.array(0, np.int32)))
    from_end = builder.op("Add", narrow, builder.constant(size))
    counted = builder.op("Where", is_negative, from_end, narrow)
    steps = builder.op("Mul", counted, builder.constant(stride))
    places = builder.op("Add", steps, builder.constant(base.astype(np.int32)))
    flat = reshape(builder, data, int(np.prod(shape)))
    return [builder.op("Gather", flat, places, attributes={"axis": 0})]


RULE = RewriteRule(
    name="gather_elements",
    reason="it runs on the AI CPU, which is slow and can fail with 507018",
    example="GatherElements -> Gather from the flattened tensor",
    source="ascend.md section 3.7 (GatherElements)",
    replacement=_replace,
)
