"""Opset 13 to 12: axes as attributes, Softmax over all that follows its axis, Resize."""

from __future__ import annotations

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
from atlas_hpe_export.lowering.reasons import LOSS
from atlas_hpe_export.lowering.restate import axes_as_attribute, in_type, restate
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

_WIDENED = (
    "Abs Add ArgMax ArgMin Cast Ceil Clip Concat Constant DepthToSpace Div Dropout Equal Erf "
    "Exp Expand Flatten Floor Gather GatherElements GatherND Gemm Greater Identity If IsNaN "
    "LRN Less Log Loop MatMul Max Mean MeanVarianceNormalization Min Mod Mul Neg NonZero Pow "
    "Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin "
    "ReduceProd ReduceSumSquare Relu Reshape ScatterElements ScatterND Shape Sigmoid Sign Size "
    "Slice SpaceToDepth Sqrt Sub Sum Tanh Tile Transpose"
)


def _softmax(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Softmax-11 runs over all axes from ``axis`` on, Softmax-13 over that one alone.

    The two agree where nothing but ones follows the axis; elsewhere it is brought to the end. There
    the board agrees as well, which takes the axis alone at every opset (ascend.md section 3.7).
    """
    data = node.inputs[0]
    if data is None or data.shape is None:
        return Refusal("the rank of its input is not known")
    rank = len(data.shape)
    axis = attribute_of(node, "axis", -1) % rank
    if all(size == 1 for size in data.shape[axis + 1 :]):
        return restate(node, builder, [data], axis=axis)
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    last = builder.op("Transpose", data, attributes={"perm": order})
    (value,) = restate(node, builder, [last], axis=rank - 1)
    return [builder.op("Transpose", value, attributes={"perm": order})]


def _split(node: ir.Node, builder: GraphBuilder) -> Outcome:
    given = node.inputs[1] if len(node.inputs) > 1 else None
    if given is None:
        return None
    sizes = constant_of(given)
    if sizes is None:
        return Refusal("its sizes are computed in the graph, below they are part of the node")
    return restate(node, builder, node.inputs[:1], split=[int(size) for size in sizes])


def _resize(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Resize-11 wants roi and scales even where they say nothing; then they are empty."""
    data, roi, scales, sizes = [*node.inputs, None, None, None][:4]
    if roi is not None and scales is not None:
        return None
    empty = builder.constant(np.zeros(0, np.float32))
    roi, scales = empty if roi is None else roi, empty if scales is None else scales
    return restate(node, builder, [data, roi, scales, sizes])


def _quantize(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if shape_of(node.inputs[1]) != ():
        return Refusal("each channel has its own scale, which came with opset 13")
    return restate(node, builder, node.inputs, without=["axis"])


STEP = OpsetStep(
    version=13,
    adapters={
        "DequantizeLinear": _quantize,
        "Hardmax": _softmax,
        "LogSoftmax": _softmax,
        "Pad": in_type({DataType.BOOL: DataType.INT32}),
        "QuantizeLinear": _quantize,
        "ReduceSum": axes_as_attribute,
        "Resize": _resize,
        "Softmax": _softmax,
        "Split": _split,
        "Squeeze": axes_as_attribute,
        "Unsqueeze": axes_as_attribute,
    },
    widened=frozenset(_WIDENED.split()),
    refused={
        "NegativeLogLikelihoodLoss": LOSS,
        "SoftmaxCrossEntropyLoss": LOSS,
    },
)
