"""Einsum (opset 12) as Transpose, Reshape, MatMul, Mul and ReduceSum, for any equation.

1. An axis that a term names twice is a diagonal: with both axes last and flattened to n * n, it is
   every (n + 1)-th element.
2. An axis that only one operand has and the output lacks is summed away at once; so is an axis of
   size 1 that broadcasts against a longer one.
3. Operands are joined two by two, from the left. Of the axes of A and B,

       batch     those of both that are needed later,
       summed    those of both that are not,
       own       the rest, m of A and n of B,

   and with the own and the summed ones each flattened to one axis:

       (batch, m, summed) @ (batch, summed, n) -> (batch, m, n)     MatMul
       without summed axes: A * B, both with an axis of size 1 for what the other owns

4. The result is transposed to the order of the output.

The board's Einsum is an AI CPU kernel and not in the operator list of CANN 5.0.4 (ascend.md
section 3.7); MatMul runs on the cube unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.lowering.expansions.einsum_equation import read_equation
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_SHAPE

__all__ = ["expand_einsum"]


@dataclass(frozen=True)
class _Operand:
    """A value, and a letter per axis."""

    value: ir.Value
    axes: str


#: Letter -> size of the axis.
_Sizes = Dict[str, int]


def expand_einsum(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Einsum-12 of static shapes; broadcasting, diagonals and ellipses included."""
    values = [value for value in node.inputs if value is not None]
    shapes = [shape for shape in map(shape_of, values) if shape is not None]
    if len(shapes) != len(values):
        return UNKNOWN_SHAPE
    try:
        equation = read_equation(attribute_of(node, "equation", ""), [len(item) for item in shapes])
    except ValueError as error:
        return Refusal(str(error))
    sizes = _match_sizes(equation.terms, shapes)
    operands = []
    for value, term in zip(values, equation.terms):
        operand = _drop_broadcast(_Operand(value, term), sizes, builder)
        operands.append(_take_diagonals(operand, sizes, builder))
    joined = operands[0]
    for index, operand in enumerate(operands[1:], start=2):
        later = equation.output + "".join(item.axes for item in operands[index:])
        joined = _sum_over(joined, later + operand.axes, builder)
        operand = _sum_over(operand, later + joined.axes, builder)
        joined = _join(joined, operand, later, sizes, builder)
    joined = _sum_over(joined, equation.output, builder)
    return [_arrange(joined, equation.output, [sizes[x] for x in equation.output], builder)]


def _match_sizes(terms: Sequence[str], shapes: Sequence[Sequence[int]]) -> _Sizes:
    sizes: _Sizes = {}
    for term, shape in zip(terms, shapes):
        for letter, size in zip(term, shape):
            sizes[letter] = max(size, sizes.get(letter, 1))  # 1 broadcasts
    return sizes


def _drop_broadcast(operand: _Operand, sizes: _Sizes, builder: GraphBuilder) -> _Operand:
    """Leave out axes of size 1 that stand for a longer one: the other operand has that."""
    shape = shape_of(operand.value) or ()
    kept = [at for at, axis in enumerate(operand.axes) if shape[at] == sizes[axis]]
    if len(kept) == len(shape):
        return operand
    value = builder.op("Reshape", operand.value, builder.ints(*[shape[at] for at in kept]))
    return _Operand(value, "".join(operand.axes[at] for at in kept))


def _take_diagonals(operand: _Operand, sizes: _Sizes, builder: GraphBuilder) -> _Operand:
    axes = operand.axes
    twice = next((axis for axis in axes if axes.count(axis) > 1), None)
    if twice is None:
        return operand
    first, second = axes.index(twice), axes.rindex(twice)
    rest = [at for at in range(len(axes)) if at not in (first, second)]
    value, perm = operand.value, [*rest, first, second]
    if perm != sorted(perm):
        value = builder.op("Transpose", value, attributes={"perm": perm})
    size, others = sizes[twice], [sizes[axes[at]] for at in rest]
    value = builder.op("Reshape", value, builder.ints(*others, size * size))
    bounds = [builder.ints(number) for number in (0, size * size, len(rest), size + 1)]
    taken = _Operand(builder.op("Slice", value, *bounds), "".join(axes[at] for at in rest) + twice)
    return _take_diagonals(taken, sizes, builder)


def _sum_over(operand: _Operand, needed: str, builder: GraphBuilder) -> _Operand:
    """Sum away the axes that nobody else needs."""
    lonely = [at for at, axis in enumerate(operand.axes) if axis not in needed]
    if not lonely:
        return operand
    value = builder.op("ReduceSum", operand.value, attributes={"axes": lonely, "keepdims": 0})
    return _Operand(value, "".join(axis for axis in operand.axes if axis in needed))


def _join(
    left: _Operand, right: _Operand, needed: str, sizes: _Sizes, builder: GraphBuilder
) -> _Operand:
    shared = [axis for axis in left.axes if axis in right.axes]
    batch = "".join(axis for axis in shared if axis in needed)
    summed = "".join(axis for axis in shared if axis not in needed)
    own_left = "".join(axis for axis in left.axes if axis not in shared)
    own_right = "".join(axis for axis in right.axes if axis not in shared)
    batches = [sizes[axis] for axis in batch]
    if summed:
        rows, inner, columns = (_count(axes, sizes) for axes in (own_left, summed, own_right))
        a = _arrange(left, batch + own_left + summed, [*batches, rows, inner], builder)
        b = _arrange(right, batch + summed + own_right, [*batches, inner, columns], builder)
        value, shape = builder.op("MatMul", a, b), [*batches, rows, columns]
    else:
        before = [*batches, *[sizes[axis] for axis in own_left]]
        after = [sizes[axis] for axis in own_right]
        a = _arrange(left, batch + own_left, before + [1] * len(own_right), builder)
        b = _arrange(right, batch + own_right, batches + [1] * len(own_left) + after, builder)
        value, shape = builder.op("Mul", a, b), [*before, *after]
    axes = batch + own_left + own_right
    wanted = [sizes[axis] for axis in axes]
    if wanted != shape:
        value = builder.op("Reshape", value, builder.ints(*wanted))
    return _Operand(value, axes)


def _arrange(
    operand: _Operand, order: str, shape: Sequence[int], builder: GraphBuilder
) -> ir.Value:
    """The operand with its axes in another order and then in another shape."""
    value = operand.value
    if order != operand.axes:
        perm = [operand.axes.index(axis) for axis in order]
        value = builder.op("Transpose", value, attributes={"perm": perm})
    if tuple(shape) != shape_of(value):
        value = builder.op("Reshape", value, builder.ints(*shape))
    return value


def _count(axes: str, sizes: _Sizes) -> int:
    return int(np.prod([sizes[axis] for axis in axes], dtype=np.int64))
