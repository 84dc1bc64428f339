"""What several steps do alike: say a node again with a little changed."""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Optional, Sequence

import onnx
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, constant_of
from atlas_hpe_export.graph.builder import Attribute
from atlas_hpe_export.lowering.older_form import find_idle_attributes, find_news
from atlas_hpe_export.lowering.step import Adapter

__all__ = ["axes_as_attribute", "in_type", "keep_if_old", "restate"]


def restate(
    node: ir.Node,
    builder: GraphBuilder,
    inputs: Sequence[Optional[ir.Value]],
    *,
    without: Collection[str] = (),
    **attributes: Attribute,
) -> List[ir.Value]:
    """The same operator once more, with other inputs and attributes.

    Args:
        node: The node to repeat.
        builder: Takes the new node.
        inputs: Its inputs.
        without: Attributes to leave out.
        **attributes: Attributes to set.

    Returns:
        A value per output of the node.
    """
    kept: Dict[str, Attribute] = {
        name: value for name, value in node.attributes.items() if name not in without
    }
    kept.update(attributes)
    return list(builder.ops(node.op_type, *inputs, outputs=len(node.outputs), attributes=kept))


def keep_if_old(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """The adapter of ``widened`` operators: refuse what is new, leave the rest as it is.

    New attributes that hold their defaults are dropped.
    """
    idle = find_idle_attributes(node, builder.opset)
    news = find_news(node, builder.opset, idle)
    if news:
        return Refusal(news)
    return restate(node, builder, node.inputs, without=idle) if idle else None


def in_type(wider: Mapping[ir.DataType, ir.DataType]) -> Adapter:
    """An adapter that casts to another element type, computes there, and casts back.

    Args:
        wider: Element type of the first input that came with the opset -> type to compute in. It
            must hold all values of the first, and the operator must say the same in both.
    """

    def adapter(node: ir.Node, builder: GraphBuilder) -> Outcome:
        narrow = None if node.inputs[0] is None else node.inputs[0].dtype
        if narrow is None or narrow not in wider:
            return keep_if_old(node, builder)
        schema = onnx.defs.get_schema(node.op_type, builder.opset)
        variable = schema.inputs[0].type_str

        def is_same(formals: Sequence[onnx.defs.OpSchema.FormalParameter], index: int) -> bool:
            return bool(formals[min(index, len(formals) - 1)].type_str == variable)

        inputs = [
            builder.op("Cast", value, attributes={"to": int(wider[narrow])})
            if value is not None and is_same(schema.inputs, index)
            else value
            for index, value in enumerate(node.inputs)
        ]
        values = restate(node, builder, inputs, without=find_idle_attributes(node, builder.opset))
        return [
            builder.op("Cast", value, attributes={"to": int(narrow)})
            if is_same(schema.outputs, index)
            else value
            for index, value in enumerate(values)
        ]

    return adapter


def axes_as_attribute(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Axes from the second input to an attribute, for ReduceX, Squeeze and Unsqueeze.

    No axes at all mean all of them, but none of them with ``noop_with_empty_axes``: then only what
    the operator does to each element is left (ONNX operator specification, ReduceL1-18).
    """
    given = node.inputs[1] if len(node.inputs) > 1 else None
    axes = constant_of(given)
    if given is not None and axes is None:
        return Refusal("its axes are computed in the graph, below they are part of the node")
    noop = node.attributes.get("noop_with_empty_axes")
    if axes is None or axes.size == 0:
        if node.op_type == "Unsqueeze" or (noop is not None and noop.as_int()):
            return [_apply_to_each(node, builder)]
        return restate(node, builder, node.inputs[:1], without=["noop_with_empty_axes"])
    listed = [int(axis) for axis in axes.ravel()]
    return restate(node, builder, node.inputs[:1], without=["noop_with_empty_axes"], axes=listed)


def _apply_to_each(node: ir.Node, builder: GraphBuilder) -> ir.Value:
    data = node.inputs[0]
    if node.op_type == "ReduceSumSquare":
        return builder.op("Mul", data, data)
    alone = {"ReduceL1": "Abs", "ReduceL2": "Abs", "ReduceLogSum": "Log"}
    return builder.op(alone.get(node.op_type, "Identity"), data)
