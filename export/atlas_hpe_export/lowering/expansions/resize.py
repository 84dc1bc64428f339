"""Resize of opsets 19 and 18 in the form of opset 13.

    19    half_pixel_symmetric: it is half_pixel where ``in * scale`` is a whole number, as it
          always is with given sizes
    18    axes: scales or sizes of all axes, 1 or the own size for those left out
          keep_aspect_ratio_policy: the common scale, which gives the same sizes and coordinates
          antialias: nothing to do for enlarging, unless exclude_outside

What has no such form (antialias when shrinking, half_pixel_symmetric at a fractional size) is a
product with constant matrices, see ``resize_matrix``; nearest has none and is refused.
"""

from __future__ import annotations

from typing import Union

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.lowering.expansions.refusals import NOT_CONSTANT, UNKNOWN_SHAPE, UNKNOWN_TYPE
from atlas_hpe_export.lowering.expansions.resize_matrix import ResizeFilter, resize_matrix
from atlas_hpe_export.lowering.expansions.resize_plan import (
    ResizePlan,
    read_resize,
    scales_that_floor_to,
)
from atlas_hpe_export.lowering.restate import restate

__all__ = ["lower_resize_18", "lower_resize_19"]

_SMOOTH = ("linear", "cubic")
_NEW_AT_18 = ("axes", "antialias", "keep_aspect_ratio_policy")


def lower_resize_19(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Resize-19 -> Resize-18: without half_pixel_symmetric."""
    if _transformation(node) != "half_pixel_symmetric":
        return None
    plan = _plan(node)
    if isinstance(plan, Refusal):
        return plan
    exact = [size * scale for size, scale in zip(plan.in_sizes, plan.scales)]
    if not plan.by_sizes and exact != list(plan.out_sizes):
        return _by_matrix(node, plan, builder)
    return restate(node, builder, node.inputs, coordinate_transformation_mode="half_pixel")


def lower_resize_18(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Resize-18 -> Resize-13: without axes, policy and antialias."""
    if not any(name in node.attributes for name in _NEW_AT_18):
        return None
    plan = _plan(node)
    if isinstance(plan, Refusal):
        return plan
    if _transformation(node) == "tf_crop_and_resize" and "axes" in node.attributes:
        return Refusal("it cuts regions along some of its axes")
    scales = scales_that_floor_to(plan)
    outside = attribute_of(node, "exclude_outside", 0)  # opset 13 has it for cubic only
    filtered = attribute_of(node, "antialias", 0) and (outside or min(plan.scales) < 1)
    if filtered or not (plan.by_sizes or scales):
        return _by_matrix(node, plan, builder)
    if plan.by_sizes:
        target = [None, builder.ints(*plan.out_sizes)]
    else:
        target = [builder.constant(np.array(scales, np.float32))]
    return restate(node, builder, [*node.inputs[:2], *target], without=_NEW_AT_18)


def _transformation(node: ir.Node) -> str:
    return attribute_of(node, "coordinate_transformation_mode", "half_pixel")


def _plan(node: ir.Node) -> Union[ResizePlan, Refusal]:
    shape = shape_of(node.inputs[0])
    if shape is None:
        return UNKNOWN_SHAPE
    return read_resize(node, shape) or NOT_CONSTANT


def _by_matrix(node: ir.Node, plan: ResizePlan, builder: GraphBuilder) -> Outcome:
    x, rank = node.inputs[0], len(plan.in_sizes)
    mode = attribute_of(node, "mode", "nearest")
    if mode not in _SMOOTH or _transformation(node) == "tf_crop_and_resize":
        return Refusal("its sizes and coordinates have no form at opset 13")
    if x is None or x.dtype is None:
        return UNKNOWN_TYPE
    if any(axis < rank - 2 for axis in plan.resized):
        return Refusal("it resizes other axes than the last two, by constant matrices")
    how = ResizeFilter(
        mode,
        _transformation(node),
        bool(attribute_of(node, "antialias", 0)),
        bool(attribute_of(node, "exclude_outside", 0)),
        attribute_of(node, "cubic_coeff_a", -0.75),
    )
    for axis in plan.resized:
        sizes = plan.in_sizes[axis], plan.out_sizes[axis]
        matrix = resize_matrix(*sizes, plan.scales[axis], how)
        if axis == rank - 1:
            x = builder.op("MatMul", x, builder.like(x, matrix.T))
        else:
            x = builder.op("MatMul", builder.like(x, matrix), x)
    return [x]
