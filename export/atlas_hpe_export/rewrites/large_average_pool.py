"""Average poolings with a large window.

Without padding, the first that fits:

    the window is the whole map     ReduceMean over the map
    a divides window and stride     AveragePool(a, a), then AveragePool(k / a, s / a): a mean of
                                    means of equally many
    else                            a product with a constant matrix per axis, whose rows are the
                                    windows; with padding too, since the number of counted pixels
                                    is a product over the axes
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.check.rules.layers import MAX_POOL_AREA
from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.rewrites.along_axis import mix_along
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    kernel = attribute_of(node, "kernel_shape", [0])
    if node.op_type != "AveragePool" or node.domain or np.prod(kernel) <= MAX_POOL_AREA:
        return None
    x, shape, after = node.inputs[0], shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if x is None or x.dtype is None or shape is None or after is None:
        return Refusal("the shape of its input is not known")
    if attribute_of(node, "ceil_mode", 0) or attribute_of(node, "auto_pad", "NOTSET") != "NOTSET":
        return Refusal("its windows reach over the edge by ceil_mode or auto_pad")
    pads = attribute_of(node, "pads", [0] * 2 * len(kernel))
    strides = attribute_of(node, "strides", [1] * len(kernel))
    if not any(pads) and list(shape[2:]) == kernel:
        axes = list(range(2, len(shape)))
        return [builder.op("ReduceMean", x, attributes={"axes": axes, "keepdims": 1})]
    steps = None if any(pads) else _find_steps(kernel, strides)
    if steps is not None:
        return [_pool_twice(builder, x, steps, (kernel, strides))]
    counts_pads = bool(attribute_of(node, "count_include_pad", 0))
    for index, size in enumerate(kernel):
        start, sizes = pads[index], (shape[index + 2], after[index + 2])
        matrix = _window_means(sizes, (size, strides[index], start), counts_pads)
        x = mix_along(builder, x, index + 2, matrix)
    return [x]


def _find_steps(kernel: List[int], strides: List[int]) -> Optional[List[int]]:
    """Per axis the divisor that leaves both windows small; None when there is none."""
    steps = []
    for size, stride in zip(kernel, strides):
        common = int(np.gcd(size, stride))
        divisors = [item for item in range(1, common + 1) if common % item == 0]
        steps.append(min(divisors, key=lambda item: max(item, size // item)))
    rest = [size // step for size, step in zip(kernel, steps)]
    return steps if max(np.prod(steps), np.prod(rest)) <= MAX_POOL_AREA else None


def _pool_twice(
    builder: GraphBuilder, x: ir.Value, steps: List[int], window: Tuple[List[int], List[int]]
) -> ir.Value:
    rest, strides = ([size // step for size, step in zip(item, steps)] for item in window)
    first = builder.op("AveragePool", x, attributes={"kernel_shape": steps, "strides": steps})
    return builder.op("AveragePool", first, attributes={"kernel_shape": rest, "strides": strides})


def _window_means(
    sizes: Tuple[int, int], window: Tuple[int, int, int], counts_pads: bool
) -> np.ndarray:
    """(after, before) matrix of one axis from its window's size, stride and pad at the start."""
    (before, after), (size, stride, pad) = sizes, window
    starts = np.arange(after)[:, None] * stride - pad
    pixels = np.arange(before)[None, :]
    inside = ((pixels >= starts) & (pixels < starts + size)).astype(np.float64)
    return inside / (size if counts_pads else inside.sum(axis=1, keepdims=True))


RULE = RewriteRule(
    name="large_average_pool",
    reason=f"windows of more than {MAX_POOL_AREA} pixels may run on the AI CPU and fail; no limit "
    "is published",
    example="AveragePool 32x32 of a 64x64 map -> AveragePool 4x4, AveragePool 8x8",
    source="ascend.md section 3.7 (AveragePool) and section 10, row 14",
    replacement=_replace,
    tolerance="rewrite-algebra",
)
