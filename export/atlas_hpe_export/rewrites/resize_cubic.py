"""Cubic Resize as products with constant matrices, Y = R_1 X R_2^T (``resize_weights``).

Exact for static sizes. The matrices are small beside the maps: two of 64 x 128 for a map that grows
from 64 x 64 to 128 x 128.
"""

from __future__ import annotations

from typing import Optional

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome
from atlas_hpe_export.rewrites.resize_half_pixel import mix_axes
from atlas_hpe_export.rewrites.resize_weights import is_understood, says
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not is_understood(node) or says(node)[0] != "cubic":
        return None
    return mix_axes(node, builder)


def _remains(node: ir.Node) -> Optional[str]:
    is_cubic = node.op_type == "Resize" and not node.domain and says(node)[0] == "cubic"
    return "the board's compiler takes nearest and linear only" if is_cubic else None


RULE = RewriteRule(
    name="resize_cubic",
    reason="the board's compiler refuses cubic interpolation",
    example="Resize cubic -> two MatMul with constant weights",
    source="ascend.md section 3.7 (Resize: 'Unsupported interpolation mode')",
    replacement=_replace,
    remains=_remains,
    tolerance="rewrite-algebra",
)
