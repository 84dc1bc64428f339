"""``affine_grid``: the points where a warped picture is sampled, ``G = B theta^T``.

B is constant: a row (x, y, 1) per output pixel, where -1 and 1 are the centres of the outermost
pixels (``align_corners``) or their outer edges (PyTorch's documentation of ``affine_grid``).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.frontends.gaps.fill import tensor_inputs
from atlas_hpe_export.graph import GraphBuilder, attribute_of, dtype_of

__all__ = ["fill_affine_grid"]


def fill_affine_grid(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    """Theta (N, 2, 3) -> (N, H, W, 2), or (N, 3, 4) -> (N, D, H, W, 3)."""
    theta = tensor_inputs(node, 1)[0]
    batch, _, *sizes = node.attributes["size"].as_ints()  # (N, C, H, W)
    corners = bool(attribute_of(node, "align_corners", 0))
    axes = [_positions(size, corners) for size in sizes]
    points = [axis.ravel() for axis in reversed(np.meshgrid(*axes, indexing="ij"))]
    base = np.stack([*points, np.ones_like(points[0])], axis=1).astype(dtype_of(theta))
    columns = builder.op("Transpose", theta, attributes={"perm": [0, 2, 1]})
    grid = builder.op("MatMul", builder.constant(base), columns)
    return builder.op("Reshape", grid, builder.ints(batch, *sizes, len(sizes)))


def _positions(size: int, corners: bool) -> np.ndarray:
    if size == 1:
        return np.zeros(1)  # the middle, with either meaning
    inset = 0.0 if corners else 1.0 / size
    return np.linspace(inset - 1.0, 1.0 - inset, size)
