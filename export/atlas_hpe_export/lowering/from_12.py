"""Opset 12 to 11: Einsum, integers in Clip, Max and Min, Pow of two types, GreaterOrEqual."""

from __future__ import annotations

from functools import reduce
from typing import Optional

import numpy as np
import onnx_ir as ir
from onnx_ir import DataType

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    shape_of,
)
from atlas_hpe_export.lowering.expansions.einsum import expand_einsum
from atlas_hpe_export.lowering.expansions.gather_nd import expand_gather_nd
from atlas_hpe_export.lowering.integers import cast_to, in_wide_integers, pick
from atlas_hpe_export.lowering.reasons import LOSS
from atlas_hpe_export.lowering.restate import in_type, keep_if_old
from atlas_hpe_export.lowering.step import Adapter, OpsetStep

__all__ = ["STEP"]


def _integer_type(value: Optional[ir.Value]) -> Optional[DataType]:
    """The element type if it is known to be no float, else None."""
    dtype = None if value is None else value.dtype
    return None if dtype is None or dtype.is_floating_point() else dtype


def _arg_last(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """The last of equal values is the first from the end: ``size - 1 - ArgMax(reversed)``."""
    if not attribute_of(node, "select_last_index", 0):
        return keep_if_old(node, builder)
    axis, shape = attribute_of(node, "axis", 0), shape_of(node.inputs[0])
    if shape is None:
        return Refusal("it asks for the last of equal values, and the size is not static")
    size = shape[axis]
    bounds = (builder.ints(size - 1), builder.ints(-size - 1), builder.ints(axis))
    turned = builder.op("Slice", node.inputs[0], *bounds, builder.ints(-1))
    keepdims = attribute_of(node, "keepdims", 1)
    first = builder.op(node.op_type, turned, attributes={"axis": axis, "keepdims": keepdims})
    return [builder.op("Sub", builder.constant(np.array(size - 1)), first)]


def _celu(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """``max(0, x) + min(0, a (exp(x / a) - 1)) = a Elu(x / a)``."""
    data, alpha = node.inputs[0], attribute_of(node, "alpha", 1.0)
    if data is None or alpha == 1.0:
        return [builder.op("Elu", data)]
    factor = builder.like(data, alpha)
    return [builder.op("Mul", builder.op("Elu", builder.op("Div", data, factor)), factor)]


def _clip(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Integers by comparison; the upper bound comes last, since it wins when the two cross."""
    data, dtype = node.inputs[0], _integer_type(node.inputs[0])
    if data is None or dtype is None:
        return keep_if_old(node, builder)
    (value,) = in_wide_integers(builder, [data])
    for bound, comparison in zip(node.inputs[1:], ("Greater", "Less")):
        if bound is not None:
            value = pick(builder, comparison, value, *in_wide_integers(builder, [bound]))
    return [cast_to(builder, value, dtype)]


def _constant(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if "value" in node.attributes:
        return None
    array = constant_of(node.outputs[0])
    if array is None or array.dtype.kind not in "fi":
        return Refusal("it is text, and the board has no text")
    return [builder.constant(array)]


def _dropout(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Nothing is dropped where a network is used, so the mask is true everywhere."""
    training = node.inputs[2] if len(node.inputs) > 2 else None
    flag = constant_of(training)
    if training is not None and (flag is None or flag.any()):
        return Refusal("it is in training mode, call eval() on the network before the export")
    value = builder.op("Identity", node.inputs[0])
    if len(node.outputs) == 1:
        return [value]
    shape = shape_of(node.inputs[0])
    if shape is None:
        return Refusal("the shape of its mask is not static")
    return [value, builder.constant(np.ones(shape, bool))]


def _extreme(comparison: str) -> Adapter:
    """Max and Min of integers, two at a time."""

    def adapter(node: ir.Node, builder: GraphBuilder) -> Outcome:
        dtype = _integer_type(node.inputs[0])
        if dtype is None:
            return keep_if_old(node, builder)
        values = in_wide_integers(builder, [value for value in node.inputs if value is not None])
        best = reduce(lambda one, other: pick(builder, comparison, one, other), values)
        return [cast_to(builder, best, dtype)]

    return adapter


def _or_equal(comparison: str) -> Adapter:
    """Not the opposite of the other comparison: with a NaN all of them are false."""

    def adapter(node: ir.Node, builder: GraphBuilder) -> Outcome:
        pair = in_wide_integers(builder, [value for value in node.inputs if value is not None])
        return [builder.op("Or", builder.op(comparison, *pair), builder.op("Equal", *pair))]

    return adapter


def _pow(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Pow-7 has one float type. Integers go through double, as in ONNX Runtime itself."""
    base, exponent = node.inputs
    if base is None or exponent is None or base.dtype is None or exponent.dtype is None:
        return Refusal("its element types are not known")
    dtype = base.dtype if _integer_type(base) is None else DataType.DOUBLE
    if base.dtype == exponent.dtype == dtype:
        return None
    power = builder.op("Pow", cast_to(builder, base, dtype), cast_to(builder, exponent, dtype))
    return [cast_to(builder, power, base.dtype)]


STEP = OpsetStep(
    version=12,
    adapters={
        "ArgMax": _arg_last,
        "ArgMin": _arg_last,
        "Celu": _celu,
        "Clip": _clip,
        "Constant": _constant,
        "Dropout": _dropout,
        "Einsum": expand_einsum,
        "GatherND": expand_gather_nd,
        "GreaterOrEqual": _or_equal("Greater"),
        "LessOrEqual": _or_equal("Less"),
        "Max": _extreme("Greater"),
        "MaxPool": in_type({DataType.INT8: DataType.FLOAT, DataType.UINT8: DataType.FLOAT}),
        "Min": _extreme("Less"),
        "Pow": _pow,
        "ReduceMax": in_type({DataType.INT8: DataType.INT32, DataType.UINT8: DataType.INT32}),
        "ReduceMin": in_type({DataType.INT8: DataType.INT32, DataType.UINT8: DataType.INT32}),
    },
    refused={
        "NegativeLogLikelihoodLoss": LOSS,
        "SoftmaxCrossEntropyLoss": LOSS,
    },
)
