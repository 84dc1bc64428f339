"""The division by a standard deviation, in numbers that float16 holds.

A layer norm without its operator divides d = x - mean by the root of the mean square:

    y = d / sqrt(mean(d^2) + eps)

In float16 d^2 is infinite from |d| = 256 on, and eps is 0 below 3e-8. For any m > 0 the same is

    y = (d / m) / sqrt(mean((d / m)^2) + (sqrt(eps) / m)^2)

With m = max(max |d|, sqrt(eps)) over the axes of the mean, d / m and sqrt(eps) / m are within
[-1, 1], the mean square of n elements is at least 1 / n or (sqrt(eps) / m)^2 is 1, and nothing
leaves the range. An RMS norm, d * Reciprocal(Sqrt(...)), is the same with d = x.

The price: the compiler's layer_norm_onnx_fusion_pass knows the plain form only, and how its kernel
adds up in float16 is not published. Where the input is a bounded activation the plain form is safe
and stays.
"""

from __future__ import annotations

import math
from typing import Dict, Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of
from atlas_hpe_export.graph.builder import Attribute
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

_FP16_ZERO = 2.0**-25  # this and less is 0 in float16
#: Operators whose outputs are within [-1, 1].
_BOUNDED = ("HardSigmoid", "Sigmoid", "Sin", "Cos", "Softmax", "Softsign", "Tanh")


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    found = _find_norm(node)
    if found is None:
        return None
    data, mean, epsilon = found
    if epsilon > _FP16_ZERO and _is_bounded(data):
        return None
    over: Dict[str, Attribute] = {"axes": attribute_of(mean, "axes", [0]), "keepdims": 1}
    root = math.sqrt(epsilon)
    peak = builder.op("ReduceMax", builder.op("Abs", data), attributes=over)
    scale = builder.op("Clip", peak, builder.like(data, root), None)
    scaled = builder.op("Div", data, scale)
    share = builder.op("Div", builder.like(data, root), scale)
    square = builder.op("ReduceMean", builder.op("Mul", scaled, scaled), attributes=over)
    total = builder.op("Add", square, builder.op("Mul", share, share))
    return [builder.op("Div", scaled, builder.op("Sqrt", total))]


def _find_norm(node: ir.Node) -> Optional[Tuple[ir.Value, ir.Node, float]]:
    """d, the ReduceMean of its square, and eps, for the node that makes y."""
    if node.domain or node.op_type not in ("Div", "Mul"):
        return None
    for data, other in (tuple(node.inputs), tuple(reversed(node.inputs))):
        if node.op_type == "Mul":
            inverse = _maker(other, "Reciprocal")
            other = None if inverse is None else inverse.inputs[0]
        root = _maker(other, "Sqrt")
        total = None if root is None else _maker(root.inputs[0], "Add")
        if data is not None and total is not None:
            found = _match_sum(data, total)
            if found is not None:
                return (data, *found)
        if node.op_type == "Div":
            return None
    return None


def _match_sum(data: ir.Value, total: ir.Node) -> Optional[Tuple[ir.Node, float]]:
    """ReduceMean and eps of mean(d^2) + eps."""
    for left, right in (tuple(total.inputs), tuple(reversed(total.inputs))):
        mean, epsilon = _maker(left, "ReduceMean"), constant_of(right)
        if mean is None or epsilon is None or epsilon.size != 1:
            continue
        number = float(epsilon.ravel()[0])
        keeps = attribute_of(mean, "keepdims", 1) and "axes" in mean.attributes
        if keeps and number >= 0 and _is_square_of(mean.inputs[0], data):
            return mean, number
    return None


def _is_square_of(value: Optional[ir.Value], data: ir.Value) -> bool:
    product = _maker(value, "Mul")
    if product is not None:
        return product.inputs[0] is data and product.inputs[1] is data
    power = _maker(value, "Pow")
    exponent = None if power is None else constant_of(power.inputs[1])
    is_two = exponent is not None and exponent.size == 1 and bool(np.all(exponent == 2))
    return is_two and power is not None and power.inputs[0] is data


def _is_bounded(data: ir.Value) -> bool:
    """Whether |d| is 2 at most: a bounded activation, less its mean or as it is."""
    centred = _maker(data, "Sub")
    x = data if centred is None else centred.inputs[0]
    return any(_maker(x, op_type) is not None for op_type in _BOUNDED)


def _maker(value: Optional[ir.Value], op_type: str) -> Optional[ir.Node]:
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == op_type and not node.domain else None


RULE = RewriteRule(
    name="layer_norm_fp16",
    reason="in float16 the square inside a layer norm is infinite from 256 on, and a small epsilon "
    "is 0",
    example="d / sqrt(mean(d^2) + eps) -> the same with d divided by its largest magnitude first",
    source="ascend.md section 10, row 6; networks.md section 1 (LayerNorm)",
    replacement=_replace,
    tolerance="rewrite-algebra",
)
