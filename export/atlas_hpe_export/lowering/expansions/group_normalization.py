"""GroupNormalization (opsets 18 and 21) by way of InstanceNormalization.

The channels of a group become one channel, (N, C, ...) -> (N, G, C / G * ...), so that "per group"
reads "per channel of an instance":

    z = InstanceNormalization(Reshape(x)),  back to the shape of x

At opset 18 scale and bias have an element per group and go straight into InstanceNormalization; at
opset 21 they have one per channel and follow as ``z * scale + bias``. The board has no plugin for
GroupNormalization; the InstanceNormalization form is what runs there (ascend.md section 3.7).
"""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, shape_of
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_SHAPE, UNKNOWN_TYPE
from atlas_hpe_export.lowering.expansions.stash import cast_back, cast_to_stash

__all__ = ["expand_group_normalization", "expand_group_normalization_per_group"]


def expand_group_normalization(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """GroupNormalization-21: scale and bias have an element per channel."""
    x, scale, bias = node.inputs
    shape = shape_of(x)
    if x is None or shape is None:
        return UNKNOWN_SHAPE
    if x.dtype is None:
        return UNKNOWN_TYPE
    stashed = cast_to_stash(node, x, builder)
    dtype = (stashed.dtype or x.dtype).numpy()
    ones = builder.constant(np.ones(_groups(node), dtype))
    zeros = builder.constant(np.zeros(_groups(node), dtype))
    normal = cast_back(_normalise(node, builder, (stashed, ones, zeros), shape), x, builder)
    per_channel = builder.ints(shape[1], *[1] * (len(shape) - 2))
    scaled = builder.op("Mul", normal, builder.op("Reshape", scale, per_channel))
    return [builder.op("Add", scaled, builder.op("Reshape", bias, per_channel))]


def expand_group_normalization_per_group(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """GroupNormalization-18: scale and bias have an element per group."""
    x, scale, bias = node.inputs
    shape = shape_of(x)
    if shape is None:
        return UNKNOWN_SHAPE
    return [_normalise(node, builder, (x, scale, bias), shape)]


def _groups(node: ir.Node) -> int:
    return attribute_of(node, "num_groups", 1)


def _normalise(
    node: ir.Node,
    builder: GraphBuilder,
    inputs: Tuple[Optional[ir.Value], Optional[ir.Value], Optional[ir.Value]],
    shape: Tuple[int, ...],
) -> ir.Value:
    x, scale, bias = inputs
    grouped = builder.op("Reshape", x, builder.ints(shape[0], _groups(node), -1))
    epsilon = attribute_of(node, "epsilon", 1e-5)
    normal = builder.op(
        "InstanceNormalization", grouped, scale, bias, attributes={"epsilon": epsilon}
    )
    return builder.op("Reshape", normal, builder.ints(*shape))
