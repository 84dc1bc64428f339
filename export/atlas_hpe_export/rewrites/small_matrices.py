"""Inverses of small matrices without a loop, in numbers that float16 holds.

Balancing. With r_i the largest magnitude in row i of A, and c_j the largest in column j of A / r,

    A = R A' C,   R = diag(r), C = diag(c),   so   inv(A)[j, i] = inv(A')[j, i] / (c_j r_i)

and all elements of A' are within [-1, 1]. Without it the products of a cofactor leave float16: for
focal lengths of 1400 pixels, fx * fy is 2e6, and float16 ends at 65504.

Cofactors. For n = 2 and 3, with indices modulo n for n = 3,

    n = 2:  adj = [[d, -b], [-c, a]]
    n = 3:  adj[j, i] = A[i+1, j+1] A[i+2, j+2] - A[i+1, j+2] A[i+2, j+1]
    det = sum_j A[0, j] adj[j, 0],   inv = adj / det
"""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape

__all__ = ["balance", "invert_by_cofactors", "matrix_size"]

_CYCLE = 3


def matrix_size(value: Optional[ir.Value]) -> Optional[int]:
    """Size n of square matrices (..., n, n) of a known shape, None for anything else."""
    shape = shape_of(value)
    if shape is None or len(shape) < 2 or shape[-1] != shape[-2] or 0 in shape:
        return None
    return shape[-1]


def balance(builder: GraphBuilder, matrix: ir.Value) -> Tuple[ir.Value, ir.Value, ir.Value]:
    """A' (..., n, n) with elements in [-1, 1], r (..., n, 1) and c (..., n, 1)."""
    shape = shape_of(matrix) or ()
    rows = _largest(builder, matrix, len(shape) - 1)
    scaled = builder.op("Div", matrix, rows)
    columns = _largest(builder, scaled, len(shape) - 2)
    balanced = builder.op("Div", scaled, columns)
    return balanced, rows, reshape(builder, columns, *shape[:-1], 1)


def _largest(builder: GraphBuilder, matrix: ir.Value, axis: int) -> ir.Value:
    magnitudes = builder.op("Abs", matrix)
    return builder.op("ReduceMax", magnitudes, attributes={"axes": [axis], "keepdims": 1})


def invert_by_cofactors(builder: GraphBuilder, matrix: ir.Value) -> ir.Value:
    """Inverse of (..., n, n) for n = 2 and 3."""
    shape = shape_of(matrix) or ()
    balanced, rows, columns = balance(builder, matrix)
    size, axis = shape[-1], len(shape) - 2
    flat = reshape(builder, balanced, *shape[:-2], size * size)
    adjugate = _adjugate_2(builder, flat) if size == 2 else _adjugate_3(builder, flat, axis)
    first_row = _take(builder, flat, list(range(size)), axis)
    first_column = _take(builder, adjugate, list(range(0, size * size, size)), axis)
    determinant = builder.op(
        "ReduceSum",
        builder.op("Mul", first_row, first_column),
        attributes={"axes": [axis], "keepdims": 1},
    )
    inverse = reshape(builder, builder.op("Div", adjugate, determinant), *shape)
    by_column = builder.op("Div", inverse, columns)
    return builder.op("Div", by_column, reshape(builder, rows, *shape[:-2], 1, size))


def _adjugate_2(builder: GraphBuilder, flat: ir.Value) -> ir.Value:
    swapped = _take(builder, flat, [3, 1, 2, 0], len(shape_of(flat) or ()) - 1)
    return builder.op("Mul", swapped, builder.like(flat, np.array([1, -1, -1, 1])))


def _adjugate_3(builder: GraphBuilder, flat: ir.Value, axis: int) -> ir.Value:
    column, row = np.divmod(np.arange(9), _CYCLE)  # element (column, row) of the adjugate

    def element(down: int, right: int) -> np.ndarray:
        places: np.ndarray = (row + down) % _CYCLE * _CYCLE + (column + right) % _CYCLE
        return places

    indices = np.concatenate([element(1, 1), element(2, 2), element(1, 2), element(2, 1)])
    factors = builder.ops(
        "Split",
        _take(builder, flat, indices, axis),
        outputs=4,
        attributes={"axis": axis, "split": [9] * 4},
    )
    return builder.op(
        "Sub", builder.op("Mul", factors[0], factors[1]), builder.op("Mul", factors[2], factors[3])
    )


def _take(builder: GraphBuilder, flat: ir.Value, indices: object, axis: int) -> ir.Value:
    constant = builder.constant(np.array(indices, np.int32))
    return builder.op("Gather", flat, constant, attributes={"axis": axis})
