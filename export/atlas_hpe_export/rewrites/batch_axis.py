"""What a graph that was traced at batch 1 would be at another batch.

Exporters trace with one picture, and an axis of size 1 may be anything. So ONNX's inference is
asked again, node by node, with inputs whose first axis is ``OTHER_BATCH``: the axis that grew is
the batch. A Reshape whose constant shape begins with the 1 of the example takes -1 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Set, Tuple

import onnx
import onnx_ir as ir

from atlas_hpe_export.graph import (
    attribute_of,
    constant_of,
    describe_node,
    infer_outputs,
    shape_of,
)

__all__ = ["BatchPlan", "plan_batch"]

#: A prime above the size of any axis: what has it as a factor has grown with the batch.
OTHER_BATCH = 104_729
#: Their indices name the pictures of the example.
_BY_PLACE = ("ScatterElements", "ScatterND")
#: Without the attribute ``axis`` they work along the first axis (ONNX operators, opset 11).
_FIRST_AXIS = ("ArgMax", "ArgMin", "Gather", "GatherElements", "Split")
Shape = Tuple[int, ...]
_Shapes = Dict[str, Optional[Shape]]


@dataclass(frozen=True)
class BatchPlan:
    """What to do for a graph to hold for every batch.

    Attributes:
        shapes: Name of a Reshape's output -> the shape to give it instead.
        obstacle: Why the graph has a fixed batch all the same, with a node; None where it has not.
    """

    shapes: Dict[str, Tuple[int, ...]]
    obstacle: Optional[str]

    @property
    def holds(self) -> bool:
        """Whether there is nothing to do and nothing in the way."""
        return not self.shapes and self.obstacle is None


def plan_batch(graph: ir.Graph, opset: int) -> BatchPlan:
    """Follow the batch from the inputs to the outputs.

    Args:
        graph: Graph of a model, its shapes inferred.
        opset: Opset of the model.

    Returns:
        The plan; nothing to do and no obstacle where an input's first axis is not 1.
    """
    shapes: _Shapes = {}
    for value in graph.inputs:
        shape = shape_of(value)
        if shape is None or shape[:1] not in ((1,), ()):
            return BatchPlan({}, None)
        shapes[value.name or ""] = (OTHER_BATCH, *shape[1:]) if shape else shape
    freed: Dict[str, Tuple[int, ...]] = {}
    lost: List[str] = []  # where the batch ends or can't be followed, in order
    for node in graph:
        wanted = _free_shape(node, shapes)
        if wanted is None:
            found = _follow(node, opset, shapes)
            lost += [describe_node(node)] if _is_lost(node, found, shapes) else []
            shapes.update(found)
        else:
            freed[node.outputs[0].name or ""] = wanted
            shapes[node.outputs[0].name or ""] = (OTHER_BATCH, *wanted[1:])
    for value in graph.outputs:
        if not _has_grown_first(value, shapes):
            place = f": look at {lost[0]}" if lost else ""
            return BatchPlan(freed, f"the first axis of output '{value.name}' is fixed{place}")
    return BatchPlan(freed, None)


def _free_shape(node: ir.Node, shapes: _Shapes) -> Optional[Tuple[int, ...]]:
    """The shape with -1 for a Reshape that has the batch of the example, None for other nodes."""
    if node.op_type != "Reshape" or node.domain or len(node.inputs) != 2:
        return None
    numbers, after = constant_of(node.inputs[1]), shape_of(node.outputs[0])
    if numbers is None or after is None or numbers.tolist()[:1] != [1]:
        return None
    return (-1, *after[1:]) if _has_grown_first(node.inputs[0], shapes) else None


def _has_grown_first(value: Optional[ir.Value], shapes: _Shapes) -> bool:
    """Whether the first axis of a value grows with the batch, and no other does."""
    before, grown = shape_of(value), _at_batch(value, shapes)
    if before is None or not before:
        return False
    return grown == (before[0] * OTHER_BATCH, *before[1:])


def _follow(node: ir.Node, opset: int, shapes: _Shapes) -> _Shapes:
    """Shapes of a node's outputs at the other batch, None for those that are not known."""
    names = [value.name or "" for value in node.outputs]
    given = [value for value in node.inputs if value is not None]
    grown = {value.name or "": _at_batch(value, shapes) for value in given}
    if None in grown.values() or any(_is_fixed(node, value, shapes) for value in given):
        return dict.fromkeys(names)
    inferred = infer_outputs(node, opset, lambda value: grown[value.name or ""])
    found = {name: _sizes_of(inferred.get(name)) for name in names}
    if node.op_type == "Reshape":
        return found
    firsts = {OTHER_BATCH, *(shape[0] for shape in grown.values() if shape)}
    return {name: None if _is_copied(shape, firsts) else shape for name, shape in found.items()}


def _is_copied(shape: Optional[Shape], firsts: Set[int]) -> bool:
    """Whether all pictures stand there several times: one picture's do not lie together then."""
    return shape is not None and _grows(shape[:1]) and shape[0] not in firsts


def _is_fixed(node: ir.Node, value: ir.Value, shapes: _Shapes) -> bool:
    """Whether a node mixes the pictures in an input, or addresses those of the example."""
    grown = _at_batch(value, shapes) or ()
    if not _grows(grown):
        return False
    if node.op_type == "Reshape":
        numbers = constant_of(node.inputs[1])
        if numbers is None or any(number > 0 for number in numbers.tolist()[:1]):
            return True
        return not _has_grown_first(value, shapes)  # else it puts pictures between each other
    axis = attribute_of(node, "axis", 0 if node.op_type in _FIRST_AXIS else -1)
    along = -len(grown) <= axis < len(grown) and _grows((grown[axis],))
    return along or node.op_type in _BY_PLACE


def _is_lost(node: ir.Node, found: _Shapes, shapes: _Shapes) -> bool:
    """Whether the batch goes into a node and does not come out of it."""
    if None in found.values():
        return True
    before = any(_grows(_at_batch(value, shapes)) for value in node.inputs if value is not None)
    return before and not any(map(_grows, found.values()))


def _grows(shape: Optional[Shape]) -> bool:
    return any(size and size % OTHER_BATCH == 0 for size in shape or ())


def _at_batch(value: Optional[ir.Value], shapes: _Shapes) -> Optional[Shape]:
    if value is None:
        return None
    if value.name in shapes:
        return shapes[value.name]
    return None if constant_of(value) is None else shape_of(value)


def _sizes_of(kind: Optional[onnx.TypeProto]) -> Optional[Shape]:
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    sizes = kind.tensor_type.shape.dim
    if not all(size.HasField("dim_value") for size in sizes):
        return None
    return tuple(size.dim_value for size in sizes)
