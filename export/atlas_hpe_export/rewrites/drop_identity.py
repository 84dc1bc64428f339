"""Identity nodes, and Dropout in a network that does not train, are their input.

The exporter writes an Identity where two weights are equal (all batch norms of a fresh network);
each would be a copy on the board. One that makes a graph output stays: outputs have own names.
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, _builder: GraphBuilder) -> Outcome:
    is_mask_used = any(value.uses() or value.is_graph_output() for value in node.outputs[1:])
    if node.domain or node.op_type not in ("Identity", "Dropout") or is_mask_used:
        return None
    if node.inputs[0] is None or node.outputs[0].is_graph_output():
        return None
    return [node.inputs[0]] * len(node.outputs)


RULE = RewriteRule(
    name="drop_identity",
    reason="an Identity is a copy on the board; the exporter writes one per pair of equal weights",
    example="Identity(x) -> x",
    source="networks.md section 1",
    replacement=_replace,
)
