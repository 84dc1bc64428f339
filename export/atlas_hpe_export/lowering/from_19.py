"""Opset 19 to 18: padding that wraps around, and dilations in AveragePool."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    shape_of,
)
from atlas_hpe_export.lowering.expansions.pooling import expand_average_pool
from atlas_hpe_export.lowering.expansions.resize import lower_resize_19
from atlas_hpe_export.lowering.restate import keep_if_old
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

_WIDENED = (
    "Cast CastLike Constant DequantizeLinear Equal Identity If Loop "
    "QuantizeLinear Reshape Scan Shape Size"
)


def _gather_wrapped(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Pad with mode wrap: element i of the output is element ``(i - begin) mod size``."""
    if attribute_of(node, "mode", "constant") != "wrap":
        return keep_if_old(node, builder)
    value, pads = node.inputs[0], constant_of(node.inputs[1])
    shape = shape_of(value)
    given = node.inputs[3] if len(node.inputs) > 3 else None
    axes = constant_of(given)
    if value is None or shape is None or pads is None or (given is not None and axes is None):
        return Refusal("it wraps around by a number of elements that is not constant")
    if (pads < 0).any():
        return Refusal("it wraps around by a negative number of elements")
    listed = range(len(shape)) if axes is None else [int(axis) for axis in axes]
    for axis, begin, end in zip(listed, pads[: len(listed)], pads[len(listed) :]):
        if begin or end:
            index = np.arange(-begin, shape[axis] + end) % shape[axis]
            taken = builder.constant(index.astype(np.int64))
            value = builder.op("Gather", value, taken, attributes={"axis": axis})
    return [value]


STEP = OpsetStep(
    version=19,
    adapters={
        "AveragePool": expand_average_pool,
        "Pad": _gather_wrapped,
        "Resize": lower_resize_19,
    },
    widened=frozenset(_WIDENED.split()),
    refused={
        "DeformConv": "it samples where the network says while it runs, for which the board has no "
        "kernel",
    },
)
