"""Adaptive pooling to any output size.

Output cell i of n takes the inputs from ``floor(i * m / n)`` up to ``ceil((i + 1) * m / n)`` of m
(PyTorch's documentation gives no formula; this one is in its ``AdaptivePooling.h``). Where all
windows have one size and one distance it is a plain pooling, also for some sizes that do not
divide, such as 7 -> 3. Otherwise the average is ``R x C^T`` with constant matrices whose rows sum
to one, and the maximum is one slice and one reduction per window.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.frontends.gaps.fill import fixed_shape, tensor_inputs
from atlas_hpe_export.graph import GraphBuilder, dtype_of

__all__ = ["fill_average_pool", "fill_max_pool", "pooling_windows"]

#: First input and the one after the last, for each output cell.
Windows = Sequence[Tuple[int, int]]


def fill_average_pool(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``adaptive_avg_pool1d`` and ``2d``: (..., C, L) or (..., C, H, W)."""
    value, axes = _read(node)
    pooled = _pool_uniformly(value, axes, "AveragePool", builder)
    if pooled is not None:
        return pooled
    dtype = dtype_of(value)
    for (size, windows), last in zip(reversed(axes), (True, False)):
        if len(windows) == size:
            continue
        matrix = np.zeros((len(windows), size), dtype)
        for row, (start, end) in zip(matrix, windows):
            row[start:end] = 1.0 / (end - start)
        if last:
            value = builder.op("MatMul", value, builder.constant(matrix.T))
        else:
            value = builder.op("MatMul", builder.constant(matrix), value)
    return value


def fill_max_pool(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``adaptive_max_pool1d`` and ``2d``, without the indices."""
    value, axes = _read(node)
    pooled = _pool_uniformly(value, axes, "MaxPool", builder)
    if pooled is not None:
        return pooled
    for axis, (size, windows) in enumerate(axes, start=-len(axes)):
        if len(windows) == size:
            continue
        along = builder.ints(axis)
        cells = []
        for start, end in windows:
            window = builder.op("Slice", value, builder.ints(start), builder.ints(end), along)
            cells.append(builder.op("ReduceMax", window, along))
        value = builder.op("Concat", *cells, attributes={"axis": axis})
    return value


def pooling_windows(size: int, cells: int) -> List[Tuple[int, int]]:
    """The windows of one axis.

    Args:
        size: Inputs along the axis.
        cells: Outputs along the axis.
    """
    return [(i * size // cells, -((-(i + 1) * size) // cells)) for i in range(cells)]


def _read(node: ir.Node) -> Tuple[ir.Value, List[Tuple[int, Windows]]]:
    """The input, and size and windows per pooled axis."""
    value = tensor_inputs(node, 1)[0]
    count = 1 if node.op_type.endswith("1d") else 2
    sizes = fixed_shape(value)[-count:]
    cells = node.attributes["output_size"].as_ints()
    return value, [(size, pooling_windows(size, n)) for size, n in zip(sizes, cells)]


def _pool_uniformly(
    value: ir.Value, axes: Sequence[Tuple[int, Windows]], op_type: str, builder: GraphBuilder
) -> Optional[ir.Value]:
    """One ordinary pooling; None where the windows of an axis differ."""
    steps = [_common_step(windows) for _, windows in axes]
    found = [step for step in steps if step is not None]
    if len(found) != len(steps):
        return None
    without_batch = len(fixed_shape(value)) == len(axes) + 1
    if without_batch:
        value = builder.op("Unsqueeze", value, builder.ints(0))
    if all(len(windows) == 1 for _, windows in axes):
        value = builder.op(f"Global{op_type}", value)
    else:
        sizes = {
            "kernel_shape": [size for size, _ in found],
            "strides": [step for _, step in found],
        }
        value = builder.op(op_type, value, attributes=dict(sizes))
    return builder.op("Squeeze", value, builder.ints(0)) if without_batch else value


def _common_step(windows: Windows) -> Optional[Tuple[int, int]]:
    """Size of every window and distance between them."""
    sizes = {end - start for start, end in windows}
    steps = {later[0] - sooner[0] for sooner, later in zip(windows, windows[1:])} or {1}
    if len(sizes) > 1 or len(steps) > 1 or steps == {0}:
        return None
    return sizes.pop(), steps.pop()
