"""Taps and weights of GridSample along one axis; the algebra is in ``grid_sample``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder

__all__ = ["TAPS", "Axis", "locate"]

#: Mode -> offset of each tap from floor(x), from the rounded x for ``nearest``.
TAPS: Dict[str, Tuple[int, ...]] = {"nearest": (0,), "linear": (0, 1), "cubic": (-1, 0, 1, 2)}

_REACH = 2  # pixels outside the picture at which no tap has any weight inside
_A = -0.75  # of the cubic convolution, ONNX operator GridSample
#: Mode -> a row per tap: the coefficients of its weight in 1, t, t^2, t^3.
_WEIGHTS = {
    "linear": [[1, -1], [0, 1]],
    "cubic": [
        [0, _A, -2 * _A, _A],
        [1, 0, -(_A + 3), _A + 2],
        [0, -_A, 2 * _A + 3, -(_A + 2)],
        [0, 0, _A, -_A],
    ],
}


@dataclass(frozen=True)
class Axis:
    """One axis of the picture and how it is sampled.

    Attributes:
        size: Pixels along the axis.
        mode: ``"nearest"``, ``"linear"`` or ``"cubic"``.
        padding: ``"zeros"``, ``"border"`` or ``"reflection"``.
        aligned: Whether -1 and 1 mean the centres of the outer pixels (else their outer edges).
    """

    size: int
    mode: str
    padding: str
    aligned: bool

    @property
    def frame(self) -> int:
        """Zero pixels that the picture must have around it."""
        return 1 if self.padding == "zeros" else 0


def locate(
    axis: Axis, normalised: ir.Value, builder: GraphBuilder
) -> Tuple[ir.Value, Optional[ir.Value]]:
    """Find the pixels that each place of the grid reads along an axis.

    Args:
        axis: The axis.
        normalised: Coordinates (1, P).
        builder: Writes the nodes.

    Returns:
        Indices into the framed axis, int32 (taps, P), and their weights (taps, P); None for the
        weights when all are 1.
    """
    x = _pixel_coordinate(axis, normalised, builder)
    if axis.padding != "reflection":
        # Further out nothing changes any more; without a bound an infinity would make a NaN.
        x = _clip(x, -_REACH, axis.size - 1 + _REACH, builder)
    weights = None
    if axis.mode == "nearest":
        taps = builder.op("Round", x)
    else:
        whole = builder.op("Floor", x)
        weights = _weigh(axis.mode, builder.op("Sub", x, whole), builder)
        offsets = np.array(TAPS[axis.mode])[:, None]
        taps = builder.op("Add", whole, builder.like(x, offsets))
    if axis.padding == "reflection":
        taps = _reflect(axis, taps, builder)
    taps = _clip(taps, -axis.frame, axis.size - 1 + axis.frame, builder)
    if axis.frame:
        taps = builder.op("Add", taps, builder.like(taps, axis.frame))
    return builder.op("Cast", taps, attributes={"to": ir.DataType.INT32.value}), weights


def _pixel_coordinate(axis: Axis, normalised: ir.Value, builder: GraphBuilder) -> ir.Value:
    # In the order in which PyTorch and ONNX Runtime compute it, so that "nearest" rounds the same.
    x = builder.op("Add", normalised, builder.like(normalised, 1))
    if axis.aligned:
        x = builder.op("Mul", x, builder.like(x, 0.5))
        return builder.op("Mul", x, builder.like(x, axis.size - 1))
    x = builder.op("Mul", x, builder.like(x, axis.size))
    x = builder.op("Sub", x, builder.like(x, 1))
    return builder.op("Mul", x, builder.like(x, 0.5))


def _reflect(axis: Axis, x: ir.Value, builder: GraphBuilder) -> ir.Value:
    low = 0.0 if axis.aligned else -0.5
    span = axis.size - 1 - 2 * low
    if span == 0:
        return x
    x = builder.op("Sub", x, builder.like(x, low))
    periods = builder.op("Floor", builder.op("Div", x, builder.like(x, 2 * span)))
    x = builder.op("Sub", x, builder.op("Mul", periods, builder.like(x, 2 * span)))
    off_fold = builder.op("Abs", builder.op("Sub", x, builder.like(x, span)))
    return builder.op("Sub", builder.like(x, low + span), off_fold)


def _weigh(mode: str, t: ir.Value, builder: GraphBuilder) -> ir.Value:
    """The weight of each tap by Horner's rule: (1, P) -> (taps, P)."""
    *lower, highest = np.array(_WEIGHTS[mode]).T[:, :, None]
    total = builder.like(t, highest)
    for coefficients in reversed(lower):
        total = builder.op("Mul", total, t)
        total = builder.op("Add", total, builder.like(t, coefficients))
    return total


def _clip(x: ir.Value, low: float, high: float, builder: GraphBuilder) -> ir.Value:
    return builder.op("Clip", x, builder.like(x, low), builder.like(x, high))
