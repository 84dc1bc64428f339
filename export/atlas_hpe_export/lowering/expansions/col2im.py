"""Col2Im (opset 18, PyTorch's fold): columns of blocks back to a picture, overlaps summed.

The columns (N, C * K, L), with K cells per block and L = L_1 * L_2 * ... blocks, are pictures of
L_1 x L_2 x ... pixels with K channels. A transposed convolution whose kernel for channel k is 1 at
cell k and 0 elsewhere puts each element where it belongs and sums what overlaps:

    Reshape (N * C, K, L_1, L_2, ...) -> ConvTranspose -> Reshape (N, C, H, W, ...)

With the channels among the batch one small kernel serves all of them, (K, 1, block...), and no
groups are needed. Where the last stride does not reach the end of the picture, ``output_padding``
holds the rest. Products with 1 and 0 are exact.

Blocks that neither overlap nor leave gaps only move elements, without any arithmetic:

    Reshape (N, C, b_1, b_2, L_1, L_2) -> Transpose (N, C, L_1, b_1, L_2, b_2) -> Reshape

The board has no plugin for Col2Im; ConvTranspose and Transpose have AI Core kernels
(ascend310_onnx_ops.json).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    shape_of,
)
from atlas_hpe_export.graph.builder import Attribute
from atlas_hpe_export.lowering.expansions.refusals import NOT_CONSTANT, UNKNOWN_SHAPE

__all__ = ["expand_col2im"]


@dataclass(frozen=True)
class _Fold:
    """Sizes per spatial axis; ``pads`` holds all beginnings, then all ends."""

    picture: List[int]
    block: List[int]
    strides: List[int]
    dilations: List[int]
    pads: List[int]

    def slack(self, axis: int) -> int:
        """What the last stride leaves of the padded axis."""
        return self._room(axis) % self.strides[axis]

    def blocks(self, axis: int) -> int:
        """Number of blocks along an axis."""
        return self._room(axis) // self.strides[axis] + 1

    def _room(self, axis: int) -> int:
        padded = self.picture[axis] + self.pads[axis] + self.pads[axis + len(self.picture)]
        return padded - self.dilations[axis] * (self.block[axis] - 1) - 1

    @property
    def tiles(self) -> bool:
        """Whether the blocks lie side by side and cover the picture."""
        bare = not any(self.pads) and not any(map(self.slack, range(len(self.picture))))
        return bare and self.strides == self.block and set(self.dilations) == {1}


def expand_col2im(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Col2Im-18 with constant shapes; one to three spatial axes."""
    columns, picture, block = node.inputs
    shape = shape_of(columns)
    if columns is None or shape is None:
        return UNKNOWN_SHAPE
    sizes, cells = constant_of(picture), constant_of(block)
    if sizes is None or cells is None:
        return NOT_CONSTANT
    rank = len(sizes)
    if rank > 3:
        return Refusal(f"it folds {rank} axes, at most 3 can be lowered")
    fold = _Fold(
        [int(size) for size in sizes],
        [int(size) for size in cells],
        attribute_of(node, "strides", [1] * rank),
        attribute_of(node, "dilations", [1] * rank),
        attribute_of(node, "pads", [0] * 2 * rank),
    )
    lay = _lay_tiles if fold.tiles else _sum_blocks
    return [lay(columns, shape, fold, builder)]


def _lay_tiles(
    columns: ir.Value, shape: Tuple[int, ...], fold: _Fold, builder: GraphBuilder
) -> ir.Value:
    rank, cells = len(fold.block), int(np.prod(fold.block))
    counts = [fold.blocks(axis) for axis in range(rank)]
    lead = [shape[0], shape[1] // cells]
    split = builder.op("Reshape", columns, builder.ints(*lead, *fold.block, *counts))
    pairs = [at for axis in range(rank) for at in (2 + rank + axis, 2 + axis)]
    laid = builder.op("Transpose", split, attributes={"perm": [0, 1, *pairs]})
    return builder.op("Reshape", laid, builder.ints(*lead, *fold.picture))


def _sum_blocks(
    columns: ir.Value, shape: Tuple[int, ...], fold: _Fold, builder: GraphBuilder
) -> ir.Value:
    rank, cells = len(fold.block), int(np.prod(fold.block))
    counts = [fold.blocks(axis) for axis in range(rank)]
    batch, channels = shape[0], shape[1] // cells
    pictures = builder.op("Reshape", columns, builder.ints(batch * channels, cells, *counts))
    kernel = builder.like(columns, np.eye(cells).reshape(cells, 1, *fold.block))
    attributes: Dict[str, Attribute] = {
        "kernel_shape": fold.block,
        "strides": fold.strides,
        "dilations": fold.dilations,
        "pads": fold.pads,
        "output_padding": [fold.slack(axis) for axis in range(rank)],
        "group": 1,
    }
    summed = builder.op("ConvTranspose", pictures, kernel, attributes=attributes)
    return builder.op("Reshape", summed, builder.ints(batch, channels, *fold.picture))
