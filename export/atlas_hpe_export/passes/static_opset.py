"""Leave exactly one opset import, that of the default domain.

Algebra: imports {"": v, d: w, ...} -> {"": v} when no node and no function has the domain d; the
nodes, and so the values, stay what they are. With two imports atc stops with E16005
(ascend.md sections 3.6 and 10, row 3).
"""

from __future__ import annotations

from typing import Tuple

import onnx

from atlas_hpe_export.passes.rewrite_pass import RewritePass

__all__ = ["PASS"]

_DEFAULT_DOMAINS = ("", "ai.onnx")


def _apply(model: onnx.ModelProto) -> int:
    if _refusals(model):
        return 0
    count = 0
    versions = [item.version for item in model.opset_import if item.domain in _DEFAULT_DOMAINS]
    for item in list(model.opset_import):
        if item.domain != "" or len(versions) > 1:
            model.opset_import.remove(item)
            count += 1
    if versions and not model.opset_import:
        model.opset_import.append(onnx.helper.make_opsetid("", max(versions)))
    for node in model.graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""
            count += 1
    return count


def _refusals(model: onnx.ModelProto) -> Tuple[str, ...]:
    reasons = [
        f"node '{node.name or node.output[0]}' needs {node.domain}::{node.op_type}"
        for node in model.graph.node
        if node.domain not in _DEFAULT_DOMAINS
    ]
    reasons += [f"the model defines a function '{item.name}'" for item in model.functions]
    versions = {item.version for item in model.opset_import if item.domain in _DEFAULT_DOMAINS}
    if len(versions) != 1:
        reasons.append(f"the default domain is imported {len(versions)} times")
    return tuple(reasons)


def _violations(model: onnx.ModelProto) -> Tuple[str, ...]:
    found = [item.domain for item in model.opset_import]
    if found != [""]:
        return (f"the model imports the opset domains {found}",)
    return _refusals(model)


PASS = RewritePass(
    name="static_opset",
    reason="the board's compiler takes one opset import and stops with E16005 at a second",
    precondition="all nodes are of the default domain",
    postcondition="the default domain is the only import",
    apply=_apply,
    refusals=_refusals,
    violations=_violations,
)
