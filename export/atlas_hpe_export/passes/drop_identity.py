"""Remove Identity nodes.

Algebra: y = Identity(x) and z = f(y) -> z = f(x). The exporter writes them where two weights are
equal (all batch norms of a fresh network); each would be a copy on the board.
"""

from __future__ import annotations

from typing import Dict, Tuple

import onnx

from atlas_hpe_export.passes.rewrite_pass import RewritePass

__all__ = ["PASS"]


def _apply(model: onnx.ModelProto) -> int:
    graph = model.graph
    outputs = {info.name for info in graph.output}
    sources: Dict[str, str] = {}
    for node in list(graph.node):
        for index, name in enumerate(node.input):
            node.input[index] = sources.get(name, name)
        if node.op_type == "Identity" and node.output[0] not in outputs:
            sources[node.output[0]] = node.input[0]
            graph.node.remove(node)
    return len(sources)


def _refusals(model: onnx.ModelProto) -> Tuple[str, ...]:
    if any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute):
        return ("a body of If or Loop may name the same tensors",)
    return ()


def _apply_when_flat(model: onnx.ModelProto) -> int:
    return 0 if _refusals(model) else _apply(model)


def _violations(model: onnx.ModelProto) -> Tuple[str, ...]:
    outputs = {info.name for info in model.graph.output}
    return tuple(
        f"Identity '{node.name or node.output[0]}' is left"
        for node in model.graph.node
        if node.op_type == "Identity" and node.output[0] not in outputs
    )


PASS = RewritePass(
    name="drop_identity",
    reason="an Identity is a copy on the board; the exporter writes one per pair of equal weights",
    precondition="the graph has no If or Loop",
    postcondition="no Identity is left but one that makes a graph output",
    apply=_apply_when_flat,
    refusals=_refusals,
    violations=_violations,
    required=False,
)
