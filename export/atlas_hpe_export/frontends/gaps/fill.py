"""What the functions that fill a gap have in common."""

from __future__ import annotations

from typing import Callable, Tuple

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, shape_of

__all__ = ["Fill", "GapError", "fixed_shape", "tensor_inputs"]

#: Placeholder and a builder -> the value of its first output. Raises ``GapError`` where that can't
#: be written.
Fill = Callable[[ir.Node, GraphBuilder], ir.Value]


class GapError(Exception):
    """Why an operator can't be written as the network uses it; a part of a sentence."""


def tensor_inputs(node: ir.Node, count: int) -> Tuple[ir.Value, ...]:
    """The first inputs, which every placeholder of the operator has.

    Raises:
        GapError: One of them is missing.
    """
    values = tuple(value for value in node.inputs[:count] if value is not None)
    if len(values) != count:
        raise GapError(f"it has {len(values)} inputs in place of {count}")
    return values


def fixed_shape(value: ir.Value) -> Tuple[int, ...]:
    """Shape of a value next to a gap.

    Raises:
        GapError: It is not known or not fixed.
    """
    shape = shape_of(value)
    if shape is None:
        raise GapError(f"the shape of '{value.name}' is not known")
    return shape
