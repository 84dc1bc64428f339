"""Operators that only move values and that the TorchScript exporter lacks."""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.frontends.gaps.fill import fixed_shape, tensor_inputs
from atlas_hpe_export.graph import GraphBuilder, attribute_of

__all__ = ["fill_channel_shuffle", "fill_matrix_transpose"]


def fill_channel_shuffle(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``channel_shuffle``: channel ``a * C/g + b`` goes to ``b * g + a`` (N, C, ...)."""
    value = tensor_inputs(node, 1)[0]
    batch, channels, *rest = fixed_shape(value)
    groups = attribute_of(node, "groups", 1)
    split = builder.op("Reshape", value, builder.ints(batch, groups, channels // groups, *rest))
    order = [0, 2, 1, *range(3, 3 + len(rest))]
    swapped = builder.op("Transpose", split, attributes={"perm": order})
    return builder.op("Reshape", swapped, builder.ints(batch, channels, *rest))


def fill_matrix_transpose(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``Tensor.mT``: the last two axes change places."""
    value = tensor_inputs(node, 1)[0]
    order = list(range(len(fixed_shape(value))))
    order[-2:] = reversed(order[-2:])
    return builder.op("Transpose", value, attributes={"perm": order})
