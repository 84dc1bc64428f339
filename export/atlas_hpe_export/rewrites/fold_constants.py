"""Nodes whose inputs are all constant are computed here, and so is the shape of a static tensor.

``simplify`` does the same with onnxsim; this finds what that leaves (it stops at a Concat with an
empty part, which PyTorch's TorchScript exporter writes for the pads of every Pad), and needs
nothing but onnx. Plugins read sizes, pads and scales while the file is parsed, so a chain of nodes
that ends in a constant is not enough for them.
"""

from __future__ import annotations

from typing import Optional, Sequence, cast

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from atlas_hpe_export.graph import GraphBuilder, Outcome, constant_of, dtype_of, shape_of
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

_MAX_SIZE = 1 << 20
_NOT_FOLDED = ("Bernoulli", "Constant", "Dropout", "If", "Loop", "Multinomial", "Scan")
_FAILURES = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError)


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.domain or node.op_type in _NOT_FOLDED or node.op_type.startswith("Random"):
        return None
    if any(value.is_graph_output() for value in node.outputs) or not node.inputs:
        return None
    shape = shape_of(node.inputs[0])
    if node.op_type == "Shape" and shape is not None:
        return [builder.constant(np.array(shape, np.int64))]
    if len(node.outputs) != 1 or not all(_is_given(value) for value in node.inputs):
        return None
    found = _compute(node, builder.opset)
    return None if found is None else [builder.constant(found)]


def _is_given(value: Optional[ir.Value]) -> bool:
    """Whether an input is constant, or left out."""
    return value is None or constant_of(value) is not None


def _compute(node: ir.Node, opset: int) -> Optional[np.ndarray]:
    size, dtype = shape_of(node.outputs[0]), dtype_of(node.outputs[0])
    if size is None or dtype is None or np.prod(size) > _MAX_SIZE:
        return None
    feeds = {value.name or "": constant_of(value) for value in node.inputs if value is not None}
    evaluator = ReferenceEvaluator(ir.to_proto(node), opsets={"": opset})
    try:
        found = cast(Sequence[np.ndarray], evaluator.run(None, feeds))[0]
    except _FAILURES:
        return None  # the reference does not know this form: the node stays
    return np.asarray(found, dtype)


RULE = RewriteRule(
    name="fold_constants",
    reason="plugins read sizes and pads while the file is parsed: they want a constant, not nodes "
    "that compute one",
    example="Concat, Reshape, Cast of constants -> one constant",
    source="ascend.md section 3.7 (int64 arithmetic: folded if constant) and section 10, row 34",
    replacement=_replace,
    tolerance="rewrite-algebra",
)
