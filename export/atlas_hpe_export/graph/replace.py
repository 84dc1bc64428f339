"""Putting new nodes in the place of old ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Sequence, Set, Tuple, Union

import onnx_ir as ir

from atlas_hpe_export.graph.builder import GraphBuilder
from atlas_hpe_export.graph.facts import describe_node

__all__ = ["Outcome", "Refusal", "Replaced", "Replacement", "collect_names", "replace_nodes"]


@dataclass(frozen=True)
class Refusal:
    """Why a node that a rule is about can't be replaced.

    Attributes:
        reason: A sentence without the node's name, which the report adds.
    """

    reason: str


#: A value per output of the old node; a Refusal; or None when the rule is not about this node.
Outcome = Union[None, Refusal, Sequence[ir.Value]]
#: The old node and a builder for the new ones. It must leave the old node as it is.
Replacement = Callable[[ir.Node, GraphBuilder], Outcome]


@dataclass(frozen=True)
class Replaced:
    """What a pass over a graph did.

    Attributes:
        count: Number of nodes replaced.
        refusals: A sentence per node that could not be, with its name.
    """

    count: int
    refusals: Tuple[str, ...]


def replace_nodes(model: ir.Model, replacement: Replacement, opset: int) -> Replaced:
    """Offer every node to a replacement, in order, those inside If and Loop too.

    The new values take the names of the old ones, so a tensor can be followed through all passes.

    Args:
        model: Changed in place.
        replacement: Says what takes a node's place.
        opset: Opset in whose form new nodes are written.
    """
    count, refusals, taken = 0, [], collect_names(model)
    for node in list(model.graph.all_nodes()):
        if node.graph is None:
            continue  # removed together with another node
        builder = GraphBuilder(node, opset, taken)
        outcome = replacement(node, builder)
        if isinstance(outcome, Refusal):
            refusals.append(f"{describe_node(node)}: {outcome.reason}")
        elif outcome is not None:
            _swap(model.graph, node, builder, list(outcome))
            count += 1
    return Replaced(count, tuple(refusals))


def collect_names(model: ir.Model) -> Set[str]:
    """Names of all nodes and values, which new ones must not take."""
    names: Set[str] = set()
    for graph in model.graphs():
        names.update(value.name or "" for value in graph.inputs)
        names.update(graph.initializers)
        for node in graph:
            names.add(node.name or "")
            names.update(value.name or "" for value in node.outputs)
    return names


def _swap(root: ir.Graph, node: ir.Node, builder: GraphBuilder, values: List[ir.Value]) -> None:
    graph = node.graph
    if graph is None or len(values) != len(node.outputs):
        raise ValueError(f"{len(values)} values for {describe_node(node)}")
    made = {id(value) for new in builder.nodes for value in new.outputs}
    for index, old in enumerate(node.outputs):
        # A value that was there before keeps its own name; a graph output needs a node of its own.
        first_use = values.index(values[index]) == index
        if (id(values[index]) not in made or not first_use) and old.is_graph_output():
            values[index] = builder.op("Identity", values[index])
            made.add(id(values[index]))
    for value in builder.initializers:
        root.register_initializer(value)
    graph.insert_before(node, builder.nodes)
    for old, new in zip(node.outputs, values):
        name, shape, kind = old.name, old.shape, old.type
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        if id(new) in made and name:
            made.discard(id(new))
            old.name = None
            new.name = name
            new.type = kind if new.type is None else new.type
            new.shape = shape if new.shape is None else new.shape
    graph.remove(node, safe=True)
