"""Softmax and LogSoftmax over several axes at once.

Below opset 13, axis = a means all axes from a on together (ONNX, operator Softmax, opset 11). The
board takes a as that axis alone. On a tensor in which those axes are one, both are the same:

    y = Reshape(Softmax(Reshape(x, (d_0, ..., d_a-1, d_a * ... * d_last)), axis = a), shape of x)
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not _is_softmax(node):
        return None
    x, shape = node.inputs[0], shape_of(node.inputs[0])
    if x is None or shape is None:
        return Refusal("the shape of its input is not known")
    if not _remains(node):
        return None
    axis = attribute_of(node, "axis", 1) % len(shape)
    joined = reshape(builder, x, *shape[:axis], int(np.prod(shape[axis:])))
    return [reshape(builder, builder.op(node.op_type, joined, attributes={"axis": axis}), *shape)]


def _is_softmax(node: ir.Node) -> bool:
    return node.op_type in ("Softmax", "LogSoftmax") and not node.domain


def _remains(node: ir.Node) -> Optional[str]:
    shape = shape_of(node.inputs[0]) if _is_softmax(node) else None
    if not shape:
        return None
    axis = attribute_of(node, "axis", 1) % len(shape)
    if int(np.prod(shape[axis + 1 :])) == 1:
        return None
    return f"it takes axis {axis} and all after it together, the board that axis alone"


RULE = RewriteRule(
    name="softmax_last_axis",
    reason="below opset 13 a softmax takes its axis and all after it together, the board that axis "
    "alone",
    example="Softmax axis 1 of (N, C, H, W) -> Reshape to (N, C H W), Softmax, Reshape",
    source="ascend.md section 3.7 (Softmax)",
    replacement=_replace,
    remains=_remains,
)
