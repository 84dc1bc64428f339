"""Inverse and solve of square matrices: ``X = A^-1 B``, and from the right ``X = B A^-1``.

Written with ``com.microsoft::Inverse``, which ONNX Runtime computes; the rewrites for the board put
a closed form or an elimination in its place.
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.frontends.gaps.fill import fixed_shape, tensor_inputs
from atlas_hpe_export.graph import GraphBuilder, attribute_of

__all__ = ["fill_inverse", "fill_solve"]


def fill_inverse(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``torch.linalg.inv``, ``inv_ex`` and ``torch.inverse``: (..., n, n) -> (..., n, n)."""
    return _invert(tensor_inputs(node, 1)[0], builder)


def fill_solve(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """``torch.linalg.solve``: A (..., n, n) and B (..., n, k) or (..., n) -> the shape of B.

    B counts as vectors when it has one axis, or the shape of A without its last axis (PyTorch's
    documentation of ``torch.linalg.solve``).
    """
    matrix, right = tensor_inputs(node, 2)
    shape, right_shape = fixed_shape(matrix), fixed_shape(right)
    vectors = len(right_shape) == 1 or right_shape == shape[:-1]
    inverse = _invert(matrix, builder)
    if vectors:
        column = builder.op("Unsqueeze", right, builder.ints(-1))
        return builder.op("Squeeze", builder.op("MatMul", inverse, column), builder.ints(-1))
    if attribute_of(node, "left", 1):
        return builder.op("MatMul", inverse, right)
    return builder.op("MatMul", right, inverse)


def _invert(matrix: ir.Value, builder: GraphBuilder) -> ir.Value:
    inverse = builder.op("Inverse", matrix, domain="com.microsoft")
    inverse.shape, inverse.type = matrix.shape, matrix.type  # ONNX can't infer it: not its operator
    return inverse
