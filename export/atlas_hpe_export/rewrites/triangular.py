"""Inverse of a matrix that is known to be upper triangular, by back substitution.

    x[j, j] = 1 / u[j, j],    x[i, j] = -(sum over k = i+1..j of u[i, k] x[k, j]) / u[i, i]

For a pinhole camera, K = [[fx, s, cx], [0, fy, cy], [0, 0, 1]], that is

    1/fx, 1/fy, 1,   -cy/fy,   -s/fx * 1/fy,   (s cy/fy - cx) / fx

where no number exceeds those of K, so float16 holds them all. Elements that are known to be 0 or 1
take no node.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple, Union

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape

__all__ = ["invert_triangular", "is_upper_triangular"]

Element = Union[float, ir.Value]


def is_upper_triangular(known: Optional[np.ndarray]) -> bool:
    """Whether all elements (..., n, n) below the diagonal are known to be 0."""
    if known is None:
        return False
    rows, columns = np.tril_indices(known.shape[-1], -1)
    return bool((known[..., rows, columns] == 0).all())


def invert_triangular(builder: GraphBuilder, matrix: ir.Value, known: np.ndarray) -> ir.Value:
    """Inverse of (..., n, n).

    Args:
        builder: Takes the new nodes.
        matrix: Upper triangular.
        known: Its known elements, NaN for the others.
    """
    shape = shape_of(matrix) or ()
    size, axis = shape[-1], len(shape) - 2
    flat = reshape(builder, matrix, *shape[:-2], size * size)
    given = {
        (row, column): _element(builder, flat, known, row, column)
        for row in range(size)
        for column in range(row, size)
    }
    inverse: Dict[Tuple[int, int], Element] = {}
    for column in range(size):
        for row in range(column, -1, -1):
            total: Element = -1.0 if row == column else 0.0
            for between in range(row + 1, column + 1):
                product = _multiply(builder, given[row, between], inverse[between, column])
                total = _add(builder, total, product)
            inverse[row, column] = _divide(builder, _negate(builder, total), given[row, row])
    cells: List[ir.Value] = []
    for row in range(size):
        for column in range(size):
            cell = inverse.get((row, column), 0.0)
            if not isinstance(cell, ir.Value):
                cell = builder.like(matrix, np.full((*shape[:-2], 1), cell))
            cells.append(cell)
    joined = builder.op("Concat", *cells, attributes={"axis": axis})
    return reshape(builder, joined, *shape)


def _element(
    builder: GraphBuilder, flat: ir.Value, known: np.ndarray, row: int, column: int
) -> Element:
    """A number where it is the same in all matrices, else (..., 1)."""
    values = np.unique(known[..., row, column])
    if len(values) == 1 and np.isfinite(values[0]):
        return float(values[0])
    place = row * known.shape[-1] + column
    axis = len(shape_of(flat) or ()) - 1
    return builder.op(
        "Slice", flat, builder.ints(place), builder.ints(place + 1), builder.ints(axis)
    )


def _value(builder: GraphBuilder, element: Element, other: ir.Value) -> ir.Value:
    return element if isinstance(element, ir.Value) else builder.like(other, element)


def _multiply(builder: GraphBuilder, left: Element, right: Element) -> Element:
    if left == 0 or right == 0:
        return 0.0
    if left == 1 or right == 1:
        return right if left == 1 else left
    return _binary(builder, "Mul", left, right)


def _add(builder: GraphBuilder, left: Element, right: Element) -> Element:
    if left == 0 or right == 0:
        return right if left == 0 else left
    return _binary(builder, "Add", left, right)


def _divide(builder: GraphBuilder, left: Element, right: Element) -> Element:
    return left if left == 0 or right == 1 else _binary(builder, "Div", left, right)


def _negate(builder: GraphBuilder, element: Element) -> Element:
    return builder.op("Neg", element) if isinstance(element, ir.Value) else -element


def _binary(builder: GraphBuilder, op_type: str, left: Element, right: Element) -> Element:
    if isinstance(left, ir.Value):
        return builder.op(op_type, left, _value(builder, right, left))
    if isinstance(right, ir.Value):
        return builder.op(op_type, _value(builder, left, right), right)
    return {"Mul": left * right, "Add": left + right, "Div": left / right if right else np.nan}[
        op_type
    ]
