"""Batch norms: into a neighbouring convolution, or into numbers that float16 holds.

A batch norm is y = s x + t per channel, with s = scale / sqrt(var + epsilon), t = bias - mean s.

    after Conv, ConvTranspose, Gemm     W' = s W per output channel,  b' = s b + t
    before Conv without padding, Gemm   W' = W s per input channel,   b' = b + W t summed
    var + epsilon below 2^-14, or statistics beyond 65504                  Mul by s, Add t

Before a convolution that pads with zeros there is no such form: the padding would have to be -t/s.
There the batch norm stays and runs as BNInfer. Not taken: batch norms with other readers between,
since that would compute things twice.
"""

from __future__ import annotations

from typing import Optional, Tuple

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
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

_FP16_NORMAL = 2.0**-14
_FP16_MAX = 65504.0
_LAYERS = ("Conv", "ConvTranspose", "Gemm")
Affine = Tuple[np.ndarray, np.ndarray]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.domain:
        return None
    if node.op_type == "BatchNormalization":
        return _replace_norm(node, builder)
    if node.op_type in ("Conv", "Gemm"):
        return _replace_layer_after_norm(node, builder)
    return None


def _replace_norm(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if _remains(node):
        return Refusal("it computes statistics of the batch: export the network in eval mode")
    affine = _affine(node)
    if affine is None:
        return Refusal("its statistics are computed by the graph")
    layer = _sole(node.inputs[0])
    if layer is not None and layer.op_type in _LAYERS:
        return _fold_into_layer_before(layer, affine, builder)
    if _fits_half(node):
        return None
    x, shape = node.inputs[0], shape_of(node.inputs[0])
    if x is None or shape is None:
        return Refusal("the shape of its input is not known")
    slope, offset = (item.reshape(-1, *[1] * (len(shape) - 2)) for item in affine)
    scaled = builder.op("Mul", x, builder.like(x, slope))
    return [builder.op("Add", scaled, builder.like(x, offset))]


def _affine(node: ir.Node) -> Optional[Affine]:
    """Slope s and offset t, (C,) float64."""
    arrays = [constant_of(value) for value in node.inputs[1:5]]
    if len(arrays) < 4 or any(array is None for array in arrays):
        return None
    scale, bias, mean, var = (np.asarray(array, np.float64) for array in arrays)
    slope = scale / np.sqrt(var + attribute_of(node, "epsilon", 1e-5))
    return slope, bias - mean * slope


def _fits_half(node: ir.Node) -> bool:
    """Whether float16 holds what BNInfer computes with."""
    mean, var = (np.asarray(constant_of(value), np.float64) for value in node.inputs[3:5])
    smallest = float(var.min(initial=1)) + attribute_of(node, "epsilon", 1e-5)
    largest = max(np.abs(mean).max(initial=0), var.max(initial=0))
    return smallest >= _FP16_NORMAL and float(largest) <= _FP16_MAX


def _sole(value: Optional[ir.Value]) -> Optional[ir.Node]:
    """The node that makes a value with one reader."""
    if value is None or value.is_graph_output() or len(value.uses()) != 1:
        return None
    return value.producer()


def _weights(layer: ir.Node) -> Optional[Affine]:
    """Weight and bias as float64, the bias 0 where there is none."""
    weight = constant_of(layer.inputs[1])
    given = layer.inputs[2] if len(layer.inputs) > 2 else None
    bias = np.zeros(1) if given is None else constant_of(given)
    if weight is None or bias is None:
        return None
    return weight.astype(np.float64), bias.astype(np.float64)


def _fold_into_layer_before(layer: ir.Node, affine: Affine, builder: GraphBuilder) -> Outcome:
    found, x = _weights(layer), layer.inputs[0]
    if found is None or x is None or not _is_plain(layer):
        return None
    (weight, bias), (slope, offset) = found, affine
    if layer.op_type == "Conv":
        weight = weight * slope.reshape(-1, *[1] * (weight.ndim - 1))
    elif layer.op_type == "Gemm":
        per_row = bool(attribute_of(layer, "transB", 0))
        weight = weight * (slope[:, None] if per_row else slope)
    else:  # ConvTranspose: (in, out / groups, ...)
        by_group = slope.reshape(attribute_of(layer, "group", 1), 1, -1)
        grouped = weight.reshape(by_group.shape[0], -1, *weight.shape[1:])
        weight = (grouped * by_group.reshape(*by_group.shape, *[1] * (weight.ndim - 2))).reshape(
            weight.shape
        )
    return [_layer(layer, builder, x, weight, bias * slope + offset)]


def _replace_layer_after_norm(node: ir.Node, builder: GraphBuilder) -> Outcome:
    norm, found = _sole(node.inputs[0]), _weights(node)
    if norm is None or norm.domain or norm.op_type != "BatchNormalization" or _remains(norm):
        return None
    affine, x = _affine(norm), norm.inputs[0]
    padded = any(attribute_of(node, "pads", [0])) or _auto_pads(node)
    if affine is None or found is None or x is None or padded or not _is_plain(node):
        return None
    (weight, bias), (slope, offset) = found, affine
    if node.op_type == "Gemm":
        if attribute_of(node, "transA", 0):
            return None
        by_input = weight if attribute_of(node, "transB", 0) else weight.T  # (out, in)
        bias = bias + by_input @ offset
        weight = weight * (slope if attribute_of(node, "transB", 0) else slope[:, None])
    else:
        groups = attribute_of(node, "group", 1)
        outer = weight.shape[0] // groups
        by_group = (np.repeat(item.reshape(groups, -1), outer, axis=0) for item in (slope, offset))
        slopes, offsets = (item.reshape(*item.shape, *[1] * (weight.ndim - 2)) for item in by_group)
        bias = bias + (weight * offsets).reshape(weight.shape[0], -1).sum(axis=1)
        weight = weight * slopes
    return [_layer(node, builder, x, weight, bias)]


def _auto_pads(node: ir.Node) -> bool:
    return attribute_of(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID")


def _is_plain(layer: ir.Node) -> bool:
    """Whether a Gemm has no factors of its own; its bias may be a row or a number."""
    if layer.op_type != "Gemm":
        return True
    factors = attribute_of(layer, "alpha", 1.0), attribute_of(layer, "beta", 1.0)
    bias = shape_of(layer.inputs[2]) if len(layer.inputs) > 2 else ()
    return factors == (1.0, 1.0) and bias is not None and int(np.prod(bias[:-1])) == 1


def _layer(
    layer: ir.Node, builder: GraphBuilder, x: ir.Value, weight: np.ndarray, bias: np.ndarray
) -> ir.Value:
    return builder.op(
        layer.op_type,
        x,
        builder.like(x, weight),
        builder.like(x, bias.reshape(-1)),
        attributes=dict(layer.attributes),
    )


def _remains(node: ir.Node) -> Optional[str]:
    if node.op_type != "BatchNormalization" or node.domain:
        return None
    extra = any(value.uses() or value.is_graph_output() for value in node.outputs[1:])
    if extra or attribute_of(node, "training_mode", 0):
        return "it is in its training form; call .eval() on the network and export again"
    return None


RULE = RewriteRule(
    name="batch_norm",
    reason="a batch norm on its own is a step more per layer, and float16 loses a tiny variance",
    example="BatchNormalization -> Conv without padding becomes one Conv",
    source="ascend.md section 3.7 (BatchNormalization) and section 10, rows 6 and 15",
    replacement=_replace,
    remains=_remains,
    tolerance="rewrite-algebra",
)
