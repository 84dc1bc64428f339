"""One node in a narrower element type: casts before it, the node, casts after it."""

from __future__ import annotations

from typing import FrozenSet, List, Optional, Sequence, Tuple

import numpy as np
import onnx
import onnx_ir as ir

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    Replacement,
    constant_of,
)

__all__ = ["in_narrower_type"]

_FOLDED = ("Shape", "Size")
_WITH_BODIES = ("If", "Loop", "Scan")
_MAX_STEPS = 100


def in_narrower_type(
    wide: ir.DataType,
    narrow: ir.DataType,
    operators: Optional[FrozenSet[str]] = None,
    also: FrozenSet[Tuple[str, str]] = frozenset(),
) -> Replacement:
    """A replacement that computes in ``narrow`` what a node computes in ``wide``.

    What is known before the graph runs (constants, and arithmetic on shapes) stays as it is: the
    compiler folds it.

    Args:
        wide: Element type to get rid of.
        narrow: Element type to compute in.
        operators: Operators to look at; None for all.
        also: Operator and type variable of its schema that may be narrowed although the node's
            data is of another type, such as the indices of Gather.
    """

    def replacement(node: ir.Node, builder: GraphBuilder) -> Outcome:
        if node.domain or node.op_type in (*_FOLDED, *_WITH_BODIES):
            return None
        if node.op_type == "Cast":
            return _cast_in_two(node, builder, wide, narrow)
        if operators is not None and node.op_type not in operators:
            return None
        schema = onnx.defs.get_schema(node.op_type, builder.opset)
        chosen = _find_wide(node, schema, wide, also)
        if all(_is_folded(node.inputs[index], _MAX_STEPS) for index in chosen):
            return None
        inputs: List[Optional[ir.Value]] = list(node.inputs)
        for index in chosen:
            inputs[index] = _narrow(builder, node.inputs[index], narrow)
            if inputs[index] is None:
                return Refusal(f"a constant of it does not fit {narrow.name.lower()}")
        values = builder.ops(
            node.op_type, *inputs, outputs=len(node.outputs), attributes=dict(node.attributes)
        )
        changed = {_variable(schema.inputs, index) for index in chosen}
        return [
            builder.op("Cast", value, attributes={"to": wide.value})
            if _variable(schema.outputs, index) in changed
            else value
            for index, value in enumerate(values)
        ]

    return replacement


def _cast_in_two(
    node: ir.Node, builder: GraphBuilder, wide: ir.DataType, narrow: ir.DataType
) -> Outcome:
    """Cast to ``wide`` by way of ``narrow``, so that ``cast_chains`` can drop the second step."""
    x = node.inputs[0]
    to_wide = node.outputs[0].dtype == wide
    if x is None or not to_wide or x.dtype in (wide, narrow) or _is_folded(x, _MAX_STEPS):
        return None
    first = builder.op("Cast", x, attributes={"to": narrow.value})
    return [builder.op("Cast", first, attributes={"to": wide.value})]


def _find_wide(
    node: ir.Node,
    schema: onnx.defs.OpSchema,
    wide: ir.DataType,
    also: FrozenSet[Tuple[str, str]],
) -> List[int]:
    """Inputs that are the node's data, not its sizes or axes, and ``wide``.

    Data have the type variable of the first input or output; in schemas sizes, axes and the like
    have the literal type int64, or a variable of their own.
    """
    data = {_variable(schema.inputs, 0), _variable(schema.outputs, 0)}
    data |= {variable for operator, variable in also if operator == node.op_type}
    return [
        index
        for index, value in enumerate(node.inputs)
        if value is not None
        and value.dtype == wide
        and _variable(schema.inputs, index) in data
        and "(" not in _variable(schema.inputs, index)
    ]


def _variable(formals: Sequence[onnx.defs.OpSchema.FormalParameter], index: int) -> str:
    return str(formals[min(index, len(formals) - 1)].type_str) if formals else ""


def _narrow(
    builder: GraphBuilder, value: Optional[ir.Value], narrow: ir.DataType
) -> Optional[ir.Value]:
    array = constant_of(value)
    if array is None:
        return builder.op("Cast", value, attributes={"to": narrow.value})
    small = array.astype(narrow.numpy())
    if array.dtype.kind in "iu" and not np.array_equal(small, array):
        return None
    return builder.constant(small)


def _is_folded(value: Optional[ir.Value], steps: int) -> bool:
    """Whether a value is known before the graph runs: made of constants and static shapes."""
    if value is None or constant_of(value) is not None:
        return True
    node = value.producer()
    if node is None or steps == 0:
        return False
    if node.op_type in _FOLDED:
        return True
    return bool(node.inputs) and all(_is_folded(item, steps - 1) for item in node.inputs)
