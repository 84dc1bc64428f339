"""One opset import, that of the default domain.

Imports that no node needs are dropped whenever a graph is tidied, so nothing is to be replaced:
this rule is the proof that nothing is left. With two imports atc stops with E16005, and it has no
parser for other domains.
"""

from __future__ import annotations

from typing import Optional

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(_node: ir.Node, _builder: GraphBuilder) -> Outcome:
    return None


def _remains(node: ir.Node) -> Optional[str]:
    if node.domain in ("", "ai.onnx"):
        return None
    return f"it is of the domain {node.domain}, which the board's compiler does not know"


RULE = RewriteRule(
    name="static_opset",
    reason="the board's compiler takes one opset import and stops with E16005 at a second",
    example="imports of ai.onnx 11 and com.microsoft 1 -> ai.onnx 11",
    source="ascend.md section 3.6 and section 10, row 3",
    replacement=_replace,
    remains=_remains,
)
