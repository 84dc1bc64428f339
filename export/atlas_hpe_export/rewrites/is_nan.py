"""Tests for numbers that are not finite, by comparison.

    IsNaN(x) = Not(Equal(x, x)),   IsInf(x) = Equal(Abs(x), infinity)

since NaN is equal to nothing (IEEE 754). Attention with a mask is exported with an IsNaN after its
softmax, for rows in which everything is masked.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.domain or node.op_type not in ("IsNaN", "IsInf"):
        return None
    x = node.inputs[0]
    if x is None or x.dtype is None:
        return Refusal("the element type of its input is not known")
    if node.op_type == "IsNaN":
        return [builder.op("Not", builder.op("Equal", x, x))]
    wanted = [attribute_of(node, name, 1) for name in ("detect_negative", "detect_positive")]
    if not any(wanted):
        return Refusal("it detects nothing")
    if all(wanted):
        return [builder.op("Equal", builder.op("Abs", x), builder.like(x, np.inf))]
    return [builder.op("Equal", x, builder.like(x, np.inf if wanted[1] else -np.inf))]


RULE = RewriteRule(
    name="is_nan",
    reason="neither the AI Core nor the AI CPU lists a kernel for IsNaN and IsInf",
    example="IsNaN(x) -> Not(Equal(x, x))",
    source="ascend310_onnx_ops.json (IsNaN, IsInf) and ascend.md section 10, row 4",
    replacement=_replace,
)
