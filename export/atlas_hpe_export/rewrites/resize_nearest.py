"""Nearest Resize: the pixels that the model names, whatever rounding it names them by.

    the rounded places are floor(i n / m)   say it as asymmetric with floor
    else                                    Slice, or Gather with constant indices, per axis

The first holds for every whole enlargement with half-pixel centres: (i + 1/2) / s - 1/2 is less
than 1/2 away from floor(i / s).
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.rewrites.along_axis import select_along
from atlas_hpe_export.rewrites.resize_weights import (
    board_weights,
    is_understood,
    onnx_weights,
    resized_axes,
    says,
)
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

_PLAIN = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not is_understood(node) or says(node)[0] != "nearest":
        return None
    x, axes = node.inputs[0], resized_axes(node)
    if x is None or axes is None:
        return None if _is_plain(node) else Refusal("its sizes are not known before the graph runs")
    chosen = [
        (
            axis,
            onnx_weights(node, old, new, scale),
            board_weights("nearest", "asymmetric", old, new),
        )
        for axis, old, new, scale in axes
    ]
    is_volume = len(shape_of(x) or ()) > 4
    if all(np.array_equal(ours, board) for _, ours, board in chosen) and not is_volume:
        if _is_plain(node) or not axes:
            return None
        return [builder.op("Resize", *node.inputs, attributes={**node.attributes, **_PLAIN})]
    for axis, ours, _ in chosen:
        x = select_along(builder, x, axis, ours.argmax(axis=1).tolist())
    return [x]


def _is_plain(node: ir.Node) -> bool:
    rounding = attribute_of(node, "nearest_mode", "round_prefer_floor")
    return (says(node)[1], rounding) == ("asymmetric", "floor")


def _remains(node: ir.Node) -> Optional[str]:
    if node.op_type != "Resize" or node.domain or len(node.inputs) < 3:
        return None
    if says(node)[0] != "nearest" or _is_plain(node) or resized_axes(node) == []:
        return None
    return f"it is nearest with {says(node)[1]}, which the board may compute as asymmetric"


RULE = RewriteRule(
    name="resize_nearest",
    reason="the board's compiler does not read nearest_mode; only asymmetric with floor is known "
    "to match",
    example="Resize nearest half_pixel x2 -> asymmetric floor; odd factors -> Gather",
    source="ascend.md section 3.7 (Resize)",
    replacement=_replace,
    remains=_remains,
)
