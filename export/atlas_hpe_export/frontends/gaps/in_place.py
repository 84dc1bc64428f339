"""Updates of a part of a tensor, ``y[:, 2:5] = x`` and ``y[:, 3] = x``, without ScatterND.

torch.export turns the update into ``slice_scatter`` or ``select_scatter``, which PyTorch's exporter
writes as eight nodes around ScatterND. A part without gaps is ``concat(y[:2], x, y[5:])``; one with
a step is a Gather with constant indices from ``concat(y, x)``. After ``y[:, 2:5] += x`` PyTorch
also writes the part that it has just read from y back into y, which is y.
"""

from __future__ import annotations

import sys
from typing import List

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.frontends.gaps.fill import fixed_shape, tensor_inputs
from atlas_hpe_export.graph import GraphBuilder, attribute_of, constant_of

__all__ = ["fill_select_scatter", "fill_slice_scatter"]


def fill_slice_scatter(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``slice_scatter(y, x, dim, start, end, step)``: the shape of y."""
    whole, part = tensor_inputs(node, 2)
    shape = fixed_shape(whole)
    axis = attribute_of(node, "dim", 0) % len(shape)
    bounds = slice(
        attribute_of(node, "start", 0),
        attribute_of(node, "end", sys.maxsize),
        attribute_of(node, "step", 1),
    )
    indices = np.arange(shape[axis])
    if _reads_back(whole, part, axis, indices[bounds]):
        return whole
    start, end, step = bounds.indices(shape[axis])
    if step == 1:
        return _replace_range(whole, part, axis, start, end, builder)
    indices[bounds] = shape[axis] + np.arange(len(indices[bounds]))
    both = builder.op("Concat", whole, part, attributes={"axis": axis})
    return builder.op("Gather", both, builder.ints(*indices.tolist()), attributes={"axis": axis})


def fill_select_scatter(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``select_scatter(y, x, dim, index)``: the shape of y; x lacks the axis ``dim``."""
    whole, part = tensor_inputs(node, 2)
    shape = fixed_shape(whole)
    axis = attribute_of(node, "dim", 0) % len(shape)
    index = attribute_of(node, "index", 0) % shape[axis]
    if _reads_back(whole, part, axis, np.array(index)):
        return whole
    part = builder.op("Unsqueeze", part, builder.ints(axis))
    return _replace_range(whole, part, axis, index, index + 1, builder)


def _reads_back(whole: ir.Value, part: ir.Value, axis: int, indices: np.ndarray) -> bool:
    """Whether a part is what stands at these indices (0-d for one without the axis) anyway."""
    reader = part.producer()
    if reader is None or not reader.inputs or reader.inputs[0] is not whole:
        return False
    numbers = [constant_of(value) for value in reader.inputs[1:]]
    if reader.op_type == "Gather":
        same_axis = attribute_of(reader, "axis", 0) == axis
        return same_axis and numbers[0] is not None and np.array_equal(numbers[0], indices)
    if reader.op_type != "Slice" or len(numbers) != 4 or any(item is None for item in numbers):
        return False
    start, end, along, step = (item.tolist() for item in numbers if item is not None)
    if along != [axis]:
        return False
    taken = np.arange(fixed_shape(whole)[axis])[slice(start[0], end[0], step[0])]
    return np.array_equal(taken, indices)


def _replace_range(
    whole: ir.Value, part: ir.Value, axis: int, start: int, end: int, builder: GraphBuilder
) -> ir.Value:
    size = fixed_shape(whole)[axis]
    along = builder.ints(axis)
    pieces: List[ir.Value] = []
    if start > 0:
        first, last = builder.ints(0), builder.ints(start)
        pieces.append(builder.op("Slice", whole, first, last, along))
    if end > start:
        pieces.append(part)
    rest = max(start, end)
    if rest < size:
        first, last = builder.ints(rest), builder.ints(size)
        pieces.append(builder.op("Slice", whole, first, last, along))
    if len(pieces) == 1:
        return pieces[0]
    return builder.op("Concat", *pieces, attributes={"axis": axis})
