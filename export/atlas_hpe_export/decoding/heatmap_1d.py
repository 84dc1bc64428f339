"""1-D heatmaps as nodes: a soft-argmax per joint and axis (networks.md section 5).

For logits m (L,) and centred positions c (L,): p = softmax(m), position = p @ c * P / L + 1/2.
"""

from __future__ import annotations

from typing import Dict, Mapping

import numpy as np
import onnx_ir as ir

from atlas_hpe.errors import UsageError
from atlas_hpe_export.decoding.grid import centred_positions
from atlas_hpe_export.graph import GraphBuilder, shape_of

__all__ = ["decode_heatmap_1d"]

_AXES = 3


def decode_heatmap_1d(
    builder: GraphBuilder, maps: ir.Value, options: Mapping[str, float]
) -> Dict[str, ir.Value]:
    """(1, 3 J, L) logits, x of all joints first, then y, then z -> ``joints`` (1, J, 3) in [0, 1].

    ``score`` (1, J) is the least peak of the three softmaxed maps of a joint.

    Raises:
        UsageError: The maps are not (1, 3 J, L).
    """
    del options  # the soft-argmax has none
    shape = shape_of(maps)
    if shape is None or len(shape) != 3 or shape[1] % _AXES:
        raise UsageError("the heatmaps are not three per joint", where=f"output '{maps.name}'")
    _, rows, cells = shape
    joints = rows // _AXES
    weights = builder.op("Softmax", maps, attributes={"axis": 2})
    positions, factor = centred_positions(cells)
    grid = (positions[:, None]).astype(np.float32)
    centred = builder.op("MatMul", weights, builder.constant(grid))  # (1, 3 J, 1)
    if factor != 1:
        centred = builder.op("Mul", centred, builder.like(centred, factor))
    shares = builder.op("Add", centred, builder.like(centred, 0.5))
    by_axis = builder.op("Reshape", shares, builder.ints(-1, _AXES, joints))
    peaks = builder.op("ReduceMax", weights, attributes={"axes": [2], "keepdims": 0})
    peaks = builder.op("Reshape", peaks, builder.ints(-1, _AXES, joints))
    return {
        "joints": builder.op("Transpose", by_axis, attributes={"perm": [0, 2, 1]}),
        "score": builder.op("ReduceMin", peaks, attributes={"axes": [1], "keepdims": 0}),
    }
