"""Casts that another cast undoes.

    Cast(Cast(x: A -> B) -> C) = Cast(x -> C)   where B holds every value of A exactly

and a cast to the type that a value has already is dropped. The rules that make arithmetic narrower
put casts around every node; in a chain of such nodes they meet here and vanish.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, dtype_of
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

#: Not exact, although NumPy calls it safe: float64 holds whole numbers up to 2^53.
_INEXACT = (("int64", "float64"), ("uint64", "float64"))


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not _is_cast(node):
        return None
    x, wanted = node.inputs[0], dtype_of(node.outputs[0])
    inner = x.producer() if x is not None else None
    if inner is not None and _is_cast(inner) and _is_exact(inner):
        x = inner.inputs[0]
    elif wanted is None or dtype_of(x) != wanted:
        return None
    if x is None or wanted is None:
        return None
    if dtype_of(x) != wanted:
        return [builder.op("Cast", x, attributes={"to": node.attributes["to"]})]
    return None if node.outputs[0].is_graph_output() and x is node.inputs[0] else [x]


def _is_cast(node: ir.Node) -> bool:
    return node.op_type == "Cast" and not node.domain


def _is_exact(node: ir.Node) -> bool:
    """Whether a cast keeps every value."""
    before, after = dtype_of(node.inputs[0]), dtype_of(node.outputs[0])
    if before is None or after is None or (before.name, after.name) in _INEXACT:
        return False
    return bool(np.can_cast(before, after, "safe"))


RULE = RewriteRule(
    name="cast_chains",
    reason="casts to and from int64 and float64 run on the AI CPU",
    example="Cast to int64, Cast to float32 -> Cast to float32",
    source="ascend.md section 3.7 (Cast) and the rules of msit (merge_casts)",
    replacement=_replace,
)
