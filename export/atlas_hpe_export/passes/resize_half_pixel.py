"""Name the half-pixel rule of a linear Resize so that the board's compiler honours it.

Algebra, for a resized axis of output size n and scale s (ONNX, operator Resize, opset 11):

    half_pixel:          x = (i + 0.5) / s - 0.5
    pytorch_half_pixel:  x = (i + 0.5) / s - 0.5   if n > 1, else 0

so the two are the same wherever n > 1. The plugin of atc up to mid-2022 sets half_pixel_centers for
``pytorch_half_pixel`` only and computes plain ``half_pixel`` as asymmetric, x = i / s
(ascend.md section 3.7).
"""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

import onnx
from onnx import shape_inference

from atlas_hpe_export.passes.rewrite_pass import RewritePass

__all__ = ["PASS"]

_ATTRIBUTE = "coordinate_transformation_mode"
Shape = Tuple[int, ...]


def _apply(model: onnx.ModelProto) -> int:
    shapes = _known_shapes(model)
    count = 0
    for node in _half_pixel_nodes(model):
        if _refuse(node, shapes) is None:
            _set_mode(node)
            count += 1
    return count


def _refusals(model: onnx.ModelProto) -> Tuple[str, ...]:
    shapes = _known_shapes(model)
    reasons = (_refuse(node, shapes) for node in _half_pixel_nodes(model))
    return tuple(reason for reason in reasons if reason is not None)


def _violations(model: onnx.ModelProto) -> Tuple[str, ...]:
    return tuple(
        f"{_describe(node)} still says half_pixel, which the board computes as asymmetric"
        for node in _half_pixel_nodes(model)
    )


def _half_pixel_nodes(model: onnx.ModelProto) -> List[onnx.NodeProto]:
    """Nodes that say half_pixel, or say nothing: it is the default."""
    found = []
    for node in model.graph.node:
        if node.op_type == "Resize":
            modes = [item.s for item in node.attribute if item.name == _ATTRIBUTE]
            if modes in ([], [b"half_pixel"]):
                found.append(node)
    return found


def _set_mode(node: onnx.NodeProto) -> None:
    for item in list(node.attribute):
        if item.name == _ATTRIBUTE:
            node.attribute.remove(item)
    node.attribute.append(onnx.helper.make_attribute(_ATTRIBUTE, "pytorch_half_pixel"))


def _refuse(node: onnx.NodeProto, shapes: Dict[str, Shape]) -> Optional[str]:
    """The reason why the two rules may differ at this node, None when they are the same."""
    before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
    if before is None or after is None:
        return f"{_describe(node)}: its sizes are not known"
    if any(new == 1 and old != 1 for old, new in zip(before, after)):
        return (
            f"{_describe(node)} shrinks an axis to one pixel, where half_pixel takes the middle "
            "and pytorch_half_pixel the first; use a mean or a pooling layer instead"
        )
    return None


def _describe(node: onnx.NodeProto) -> str:
    return f"Resize '{node.name or node.output[0]}'"


def _known_shapes(model: onnx.ModelProto) -> Dict[str, Shape]:
    """Static shapes by tensor name; tensors with a dynamic axis are left out."""
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes: Dict[str, Shape] = {}
    for info in [*graph.input, *graph.value_info, *graph.output]:
        tensor = info.type.tensor_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            shapes[info.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    return shapes


PASS = RewritePass(
    name="resize_half_pixel",
    reason="the board's compiler honours half-pixel centres only as pytorch_half_pixel; "
    "plain half_pixel would be computed as asymmetric and every heatmap would shift",
    precondition="every axis that a Resize changes has more than one output pixel",
    postcondition="no Resize says half_pixel",
    apply=_apply,
    refusals=_refusals,
    violations=_violations,
)
