"""Say a linear Resize so that the board's compiler computes what the model says.

With the weights of ``resize_weights``, the first that fits:

    the board's reading is the model's     nothing to do
    as pytorch_half_pixel it would be      change the name: the same wherever an axis keeps
                                           more than one pixel
    neither (one pixel is left, or the     a product with the weights along every axis
    scale is not the ratio of the sizes)
"""

from __future__ import annotations

from typing import Dict, Optional

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, shape_of
from atlas_hpe_export.graph.builder import Attribute
from atlas_hpe_export.rewrites.along_axis import mix_along
from atlas_hpe_export.rewrites.resize_weights import (
    board_weights,
    is_understood,
    onnx_weights,
    resized_axes,
    says,
)
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE", "mix_axes"]

_ATTRIBUTE = "coordinate_transformation_mode"
_HONOURED = ("align_corners", "asymmetric", "pytorch_half_pixel")
_SAME = 1e-6


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not is_understood(node) or says(node)[0] != "linear" or resized_axes(node) == []:
        return None
    if says(node)[1] in _HONOURED and _agrees(node, says(node)[1]):
        return None
    if _agrees(node, "pytorch_half_pixel"):
        renamed: Dict[str, Attribute] = {**node.attributes, _ATTRIBUTE: "pytorch_half_pixel"}
        return [builder.op("Resize", *node.inputs, attributes=renamed)]
    return mix_axes(node, builder)


def mix_axes(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """A Resize as a product with its weights along every axis that it changes."""
    x, axes = node.inputs[0], resized_axes(node)
    if x is None or x.dtype is None or axes is None:
        return Refusal("its sizes are not known before the graph runs")
    for axis, before, after, scale in axes:
        x = mix_along(builder, x, axis, onnx_weights(node, before, after, scale))
    return [x]


def _agrees(node: ir.Node, coordinates: str) -> bool:
    """Whether the board, told these coordinates, computes what the model says."""
    axes = resized_axes(node)
    if axes is None:
        return False
    is_volume = len(shape_of(node.inputs[0]) or ()) > 4
    if axes and is_volume and coordinates not in ("align_corners", "pytorch_half_pixel"):
        return False
    return all(
        np.allclose(
            board_weights("linear", coordinates, before, after),
            onnx_weights(node, before, after, scale),
            rtol=0,
            atol=_SAME,
        )
        for _, before, after, scale in axes
    )


def _remains(node: ir.Node) -> Optional[str]:
    if node.op_type != "Resize" or node.domain or len(node.inputs) < 3:
        return None
    mode, coordinates = says(node)
    if mode != "linear" or coordinates in _HONOURED or resized_axes(node) == []:
        return None
    return f"it says {coordinates}, which the board computes as asymmetric"


RULE = RewriteRule(
    name="resize_half_pixel",
    reason="the board's compiler honours half-pixel centres only as pytorch_half_pixel; "
    "plain half_pixel would be computed as asymmetric and every heatmap would shift",
    example="Resize linear half_pixel -> pytorch_half_pixel; to one pixel -> MatMul",
    source="ascend.md section 3.7 (Resize) and section 10, row 9",
    replacement=_replace,
    remains=_remains,
    tolerance="rewrite-algebra",
)
