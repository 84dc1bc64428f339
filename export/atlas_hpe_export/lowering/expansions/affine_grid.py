"""AffineGrid (opset 20): an affine matrix applied to every cell of a regular grid.

The grid of a constant size is a constant matrix P of shape (cells, 3), a row (x, y, 1) per cell, or
(cells, 4) with (x, y, z, 1) for volumes, the innermost axis varying fastest:

    grid = P @ transpose(theta)          (N, cells, 2) -> (N, H, W, 2)

Along an axis of n cells the centres run from -1 to 1 with align_corners; without it the outer edges
do, and the centres are (2 i + 1) / n - 1 for i = 0 .. n - 1.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, constant_of
from atlas_hpe_export.lowering.expansions.refusals import NOT_CONSTANT, UNKNOWN_TYPE

__all__ = ["expand_affine_grid"]


def expand_affine_grid(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """AffineGrid-20 with a constant size -> Transpose, MatMul, Reshape."""
    theta, size = node.inputs[0], constant_of(node.inputs[1])
    if size is None:
        return NOT_CONSTANT
    if theta is None or theta.dtype is None:
        return UNKNOWN_TYPE
    batch, _, *cells = (int(number) for number in size)
    aligned = bool(attribute_of(node, "align_corners", 0))
    if aligned and 1 in cells:
        return Refusal("with align_corners an axis of one cell has no agreed centre")
    axes = np.meshgrid(*[_centres(count, aligned) for count in cells], indexing="ij")
    rows = np.stack([*axes[::-1], np.ones(cells)], axis=-1).reshape(-1, len(cells) + 1)
    points = builder.constant(rows.astype(theta.dtype.numpy()))
    turned = builder.op("Transpose", theta, attributes={"perm": [0, 2, 1]})
    grid = builder.op("MatMul", points, turned)
    return [builder.op("Reshape", grid, builder.ints(batch, *cells, len(cells)))]


def _centres(count: int, aligned: bool) -> np.ndarray:
    if aligned:
        return np.linspace(-1, 1, count)
    return (2 * np.arange(count) + 1) / count - 1
