"""GridSample (opsets 16 and 20) as a Gather of pixels and a weighted sum.

With pixel coordinates (x, y) of a place of the grid, of the normalised (g_x, g_y):

    x = ((g_x + 1) * W - 1) / 2,  or (g_x + 1) / 2 * (W - 1) with align_corners
    output = sum over taps j, i of  v_j(y) * u_i(x) * X[floor(y) + j, floor(x) + i]

Taps and weights, with t = x - floor(x):

    nearest     one tap at the rounded coordinate (halves to even), weight 1
    linear      i = 0, 1           u = 1 - t, t
    cubic       i = -1, 0, 1, 2    u = cubic convolution with A = -0.75, as polynomials in t

Outside the picture:

    border      a tap outside is moved to the edge
    reflection  a tap at k is folded to low + s - |r - s| with r = (k - low) mod 2 s, where
                [low, low + s] is [0, W - 1] with align_corners and [-1/2, W - 1/2] without;
                then as border
    zeros       the picture gets a frame of one zero pixel, then as border on the framed picture: a
                tap outside lands on the frame, so no comparison and no mask is needed

What runs where on the Ascend 310 (ascend310_onnx_ops.json): Gather has an AI Core kernel,
GatherElements runs on the AI CPU, and GatherND drops its batch axes; so pixels become rows of a
table (N * H * W, C), taken with one Gather for all taps. A row per pixel is one contiguous read for
all channels. The rest is elementwise, with one ReduceSum over the taps.

The board computes in fp16, where only integers up to 2048 are exact: row and column are separate,
go to int32 each, and ``row * W + column`` is made there. So pictures of up to 2046 pixels along a
side are addressed exactly.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.lowering.expansions.grid_locate import TAPS, Axis, locate
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_SHAPE
from atlas_hpe_export.lowering.restate import restate

__all__ = ["expand_grid_sample", "rename_grid_sample_modes"]

_OLD_NAMES = {"linear": "bilinear", "cubic": "bicubic"}
_NEW_NAMES = {old: new for new, old in _OLD_NAMES.items()}


def rename_grid_sample_modes(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """GridSample-20 -> GridSample-16, which knows pictures only and other names of the modes."""
    shape = shape_of(node.inputs[0])
    if shape is None:
        return UNKNOWN_SHAPE
    if len(shape) != 4:
        return _not_a_picture(shape)
    mode = attribute_of(node, "mode", "linear")
    return restate(node, builder, node.inputs, mode=_OLD_NAMES.get(mode, mode))


def expand_grid_sample(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """GridSample-16 of a picture (N, C, H, W) on a grid (N, H', W', 2), all sizes static."""
    image, grid = node.inputs
    shape, places = shape_of(image), shape_of(grid)
    if image is None or grid is None or shape is None or places is None:
        return UNKNOWN_SHAPE
    if len(shape) != 4:
        return _not_a_picture(shape)
    mode = attribute_of(node, "mode", "bilinear")
    padding = attribute_of(node, "padding_mode", "zeros")
    aligned = bool(attribute_of(node, "align_corners", 0))
    if _NEW_NAMES.get(mode, mode) not in TAPS:
        return Refusal(f"its mode '{mode}' is not known")
    across, down = (
        Axis(size, _NEW_NAMES.get(mode, mode), padding, aligned) for size in (shape[3], shape[2])
    )
    x, y = _split(grid, places, builder)
    columns, column_weights = locate(across, x, builder)
    rows, row_weights = locate(down, y, builder)
    indices = _flat_indices(rows, columns, shape, across.frame, builder)
    found = builder.op("Gather", _pixel_table(image, shape, across.frame, builder), indices)
    if row_weights is not None and column_weights is not None:
        found = _weighted_sum(found, row_weights, column_weights, builder)
    cells = builder.op("Reshape", found, builder.ints(*places[:3], shape[1]))
    return [builder.op("Transpose", cells, attributes={"perm": [0, 3, 1, 2]})]


def _not_a_picture(shape: Tuple[int, ...]) -> Refusal:
    return Refusal(f"it samples {len(shape) - 2} axes, only pictures with 2 can be lowered")


def _split(
    grid: ir.Value, places: Tuple[int, ...], builder: GraphBuilder
) -> Tuple[ir.Value, ir.Value]:
    """The two coordinates, each (1, P) over all places P = N * H' * W'."""
    row = builder.ints(1, places[0] * places[1] * places[2])
    cuts = builder.ints(0), builder.ints(1), builder.ints(2)
    parts = [builder.op("Slice", grid, cuts[at], cuts[at + 1], builder.ints(3)) for at in (0, 1)]
    return builder.op("Reshape", parts[0], row), builder.op("Reshape", parts[1], row)


def _pixel_table(
    image: ir.Value, shape: Tuple[int, ...], frame: int, builder: GraphBuilder
) -> ir.Value:
    """A row of C values per pixel, of the framed picture."""
    if frame:
        sides = [0, 0, frame, frame]
        image = builder.op("Pad", image, builder.ints(*sides, *sides))
    pixels = builder.op("Transpose", image, attributes={"perm": [0, 2, 3, 1]})
    return builder.op("Reshape", pixels, builder.ints(-1, shape[1]))


def _flat_indices(
    rows: ir.Value, columns: ir.Value, shape: Tuple[int, ...], frame: int, builder: GraphBuilder
) -> ir.Value:
    """Row of the pixel table per pair of taps and place: (taps, P) twice -> (taps * taps, P)."""
    taps, places = shape_of(rows) or (0, 0)
    height, width = shape[2] + 2 * frame, shape[3] + 2 * frame
    start = builder.op("Mul", rows, builder.constant(np.array(width, np.int32)))
    if shape[0] > 1:
        pictures = np.repeat(np.arange(shape[0]), places // shape[0]) * height * width
        start = builder.op("Add", start, builder.constant(pictures.astype(np.int32)))
    start = builder.op("Reshape", start, builder.ints(taps, 1, places))
    return builder.op("Reshape", builder.op("Add", start, columns), builder.ints(-1, places))


def _weighted_sum(
    found: ir.Value, rows: ir.Value, columns: ir.Value, builder: GraphBuilder
) -> ir.Value:
    """Pixels (taps * taps, P, C) times the products of their weights, summed: (P, C)."""
    taps, places = shape_of(rows) or (0, 0)
    rows = builder.op("Reshape", rows, builder.ints(taps, 1, places))
    weights = builder.op("Reshape", builder.op("Mul", rows, columns), builder.ints(-1, places, 1))
    weighted = builder.op("Mul", found, weights)
    return builder.op("ReduceSum", weighted, builder.ints(0), attributes={"keepdims": 0})
