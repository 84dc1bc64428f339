"""Gelu (opset 20) in plain operators.

    erf form:   y = x * (1 + erf(x / sqrt(2))) * 0.5
    tanh form:  y = x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) * 0.5

The erf form is written Div, Erf, Add, Mul, Mul, as PyTorch's own exporter does below opset 20: the
board has no plugin for Gelu but fuses that form back into its kernel (ascend.md section 3.7).
"""

from __future__ import annotations

import math

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_TYPE

__all__ = ["expand_gelu"]

_CUBE_SHARE = 0.044715  # of the tanh form, ONNX operator Gelu


def expand_gelu(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Gelu-20 -> Erf or Tanh form."""
    x = node.inputs[0]
    if x is None or x.dtype is None:
        return UNKNOWN_TYPE
    if attribute_of(node, "approximate", "none") == "tanh":
        bent = _tanh_part(x, builder)
    else:
        bent = builder.op("Erf", builder.op("Div", x, builder.like(x, math.sqrt(2))))
    gate = builder.op("Add", bent, builder.like(x, 1))
    return [builder.op("Mul", builder.op("Mul", x, gate), builder.like(x, 0.5))]


def _tanh_part(x: ir.Value, builder: GraphBuilder) -> ir.Value:
    # x + a x^3 = x (1 + a x^2): the square leaves the range of fp16 later than the cube does.
    square = builder.op("Mul", x, x)
    share = builder.op("Mul", square, builder.like(x, _CUBE_SHARE))
    inner = builder.op("Mul", x, builder.op("Add", share, builder.like(x, 1)))
    return builder.op("Tanh", builder.op("Mul", inner, builder.like(x, math.sqrt(2 / math.pi))))
