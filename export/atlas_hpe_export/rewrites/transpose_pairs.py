"""Two transposes in a row are one, or none.

With r[i] = p[q[i]]: Transpose(Transpose(x, p), q) = Transpose(x, r), or x when r changes nothing.
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    first = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if not _is_transpose(node) or first is None or not _is_transpose(first):
        return None
    x, inner, outer = first.inputs[0], first.attributes["perm"], node.attributes["perm"]
    if x is None:
        return None
    perm = [inner.as_ints()[axis] for axis in outer.as_ints()]
    if perm == list(range(len(perm))):
        return [x]
    return [builder.op("Transpose", x, attributes={"perm": perm})]


def _is_transpose(node: ir.Node) -> bool:
    return node.op_type == "Transpose" and not node.domain and "perm" in node.attributes


RULE = RewriteRule(
    name="transpose_pairs",
    reason="every transpose is a pass over memory; writes into slices come with two that cancel",
    example="Transpose, Transpose -> one or none",
    source="ascend.md section 9.3 (transposes count) and section 10, row 27",
    replacement=_replace,
)
