"""LayerNormalization (opset 17) in plain operators.

Over the axes from ``axis`` to the last:

    mean = ReduceMean(x),  d = x - mean,  s = Sqrt(ReduceMean(d^2) + epsilon)
    y = d / s * scale + bias,  second output: mean,  third output: 1 / s

Written ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Mul, Add, as PyTorch's own exporter does
below opset 17: the board has no plugin for the operator but fuses that form back into its kernel
(ascend.md section 3.7).
"""

from __future__ import annotations

from typing import Dict, List

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of
from atlas_hpe_export.graph.builder import Attribute
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_SHAPE, UNKNOWN_TYPE
from atlas_hpe_export.lowering.expansions.stash import cast_back, cast_to_stash

__all__ = ["expand_layer_normalization"]


def expand_layer_normalization(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """LayerNormalization-17, with or without bias, with one to three outputs."""
    x, scale = node.inputs[0], node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if x is None or x.shape is None:
        return UNKNOWN_SHAPE
    if x.dtype is None:
        return UNKNOWN_TYPE
    axis, rank = attribute_of(node, "axis", -1), len(x.shape)
    axes = list(range(axis % rank, rank))
    over_axes: Dict[str, Attribute] = {"axes": axes, "keepdims": 1}

    stashed = cast_to_stash(node, x, builder)
    mean = builder.op("ReduceMean", stashed, attributes=over_axes)
    off_mean = builder.op("Sub", stashed, mean)
    square = builder.op("Pow", off_mean, builder.like(stashed, 2))
    variance = builder.op("ReduceMean", square, attributes=over_axes)
    epsilon = builder.like(stashed, attribute_of(node, "epsilon", 1e-5))
    deviation = builder.op("Sqrt", builder.op("Add", variance, epsilon))
    normal = cast_back(builder.op("Div", off_mean, deviation), x, builder)

    y = builder.op("Mul", normal, scale)
    outputs: List[ir.Value] = [y if bias is None else builder.op("Add", y, bias), mean]
    if len(node.outputs) > 2:
        outputs.append(builder.op("Reciprocal", deviation))
    return outputs[: len(node.outputs)]
