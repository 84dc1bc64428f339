"""Trilu (opset 14): keep one triangle of each matrix.

    y = Where(mask, x, 0),   mask[i, j] = (j - i >= k), or (j - i <= k) for the lower triangle

The mask is constant. Where instead of a product with ones and zeros: a NaN or an infinity in the
dropped triangle must not come through, and attention masks are made of infinities.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, attribute_of, constant_of, shape_of
from atlas_hpe_export.lowering.expansions.refusals import NOT_CONSTANT, UNKNOWN_SHAPE, UNKNOWN_TYPE

__all__ = ["expand_trilu"]


def expand_trilu(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Trilu-14 -> Where with a constant mask."""
    x = node.inputs[0]
    shape = shape_of(x)
    if x is None or shape is None:
        return UNKNOWN_SHAPE
    if x.dtype is None:
        return UNKNOWN_TYPE
    diagonal = 0
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        constant = constant_of(node.inputs[1])
        if constant is None:
            return NOT_CONSTANT
        diagonal = int(constant.reshape(-1)[0])
    rows, columns = np.ogrid[: shape[-2], : shape[-1]]
    offset = columns - rows
    mask = offset >= diagonal if attribute_of(node, "upper", 1) else offset <= diagonal
    kept = builder.constant(mask)
    if x.dtype == ir.DataType.BOOL:  # ONNX Runtime has no Where for it
        return [builder.op("And", x, kept)]
    return [builder.op("Where", kept, x, builder.like(x, 0))]
