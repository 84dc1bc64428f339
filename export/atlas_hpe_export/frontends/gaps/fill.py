"""What the functions that fill a gap have in common."""

from __future__ import annotations

from typing import Callable, Tuple, Union

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Refusal, shape_of

__all__ = ["Fill", "fixed_shape", "tensor_inputs"]

#: Placeholder and a builder -> the value of its first output, or why that can't be written. The
#: tensors of the operator are the placeholder's inputs, its numbers are attributes by PyTorch's
#: names (a number that the tracer does not know is left out).
Fill = Callable[[ir.Node, GraphBuilder], Union[ir.Value, Refusal]]


def tensor_inputs(node: ir.Node, count: int) -> Tuple[ir.Value, ...]:
    """The first inputs, which every placeholder of the operator has.

    Raises:
        ValueError: One of them is missing.
    """
    values = tuple(value for value in node.inputs[:count] if value is not None)
    if len(values) != count:
        raise ValueError(f"'{node.op_type}' has {len(values)} inputs, expected {count}")
    return values


def fixed_shape(value: ir.Value) -> Tuple[int, ...]:
    """Shape of a value next to a gap.

    Raises:
        ValueError: An axis is open, which fixed example inputs do not give.
    """
    shape = shape_of(value)
    if shape is None:
        raise ValueError(f"the shape of '{value.name}' is not known")
    return shape
