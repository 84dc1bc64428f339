"""CenterCropPad (opset 18): to a constant size around the centre.

Per axis of size n and wanted size m: for m < n a slice that starts at floor((n - m) / 2), for m > n
floor((m - n) / 2) zeros before and the rest after.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of, shape_of
from atlas_hpe_export.lowering.expansions.refusals import NOT_CONSTANT, UNKNOWN_SHAPE

__all__ = ["expand_center_crop_pad"]


def expand_center_crop_pad(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """CenterCropPad-18 with a constant shape -> Slice, Pad."""
    x, wanted = node.inputs[0], constant_of(node.inputs[1])
    shape = shape_of(x)
    if x is None or shape is None:
        return UNKNOWN_SHAPE
    if wanted is None:
        return NOT_CONSTANT
    axes: List[int] = attribute_of(node, "axes", list(range(len(shape))))
    sizes = {axis % len(shape): int(size) for axis, size in zip(axes, wanted)}
    return [_pad(_crop(x, sizes, shape, builder), sizes, shape, builder)]


def _crop(
    x: ir.Value, sizes: Dict[int, int], shape: Tuple[int, ...], builder: GraphBuilder
) -> ir.Value:
    axes = [axis for axis, size in sizes.items() if size < shape[axis]]
    if not axes:
        return x
    starts = [(shape[axis] - sizes[axis]) // 2 for axis in axes]
    ends = [start + sizes[axis] for start, axis in zip(starts, axes)]
    return builder.op("Slice", x, builder.ints(*starts), builder.ints(*ends), builder.ints(*axes))


def _pad(
    x: ir.Value, sizes: Dict[int, int], shape: Tuple[int, ...], builder: GraphBuilder
) -> ir.Value:
    missing = [max(0, sizes.get(axis, size) - size) for axis, size in enumerate(shape)]
    if not any(missing):
        return x
    before = [count // 2 for count in missing]
    after = [count - count // 2 for count in missing]
    return builder.op("Pad", x, builder.ints(*before, *after))
