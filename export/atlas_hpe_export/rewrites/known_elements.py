"""Which elements of a computed tensor are known before the graph runs.

A camera matrix is put together from computed numbers and constants; that its last row is (0, 0, 1)
is then known, and its inverse is simpler. Only steps that move elements are followed.
"""

from __future__ import annotations

from typing import Callable, Dict, Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import attribute_of, constant_of, shape_of

__all__ = ["known_elements"]

_MAX_STEPS = 200  # below Python's limit of nested calls
_MAX_SIZE = 4096
Shape = Tuple[int, ...]
Known = Optional[np.ndarray]
Seen = Dict[int, Known]


def known_elements(value: Optional[ir.Value]) -> Known:
    """The elements as float64, NaN where they are not known; None when the shape is not known."""
    return _look(value, {}, _MAX_STEPS)


def _look(value: Optional[ir.Value], seen: Seen, steps: int) -> Known:
    shape = shape_of(value)
    if value is None or shape is None:
        return None
    if id(value) not in seen:
        seen[id(value)] = _find(value, shape, seen, steps)
    found = seen[id(value)]
    return found if found is not None and found.shape == shape else np.full(shape, np.nan)


def _find(value: ir.Value, shape: Shape, seen: Seen, steps: int) -> Known:
    if np.prod(shape) > _MAX_SIZE:
        return None
    constant = constant_of(value)
    if constant is not None:
        return constant.astype(np.float64) if constant.dtype.kind in "fiu" else None
    node = value.producer()
    if node is None or node.domain or steps == 0:
        return None
    if node.op_type == "Concat":
        parts = [_look(part, seen, steps - 1) for part in node.inputs]
        known = [part for part in parts if part is not None]
        axis = attribute_of(node, "axis", 0)
        return np.concatenate(known, axis=axis) if len(known) == len(parts) else None
    if node.op_type == "Where":
        condition = constant_of(node.inputs[0])
        yes, no = (_look(part, seen, steps - 1) for part in node.inputs[1:3])
        if condition is None or yes is None or no is None:
            return None
        return np.where(condition, yes, no)
    move = _MOVES.get(node.op_type)
    data = None if move is None else _look(node.inputs[0], seen, steps - 1)
    return None if move is None or data is None else move(node, data, shape)


def _reshape(_node: ir.Node, data: np.ndarray, shape: Shape) -> Known:
    return data.reshape(shape)


def _expand(_node: ir.Node, data: np.ndarray, shape: Shape) -> Known:
    return np.broadcast_to(data, shape)


def _transpose(node: ir.Node, data: np.ndarray, _shape: Shape) -> Known:
    turned: np.ndarray = data.transpose(attribute_of(node, "perm", None))
    return turned


def _gather(node: ir.Node, data: np.ndarray, _shape: Shape) -> Known:
    indices = constant_of(node.inputs[1])
    return None if indices is None else np.take(data, indices, axis=attribute_of(node, "axis", 0))


def _slice(node: ir.Node, data: np.ndarray, _shape: Shape) -> Known:
    given = [constant_of(value) for value in node.inputs[1:]]
    starts, ends, axes, steps = (*given, *[None] * 4)[:4]
    if starts is None or ends is None or (len(given) > 2 and axes is None):
        return None
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), int) if steps is None else steps
    cut = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        cut[axis] = slice(start, end, step)
    found: np.ndarray = data[tuple(cut)]
    return found if (steps > 0).all() else None


_MOVES: Dict[str, Callable[[ir.Node, np.ndarray, Shape], Known]] = {
    "Expand": _expand,
    "Flatten": _reshape,
    "Gather": _gather,
    "Identity": _reshape,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
