"""What a Resize computes along one axis, as a matrix; by ONNX, and by the board's compiler.

Every output is a sum of inputs with constant weights, axis by axis: Y = R_1 X R_2^T for a picture.
With output place i, input size n, output size m and scale s (ONNX, operator Resize, opset 11), the
place in the input is

    half_pixel            (i + 1/2) / s - 1/2
    pytorch_half_pixel    the same if m > 1, else 0
    tf_half_pixel_for_nn  (i + 1/2) / s
    align_corners         i (n - 1) / (m - 1), 0 if m = 1
    asymmetric            i / s

and the weights around it, at distance t from the pixel before, are 1 for the rounded place, 1 - t
and t, or those of a cubic convolution. Pixels outside are those of the edge.

The plugin of the board's compiler takes the output size, so its scale is m / n whatever the model
says; it computes linear with align_corners, with half-pixel centres for pytorch_half_pixel, and
asymmetric for everything else (ascend.md section 3.7). Of nearest, only asymmetric with floor is
known to match.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import attribute_of, constant_of, shape_of

__all__ = ["board_weights", "is_understood", "onnx_weights", "resized_axes", "says"]

_COORDINATES = (
    "align_corners",
    "asymmetric",
    "half_pixel",
    "pytorch_half_pixel",
    "tf_half_pixel_for_nn",
)
# ONNX Runtime computes places in float32; a floor at a whole number must fall as it does there.
_F = np.float32
_ROUNDING: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - _F(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + _F(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def says(node: ir.Node) -> Tuple[str, str]:
    """Mode and coordinate rule of a Resize in its form at opset 11."""
    return (
        attribute_of(node, "mode", "nearest"),
        attribute_of(node, "coordinate_transformation_mode", "half_pixel"),
    )


def is_understood(node: ir.Node) -> bool:
    """Whether the node is a Resize, in its form at opset 11, that this module computes."""
    if node.op_type != "Resize" or node.domain or len(node.inputs) < 3:
        return False
    mode, coordinates = says(node)
    return mode in ("nearest", "linear", "cubic") and coordinates in _COORDINATES


def resized_axes(node: ir.Node) -> Optional[List[Tuple[int, int, int, float]]]:
    """Axis, sizes before and after, and scale of every axis that is not copied as it is.

    None when the sizes or scales are not known before the graph runs.
    """
    before, after = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if before is None or after is None or len(before) != len(after) or 0 in (*before, *after):
        return None
    scales = constant_of(node.inputs[2])
    if scales is None or not scales.size:
        if node.inputs[2] is not None and scales is None:
            return None
        scales = np.array([new / old for old, new in zip(before, after)], np.float32)
    sizes = enumerate(zip(before, after, scales.tolist()))
    return [(axis, *item) for axis, item in sizes if item[0] != item[1] or item[2] != 1]


def onnx_weights(node: ir.Node, before: int, after: int, scale: float) -> np.ndarray:
    """(after, before) weights along an axis, by the specification."""
    mode, coordinates = says(node)
    places = _places(coordinates, before, after, scale)
    if mode == "nearest":
        rounded = _ROUNDING[attribute_of(node, "nearest_mode", "round_prefer_floor")](places)
        return _rows_of_unit(before, rounded)
    if mode == "linear":
        return _linear(places, before)
    factor = attribute_of(node, "cubic_coeff_a", -0.75)
    return _cubic(places, before, factor, bool(attribute_of(node, "exclude_outside", 0)))


def board_weights(mode: str, coordinates: str, before: int, after: int) -> np.ndarray:
    """(after, before) weights along an axis, as the board computes ``linear`` and ``nearest``."""
    honoured = coordinates in ("align_corners", "pytorch_half_pixel") and mode == "linear"
    read = coordinates if honoured else "asymmetric"
    places = _places(read, before, after, after / before)
    if mode == "linear":
        return _linear(places, before)
    return _rows_of_unit(before, np.floor(places))


def _rows_of_unit(size: int, places: np.ndarray) -> np.ndarray:
    chosen: np.ndarray = np.eye(size)[np.clip(places, 0, size - 1).astype(int)]
    return chosen


def _places(coordinates: str, before: int, after: int, scale: float) -> np.ndarray:
    """(after,) float32 places in the input."""
    i, half = np.arange(after, dtype=_F), _F(0.5)
    places: np.ndarray = (i + half) / _F(scale) - half
    if coordinates == "align_corners":
        places = i * _F(before - 1) / _F(max(after - 1, 1))
    elif coordinates == "asymmetric":
        places = i / _F(scale)
    elif coordinates == "tf_half_pixel_for_nn":
        places = (i + half) / _F(scale)
    elif coordinates == "pytorch_half_pixel" and after == 1:
        places = np.zeros(1, _F)
    return places


def _linear(places: np.ndarray, before: int) -> np.ndarray:
    inside = np.clip(places.astype(np.float64), 0, before - 1)
    start = np.floor(inside).astype(int)
    share = (inside - start)[:, None]
    weights: np.ndarray = (1 - share) * _rows_of_unit(before, start)
    weights += share * _rows_of_unit(before, start + 1)
    return weights


def _cubic(places: np.ndarray, before: int, a: float, exclude_outside: bool) -> np.ndarray:
    """Cubic convolution (Keys 1981) with the coefficient ``a``."""
    start = np.floor(places.astype(np.float64))
    t = places - start
    weights = np.zeros((len(places), before))
    for offset in (-1, 0, 1, 2):
        d = np.abs(t - offset)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        weight = np.where(d <= 1, near, far)
        pixel = start.astype(int) + offset
        if exclude_outside:
            weight = np.where((pixel >= 0) & (pixel < before), weight, 0)
        np.add.at(weights, (np.arange(len(places)), np.clip(pixel, 0, before - 1)), weight)
    if exclude_outside:
        weights /= weights.sum(axis=1, keepdims=True)
    return weights
