"""Opset 15 to 14: CastLike, and Shape of some axes."""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of
from atlas_hpe_export.lowering.reasons import OPTIONAL
from atlas_hpe_export.lowering.restate import keep_if_old
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

_FAR = 2**31 - 1  # beyond the last axis of anything


def _cast(node: ir.Node, builder: GraphBuilder) -> Outcome:
    like = node.inputs[1]
    if like is None or like.dtype is None:
        return Refusal("the element type to cast to is not known")
    return [builder.op("Cast", node.inputs[0], attributes={"to": int(like.dtype)})]


def _slice_shape(node: ir.Node, builder: GraphBuilder) -> Outcome:
    start, end = attribute_of(node, "start", 0), attribute_of(node, "end", _FAR)
    if start == 0 and end == _FAR:
        return keep_if_old(node, builder)
    whole = builder.op("Shape", node.inputs[0])
    return [builder.op("Slice", whole, builder.ints(start), builder.ints(end))]


STEP = OpsetStep(
    version=15,
    adapters={
        "CastLike": _cast,
        "Shape": _slice_shape,
    },
    widened=frozenset(["BatchNormalization", "Pow"]),
    refused={
        "Bernoulli": "it draws random numbers, so no two runs say the same",
        "Optional": OPTIONAL,
        "OptionalGetElement": OPTIONAL,
        "OptionalHasElement": OPTIONAL,
    },
)
