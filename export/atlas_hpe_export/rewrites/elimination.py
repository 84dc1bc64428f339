"""Gauss-Jordan elimination with partial pivoting, written out for a constant size.

A step per column k of M = [A | B], all matrices of the batch at once:

    s_i = |M[i, k]| for rows that were no pivot yet, -1 for the others
    p   = the first row at which s is largest, as a row of one 1 and zeros
    q   = p M / (p M)[k]                                   the pivot row, divided by the pivot
    M   = q in the pivot row, M - M[:, k] q in the others

No row is moved: when all columns are done, row p_k of the right half is row k of inv(A) B, and
P = [p_0; p_1; ...] puts them in order. The pivot depends on the data, but comparisons, Where and
products with zeros and ones choose it, all of which the AI Core has; ArgMax and Gather would make
int64 indices. Choosing by a product is exact: its sum has one term that is not 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape

__all__ = ["Pivot", "find_pivots", "solve"]


@dataclass(frozen=True)
class Pivot:
    """The choice made for one column.

    Attributes:
        row: (..., 1, n), 1 at the pivot row, 0 elsewhere.
        used: (..., 1, n), 1 at the rows that were pivots before.
        value: (..., 1, 1), the pivot.
    """

    row: ir.Value
    used: ir.Value
    value: ir.Value


def solve(builder: GraphBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """inv(A) B for A (..., n, n) and B (..., n, m) of the same batch shape."""
    shape, columns = shape_of(left) or (), (shape_of(right) or ())[-1]
    rank, size = len(shape), shape[-1]
    joined = builder.op("Concat", left, right, attributes={"axis": rank - 1})
    pivots, reduced = find_pivots(builder, joined, size)
    order = builder.op("Concat", *[item.row for item in pivots], attributes={"axis": rank - 2})
    cut = [builder.ints(place) for place in (size, size + columns, rank - 1)]
    return builder.op("MatMul", order, builder.op("Slice", reduced, *cut))


def find_pivots(
    builder: GraphBuilder, matrix: ir.Value, size: int, *, may_be_singular: bool = False
) -> Tuple[List[Pivot], ir.Value]:
    """Eliminate the first ``size`` columns of (..., size, any).

    Args:
        builder: Takes the new nodes.
        matrix: [A | B], or A alone.
        size: Number of rows, and of columns to eliminate.
        may_be_singular: Keep everything finite when a pivot is 0.

    Returns:
        A pivot per column, and what the matrix has become.
    """
    shape = shape_of(matrix) or ()
    used = builder.like(matrix, np.zeros((*shape[:-2], 1, size)))
    pivots: List[Pivot] = []
    for step in range(size):
        column = _column(builder, matrix, step)
        row = _choose(builder, column, used, first=step == 0)
        pivot_row = builder.op("MatMul", row, matrix)
        value = _column(builder, pivot_row, step)
        pivots.append(Pivot(row, used, value))
        divisor = _not_zero(builder, value) if may_be_singular else value
        divided = builder.op("Div", pivot_row, divisor)
        matrix = _clear(builder, matrix, column, row, divided)
        used = builder.op("Add", used, row)
    return pivots, matrix


def _column(builder: GraphBuilder, matrix: ir.Value, index: int) -> ir.Value:
    axis = len(shape_of(matrix) or ()) - 1
    cut = [builder.ints(place) for place in (index, index + 1, axis)]
    return builder.op("Slice", matrix, *cut)


def _choose(builder: GraphBuilder, column: ir.Value, used: ir.Value, *, first: bool) -> ir.Value:
    """(..., 1, n) with a 1 at the row with the largest magnitude, the first of several."""
    shape = shape_of(used) or ()
    sizes = reshape(builder, builder.op("Abs", column), *shape)
    if not first:
        taken = builder.op("Greater", used, builder.like(used, 0.5))
        sizes = builder.op("Where", taken, builder.like(used, -1), sizes)
    largest = builder.op("ReduceMax", sizes, attributes={"axes": [len(shape) - 1], "keepdims": 1})
    one, zero = builder.like(used, 1), builder.like(used, 0)
    all_largest = builder.op("Where", builder.op("Equal", sizes, largest), one, zero)
    before = np.triu(np.ones((shape[-1], shape[-1])), 1)
    count_before = builder.op("MatMul", all_largest, builder.like(used, before))
    later = builder.op("Greater", count_before, builder.like(used, 0.5))
    return builder.op("Where", later, zero, all_largest)


def _clear(
    builder: GraphBuilder, matrix: ir.Value, column: ir.Value, row: ir.Value, pivot_row: ir.Value
) -> ir.Value:
    shape = shape_of(column) or ()
    is_pivot = builder.op("Greater", reshape(builder, row, *shape), builder.like(row, 0.5))
    others = builder.op("Sub", matrix, builder.op("Mul", column, pivot_row))
    return builder.op("Where", is_pivot, pivot_row, others)


def _not_zero(builder: GraphBuilder, value: ir.Value) -> ir.Value:
    is_zero = builder.op("Equal", value, builder.like(value, 0))
    return builder.op("Where", is_zero, builder.like(value, 1), value)
