"""Inverses of matrices, for which the board has no operator at all.

By what is known about A (..., n, n), the first that fits:

    constant                        the inverse, computed here
    n = 1                           1 / A
    upper triangular, n <= 4        back substitution (``triangular``): camera matrices
    last row (0, ..., 0, 1), n <= 4 [[R, t], [0, 1]] -> [[inv(R), -inv(R) t], [0, 1]]: poses
    n = 2, 3                        cofactors over determinant, balanced (``small_matrices``)
    n <= 8                          Gauss-Jordan on [A | I] (``elimination``), balanced

A product inv(A) B with n > 3, which is how linalg.solve arrives, is Gauss-Jordan on [A | B].
"""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, constant_of, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape
from atlas_hpe_export.rewrites.elimination import solve
from atlas_hpe_export.rewrites.known_elements import known_elements
from atlas_hpe_export.rewrites.rule import RewriteRule
from atlas_hpe_export.rewrites.small_matrices import (
    balance,
    invert_by_cofactors,
    matrix_size,
)
from atlas_hpe_export.rewrites.triangular import invert_triangular, is_upper_triangular

__all__ = ["MAX_SIZE", "RULE"]

#: Largest matrix that is written out; elimination takes some twenty nodes per row.
MAX_SIZE = 8

_MAX_CLOSED = 4


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type == "MatMul" and _is_inverse(node.inputs[0]):
        return _replace_product(node, builder)
    if not _is_inverse(node.outputs[0]):
        return None
    matrix = node.inputs[0]
    size = matrix_size(matrix)
    if matrix is None or size is None or matrix.dtype is None:
        return Refusal("the size of its matrices is not known before the graph runs")
    constant = constant_of(matrix)
    if constant is not None:
        return _fold(constant, builder)
    if size > MAX_SIZE:
        return Refusal(f"its matrices are {size} x {size}, up to {MAX_SIZE} can be written out")
    if _is_read_by_products_only(node.outputs[0]):
        return None  # they are replaced instead
    return [_invert(builder, matrix)]


def _fold(constant: np.ndarray, builder: GraphBuilder) -> Outcome:
    try:
        inverse = np.linalg.inv(constant.astype(np.float64))
    except np.linalg.LinAlgError:
        return Refusal("its matrix is constant and singular")
    return [builder.constant(inverse.astype(constant.dtype))]


def _invert(builder: GraphBuilder, matrix: ir.Value) -> ir.Value:
    size, known = matrix_size(matrix) or 0, known_elements(matrix)
    if size == 1:
        return builder.op("Reciprocal", matrix)
    if known is not None and size <= _MAX_CLOSED:
        if is_upper_triangular(known):
            return invert_triangular(builder, matrix, known)
        if _is_affine(known):
            return _invert_affine(builder, matrix)
    if size <= 3:
        return invert_by_cofactors(builder, matrix)
    batch = (shape_of(matrix) or ())[:-2]
    unit = builder.like(matrix, np.broadcast_to(np.eye(size), (*batch, size, size)))
    return _solve_balanced(builder, matrix, unit)


def _invert_affine(builder: GraphBuilder, matrix: ir.Value) -> ir.Value:
    shape = shape_of(matrix) or ()
    rank, inner = len(shape), shape[-1] - 1
    rows = [builder.ints(0), builder.ints(inner), builder.ints(rank - 2)]
    upper = builder.op("Slice", matrix, *rows)
    linear, offset = builder.ops(
        "Split", upper, outputs=2, attributes={"axis": rank - 1, "split": [inner, 1]}
    )
    inverse = _invert(builder, linear)
    back = builder.op("Neg", builder.op("MatMul", inverse, offset))
    top = builder.op("Concat", inverse, back, attributes={"axis": rank - 1})
    last = np.broadcast_to(np.eye(inner + 1)[-1:], (*shape[:-2], 1, inner + 1))
    return builder.op("Concat", top, builder.like(matrix, last), attributes={"axis": rank - 2})


def _solve_balanced(builder: GraphBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """inv(R A' C) B = (inv(A') (B / r)) / c."""
    balanced, rows, columns = balance(builder, left)
    solution = solve(builder, balanced, builder.op("Div", right, rows))
    return builder.op("Div", solution, columns)


def _replace_product(node: ir.Node, builder: GraphBuilder) -> Outcome:
    maker = node.inputs[0].producer() if node.inputs[0] is not None else None
    if maker is None or not _is_solved_by(node):
        return None
    left, right = maker.inputs[0], node.inputs[1]
    shapes = shape_of(left), shape_of(right)
    if left is None or right is None or shapes[0] is None or shapes[1] is None:
        return None
    batch = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
    left = _expand(builder, left, shapes[0], batch)
    return [_solve_balanced(builder, left, _expand(builder, right, shapes[1], batch))]


def _expand(
    builder: GraphBuilder, value: ir.Value, shape: Tuple[int, ...], batch: Tuple[int, ...]
) -> ir.Value:
    wanted = (*batch, *shape[-2:])
    if shape == wanted:
        return value
    same_rank = reshape(builder, value, *[1] * (len(wanted) - len(shape)), *shape)
    return builder.op("Expand", same_rank, builder.ints(*wanted))


def _is_inverse(value: Optional[ir.Value]) -> bool:
    node = None if value is None else value.producer()
    return node is not None and (node.domain, node.op_type) == ("com.microsoft", "Inverse")


def _is_read_by_products_only(inverse: ir.Value) -> bool:
    users = [user for user, _ in inverse.uses()]
    return bool(users) and not inverse.is_graph_output() and all(map(_is_solved_by, users))


def _is_solved_by(node: ir.Node) -> bool:
    """Whether the node is a product inv(A) B that is better solved than multiplied."""
    if node.op_type != "MatMul" or node.domain or not _is_inverse(node.inputs[0]):
        return False
    maker = node.inputs[0].producer() if node.inputs[0] is not None else None
    matrix = maker.inputs[0] if maker is not None else None
    size, right = matrix_size(matrix), shape_of(node.inputs[1])
    if size is None or right is None or constant_of(matrix) is not None:
        return False
    if not 3 < size <= MAX_SIZE or len(right) < 2 or right[-1] > size:
        return False
    known = known_elements(matrix)
    if known is None or size > _MAX_CLOSED:
        return True
    return not (is_upper_triangular(known) or _is_affine(known))


def _is_affine(known: np.ndarray) -> bool:
    return bool((known[..., -1, :] == np.eye(known.shape[-1])[-1]).all())


def _remains(node: ir.Node) -> Optional[str]:
    if (node.domain, node.op_type) != ("com.microsoft", "Inverse"):
        return None
    return (
        f"the board has no inverse of this size; take it on the host, or solve with fewer "
        f"than {MAX_SIZE + 1} unknowns"
    )


RULE = RewriteRule(
    name="inverse",
    reason="the board's compiler has no parser for an inverse of matrices",
    example="Inverse 3x3 -> cofactors / determinant; up to 8x8 -> elimination with pivoting",
    source="ascend.md section 3.7 (Inverse) and section 10, row 16",
    replacement=_replace,
    remains=_remains,
    tolerance="rewrite-inverse",
)
