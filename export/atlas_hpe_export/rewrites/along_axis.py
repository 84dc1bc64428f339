"""Small steps that many rules take: another shape, entries of an axis, a constant product."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, shape_of

__all__ = ["mix_along", "reshape", "select_along"]


def reshape(builder: GraphBuilder, value: ir.Value, *shape: int) -> ir.Value:
    """The same elements in another shape; the value itself when it has that shape."""
    if shape_of(value) == shape:
        return value
    return builder.op("Reshape", value, builder.ints(*shape))


def mix_along(builder: GraphBuilder, x: ir.Value, axis: int, matrix: np.ndarray) -> ir.Value:
    """Multiply every vector along an axis by a matrix (out, in).

    The axis goes last and the constant to the right, the form of a linear layer: the matrix unit
    takes that as it is, and adds up in float32.

    Args:
        builder: Takes the new nodes.
        x: Its shape is known.
        axis: Not negative.
        matrix: (out, in), with ``in`` the size of the axis.
    """
    last = len(shape_of(x) or ()) - 1
    if axis == last:
        return builder.op("MatMul", x, builder.like(x, matrix.T))
    perm = list(range(last + 1))
    perm[axis], perm[last] = last, axis
    turned = builder.op("Transpose", x, attributes={"perm": perm})
    mixed = builder.op("MatMul", turned, builder.like(x, matrix.T))
    return builder.op("Transpose", mixed, attributes={"perm": perm})


def select_along(builder: GraphBuilder, x: ir.Value, axis: int, indices: Sequence[int]) -> ir.Value:
    """Take entries of an axis: by Slice where they are evenly spaced, else by a constant Gather.

    Args:
        builder: Takes the new nodes.
        x: Its shape is known.
        axis: Not negative.
        indices: Not negative, at least one.
    """
    wanted = np.asarray(indices)
    size = (shape_of(x) or ())[axis]
    if np.array_equal(wanted, np.arange(size)):
        return x
    steps = np.unique(np.diff(wanted))
    if len(steps) > 1 or (len(steps) == 1 and steps[0] <= 0):
        constant = builder.constant(wanted.astype(np.int32))
        return builder.op("Gather", x, constant, attributes={"axis": axis})
    step = int(steps[0]) if len(steps) else 1
    cut = [builder.ints(int(wanted[0])), builder.ints(int(wanted[-1]) + 1), builder.ints(axis)]
    return builder.op("Slice", x, *cut, *([builder.ints(step)] if step > 1 else []))
