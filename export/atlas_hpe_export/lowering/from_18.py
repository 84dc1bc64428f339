"""Opset 18 to 17: axes of reductions, Pad and Split; GroupNormalization, Mish, Col2Im, Resize."""

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
from atlas_hpe_export.lowering.expansions.activations import expand_mish
from atlas_hpe_export.lowering.expansions.center_crop_pad import expand_center_crop_pad
from atlas_hpe_export.lowering.expansions.col2im import expand_col2im
from atlas_hpe_export.lowering.expansions.group_normalization import (
    expand_group_normalization_per_group,
)
from atlas_hpe_export.lowering.expansions.pooling import expand_lp_pool
from atlas_hpe_export.lowering.expansions.resize import lower_resize_18
from atlas_hpe_export.lowering.reasons import OPTIONAL
from atlas_hpe_export.lowering.restate import axes_as_attribute, restate
from atlas_hpe_export.lowering.step import OpsetStep

__all__ = ["STEP"]

_BITS = "the board has no kernel for the bits of integers"


def _pad_all_axes(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Pads of some axes to pads of all, with zeros at the others."""
    given = node.inputs[3] if len(node.inputs) > 3 else None
    if given is None:
        return None
    data, pads, axes = node.inputs[0], constant_of(node.inputs[1]), constant_of(given)
    if data is None or data.shape is None or pads is None or axes is None:
        return Refusal("its pads, its axes or the rank of its input are not constant")
    every = np.zeros((2, len(data.shape)), np.int64)
    every[:, axes] = pads.reshape(2, -1)
    return restate(node, builder, [data, builder.ints(*every.ravel()), *node.inputs[2:3]])


def _say_sizes(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """``num_outputs`` to sizes: all are ``ceil(size / num_outputs)``, the last is what remains."""
    count = attribute_of(node, "num_outputs", 0)
    if not count:
        return None
    shape = shape_of(node.inputs[0])
    if shape is None:
        return Refusal("the size that it splits is not static")
    size = shape[attribute_of(node, "axis", 0)]
    part = -(-size // count)
    sizes = builder.ints(*[part] * (count - 1), size - part * (count - 1))
    return restate(node, builder, [node.inputs[0], sizes], without=["num_outputs"])


def _scatter(node: ir.Node, builder: GraphBuilder) -> Outcome:
    reduction = attribute_of(node, "reduction", "none")
    if reduction in ("max", "min"):
        return Refusal(f"it scatters with the reduction '{reduction}'")
    return None


STEP = OpsetStep(
    version=18,
    adapters={
        "CenterCropPad": expand_center_crop_pad,
        "Col2Im": expand_col2im,
        "GroupNormalization": expand_group_normalization_per_group,
        "LpPool": expand_lp_pool,
        "Mish": expand_mish,
        "Pad": _pad_all_axes,
        "ReduceL1": axes_as_attribute,
        "ReduceL2": axes_as_attribute,
        "ReduceLogSum": axes_as_attribute,
        "ReduceLogSumExp": axes_as_attribute,
        "ReduceMax": axes_as_attribute,
        "ReduceMean": axes_as_attribute,
        "ReduceMin": axes_as_attribute,
        "ReduceProd": axes_as_attribute,
        "ReduceSumSquare": axes_as_attribute,
        "Resize": lower_resize_18,
        "ScatterElements": _scatter,
        "ScatterND": _scatter,
        "Split": _say_sizes,
    },
    refused={
        "BitwiseAnd": _BITS,
        "BitwiseNot": _BITS,
        "BitwiseOr": _BITS,
        "BitwiseXor": _BITS,
        "OptionalGetElement": OPTIONAL,
        "OptionalHasElement": OPTIONAL,
    },
)
