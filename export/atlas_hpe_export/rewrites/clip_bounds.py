"""Clip in the form that the plugin reads: constant bounds, at least one.

without bounds    x
computed bounds   Min(Max(x, low), high)          (ONNX, operator Clip, opset 11)
"""

from __future__ import annotations

from typing import Optional

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, constant_of
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "Clip" or node.domain or node.attributes:
        return None  # with attributes it is the form below opset 11
    x, low, high = (*node.inputs, None, None)[:3]
    if x is None:
        return None
    bounds = [bound for bound in (low, high) if bound is not None]
    if bounds and all(constant_of(bound) is not None for bound in bounds):
        return None
    if low is not None:
        x = builder.op("Max", x, low)
    return [x if high is None else builder.op("Min", x, high)]


def _remains(node: ir.Node) -> Optional[str]:
    bare = node.op_type == "Clip" and not node.domain and not node.attributes
    given = any(value is not None for value in node.inputs[1:])
    return "it has neither min nor max, and the plugin wants one" if bare and not given else None


RULE = RewriteRule(
    name="clip_bounds",
    reason="the plugin of Clip wants at least one bound, and constants",
    example="Clip(x, low, high) with computed bounds -> Max, Min",
    source="ascend.md section 3.7 (Clip)",
    replacement=_replace,
    remains=_remains,
)
