"""A Slice of what a Concat just put together is one of its parts.

    Slice(Concat(a, b, c), from the start of b to its end) = b

An in-place ``y[:, :8] += x`` writes the slice, reads it, and writes it again; without this the
second write would be a copy of the whole map.
"""

from __future__ import annotations

from typing import Optional, Tuple

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of, shape_of
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, _builder: GraphBuilder) -> Outcome:
    joined = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if node.op_type != "Slice" or node.domain or joined is None or joined.domain:
        return None
    given = [constant_of(value) for value in node.inputs[1:5]]
    shape = shape_of(node.inputs[0])
    if joined.op_type != "Concat" or shape is None or len(given) < 3:
        return None
    if any(item is None or item.size != 1 for item in given) or node.outputs[0].is_graph_output():
        return None
    start, end, axis, *step = (int(item.ravel()[0]) for item in given if item is not None)
    axis %= len(shape)
    if axis != attribute_of(joined, "axis", 0) % len(shape) or step not in ([], [1]):
        return None
    part = _find_part(joined, axis, slice(start, end).indices(shape[axis])[:2])
    return None if part is None else [part]


def _find_part(joined: ir.Node, axis: int, wanted: Tuple[int, ...]) -> Optional[ir.Value]:
    start = 0
    for part in joined.inputs:
        shape = shape_of(part)
        if part is None or shape is None:
            return None
        if (start, start + shape[axis]) == wanted:
            return part
        start += shape[axis]
    return None


RULE = RewriteRule(
    name="slice_of_concat",
    reason="reading back a part that was just joined copies the map once more",
    example="Slice(Concat(a, b)) -> b",
    source="ascend.md section 10, row 11 (chains of Slice) and the rules of msit",
    replacement=_replace,
)
