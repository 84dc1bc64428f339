"""ScatterND with constant indices, which is what ``y[:, a:b] = v`` becomes.

    y = Concat(x[:, :a], v, x[:, b:])

and the same axis by axis where several are cut; places that are no product of a list per axis are
taken from Concat(x, v) with one Gather (``element_places``). ``torch.export`` writes on a
transposed tensor and turns it back. Here the write comes before the turn, so that two turns cancel:

    ScatterND(Transpose(x, p), I, v) = Transpose(write(x, I', Transpose(v, p^-1)), p)
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape
from atlas_hpe_export.rewrites.element_places import (
    MAX_PLACES,
    as_product,
    places_of_tuples,
    write_box,
    write_places,
)
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "ScatterND" or node.domain:
        return None
    data, updates = node.inputs[0], node.inputs[2]
    indices, shape = constant_of(node.inputs[1]), shape_of(data)
    if data is None or updates is None or indices is None or not indices.size or not shape:
        return None  # the board has a kernel for it
    if np.prod(shape) > MAX_PLACES:
        return None
    places = places_of_tuples(shape, indices)
    turned = _write_before_turn(builder, data, places, updates)
    return [write_places(builder, data, places, updates) if turned is None else turned]


def _write_before_turn(
    builder: GraphBuilder, data: ir.Value, places: np.ndarray, updates: ir.Value
) -> Optional[ir.Value]:
    node, lists = data.producer(), as_product(places.ravel(), shape_of(data) or ())
    if node is None or node.op_type != "Transpose" or node.domain or lists is None:
        return None
    before, perm = node.inputs[0], attribute_of(node, "perm", [0])
    if before is None or shape_of(before) is None or len(perm) != len(lists):
        return None
    back = np.argsort(perm).tolist()
    box = reshape(builder, updates, *[len(wanted) for wanted in lists])
    box = builder.op("Transpose", box, attributes={"perm": back})
    written = write_box(builder, before, [lists[axis] for axis in back], box)
    return builder.op("Transpose", written, attributes={"perm": perm})


RULE = RewriteRule(
    name="scatter_nd",
    reason="writing into a slice becomes two scatter steps on the board, with int64 indices",
    example="y[:, :8] += x -> Concat(Slice(y) + x, Slice(y))",
    source="ascend.md section 3.7 (ScatterND); networks.md section 1 (in-place slice add)",
    replacement=_replace,
)
