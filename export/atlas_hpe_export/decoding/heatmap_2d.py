"""2-D heatmaps as nodes: the expectation of each map, or the soft-argmax of its logits.

For a map flattened to m (HW,), with centred positions c (HW, 2) and a power of two s:

    (mass, sums) = (m @ s, m @ (s c)),    (x, y) = sums / mass * P / (W, H) + 1/2

which is sum_i i m_i / (W sum m), the decoder ``heatmap-2d`` of the host. s cancels; with it all
stored numbers fit fp16. The products run in the matrix unit, which accumulates in fp32.
"""

from __future__ import annotations

from typing import Dict, Mapping

import numpy as np
import onnx_ir as ir

from atlas_hpe.errors import UsageError
from atlas_hpe_export.decoding.grid import centred_positions, mass_scale
from atlas_hpe_export.graph import GraphBuilder, shape_of

__all__ = ["decode_heatmap_2d"]


def decode_heatmap_2d(
    builder: GraphBuilder, maps: ir.Value, options: Mapping[str, float]
) -> Dict[str, ir.Value]:
    """(1, J, H, W) maps -> ``joints`` (1, J, 2) in [0, 1], ``score`` (1, J), ``mass`` (1, J).

    ``score`` is the peak of the map, ``mass`` its sum in cells, by which the host tells a joint
    that was not found. Option ``softmax_beta`` takes the maps as logits: softmax(beta m) first.

    Raises:
        UsageError: The maps are not (1, J, H, W).
    """
    shape = shape_of(maps)
    if shape is None or len(shape) != 4:
        raise UsageError("the heatmaps have no fixed size", where=f"output '{maps.name}'")
    _, joints, height, width = shape
    cells = height * width
    flat = builder.op("Reshape", maps, builder.ints(-1, joints, cells))
    beta = options.get("softmax_beta")
    if beta is not None:
        scaled = builder.op("Mul", flat, builder.like(flat, beta)) if beta != 1 else flat
        flat = builder.op("Softmax", scaled, attributes={"axis": 2})
    scale = mass_scale(cells) if beta is None else 1.0
    x, x_factor = centred_positions(width)
    y, y_factor = centred_positions(height)
    grid = np.stack([np.tile(x, height), np.repeat(y, width)], axis=1) * np.float32(scale)
    sums = builder.op("MatMul", flat, builder.constant(grid))  # (1, J, 2)
    weights = np.full((cells, 1), scale, np.float32)
    mass = builder.op("MatMul", flat, builder.constant(weights))  # (1, J, 1)
    # An empty map has no expectation; the host drops it by its mass, the division must not be 0/0.
    least = options.get("min_mass", 1.0) * scale / 2
    safe = builder.op("Clip", mass, builder.like(mass, least), None)
    centred = builder.op("Div", sums, safe)
    if (x_factor, y_factor) != (1.0, 1.0):
        factors = np.array([x_factor, y_factor], np.float32)
        centred = builder.op("Mul", centred, builder.constant(factors))
    peak = builder.op("ReduceMax", flat, attributes={"axes": [2], "keepdims": 0})
    in_cells = builder.op("Mul", mass, builder.like(mass, 1 / scale)) if scale != 1 else mass
    return {
        "joints": builder.op("Add", centred, builder.like(centred, 0.5)),
        "score": peak,
        "mass": builder.op("Reshape", in_cells, builder.ints(-1, joints)),
    }
