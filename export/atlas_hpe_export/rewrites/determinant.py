"""Determinants of small matrices, which only the AI CPU has.

With r_i the largest magnitude in row i of A (1 where the row is zero) and A' = A / r,

    n <= 4:  det A = prod(r) * sum over permutations p of sign(p) A'[0, p0] A'[1, p1] ...  (Leibniz)
    n <= 8:  det A = prod(r) * sign * product of the pivots of A'                (``elimination``)

The sign of the order in which the rows became pivots is (-1)^t, where t counts, for every pivot,
the rows above it that were no pivots yet.
"""

from __future__ import annotations

from itertools import permutations
from typing import Sequence, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape
from atlas_hpe_export.rewrites.elimination import Pivot, find_pivots
from atlas_hpe_export.rewrites.inverse import MAX_SIZE
from atlas_hpe_export.rewrites.rule import RewriteRule
from atlas_hpe_export.rewrites.small_matrices import matrix_size

__all__ = ["RULE"]

_MAX_CLOSED = 4


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "Det" or node.domain:
        return None
    matrix, size = node.inputs[0], matrix_size(node.inputs[0])
    if matrix is None or size is None or matrix.dtype is None:
        return Refusal("the size of its matrices is not known before the graph runs")
    if size > MAX_SIZE:
        return Refusal(f"its matrices are {size} x {size}, up to {MAX_SIZE} can be written out")
    balanced, rows = _balance_rows(builder, matrix)
    inner = _leibniz(builder, balanced) if size <= _MAX_CLOSED else _pivoted(builder, balanced)
    shape = shape_of(matrix) or ()
    scale = builder.op(
        "ReduceProd", rows, attributes={"axes": [len(shape) - 2, len(shape) - 1], "keepdims": 0}
    )
    return [builder.op("Mul", inner, scale)]


def _balance_rows(builder: GraphBuilder, matrix: ir.Value) -> Tuple[ir.Value, ir.Value]:
    last = len(shape_of(matrix) or ()) - 1
    magnitudes = builder.op("Abs", matrix)
    largest = builder.op("ReduceMax", magnitudes, attributes={"axes": [last], "keepdims": 1})
    is_zero = builder.op("Equal", largest, builder.like(matrix, 0))
    rows = builder.op("Where", is_zero, builder.like(matrix, 1), largest)
    return builder.op("Div", matrix, rows), rows


def _leibniz(builder: GraphBuilder, matrix: ir.Value) -> ir.Value:
    shape = shape_of(matrix) or ()
    size, axis = shape[-1], len(shape) - 2
    flat = reshape(builder, matrix, *shape[:-2], size * size)
    orders = list(permutations(range(size)))
    terms = builder.like(matrix, np.array([_sign(order) for order in orders]))
    for row in range(size):
        places = np.array([row * size + order[row] for order in orders], np.int32)
        factor = builder.op("Gather", flat, builder.constant(places), attributes={"axis": axis})
        terms = builder.op("Mul", factor, terms)
    return builder.op("ReduceSum", terms, attributes={"axes": [axis], "keepdims": 0})


def _sign(order: Sequence[int]) -> int:
    inversions = sum(order[i] > order[j] for j in range(len(order)) for i in range(j))
    return -1 if inversions % 2 else 1


def _pivoted(builder: GraphBuilder, matrix: ir.Value) -> ir.Value:
    shape = shape_of(matrix) or ()
    pivots, _ = find_pivots(builder, matrix, shape[-1], may_be_singular=True)
    product, passed = pivots[0].value, _count_passed(builder, pivots[0])
    for pivot in pivots[1:]:
        product = builder.op("Mul", product, pivot.value)
        passed = builder.op("Add", passed, _count_passed(builder, pivot))
    half = builder.op("Mul", passed, builder.like(matrix, 0.5))
    odd = builder.op("Sub", half, builder.op("Floor", half))  # 0 or 1/2
    is_odd = builder.op("Greater", odd, builder.like(matrix, 0.25))
    signed = builder.op("Where", is_odd, builder.op("Neg", product), product)
    return builder.op("Squeeze", signed, attributes={"axes": [len(shape) - 2, len(shape) - 1]})


def _count_passed(builder: GraphBuilder, pivot: Pivot) -> ir.Value:
    """Rows above the pivot that were no pivots yet, (..., 1, 1)."""
    shape = shape_of(pivot.row) or ()
    above = np.tril(np.ones((shape[-1], shape[-1])), -1)
    rows_above = builder.op("MatMul", pivot.row, builder.like(pivot.row, above))
    taken = builder.op("Mul", rows_above, pivot.used)
    open_rows = builder.op("Sub", rows_above, taken)
    return builder.op("ReduceSum", open_rows, attributes={"axes": [len(shape) - 1], "keepdims": 1})


RULE = RewriteRule(
    name="determinant",
    reason="a determinant runs on the AI CPU, which is slow and can fail",
    example="Det 3x3 -> sums of products; up to 8x8 -> elimination with pivoting",
    source="ascend.md section 3.7 (Det) and section 10, row 16",
    replacement=_replace,
    tolerance="rewrite-inverse",
)
