"""Mish (opset 18) and HardSwish (opset 14) in plain operators.

    Mish:       y = x * tanh(softplus(x)),          softplus(x) = ln(1 + e^x)
    HardSwish:  y = x * max(0, min(1, x / 6 + 1 / 2))

Softplus, Tanh and HardSigmoid have AI Core kernels on the 310; neither of the two has a plugin at
opset 11 (ascend.md section 3.7).
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome

__all__ = ["expand_hard_swish", "expand_mish"]


def expand_mish(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Mish-18 -> Softplus, Tanh, Mul."""
    x = node.inputs[0]
    return [builder.op("Mul", x, builder.op("Tanh", builder.op("Softplus", x)))]


def expand_hard_swish(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """HardSwish-14 -> HardSigmoid, Mul."""
    x = node.inputs[0]
    gate = builder.op("HardSigmoid", x, attributes={"alpha": 1 / 6, "beta": 0.5})
    return [builder.op("Mul", x, gate)]
