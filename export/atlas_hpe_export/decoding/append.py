"""Putting a decoder at the end of a graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Mapping, Tuple

import onnx_ir as ir

from atlas_hpe.card import DecodeSpec, ModelCard, TensorSpec
from atlas_hpe.errors import UsageError
from atlas_hpe_export.graph import GraphBuilder, collect_names, dtype_of, shape_of

__all__ = ["GraphDecoder", "append_decoding"]

#: A builder, the decoded output, and the decoder's options -> role in ``coordinates`` -> value.
GraphDecoder = Callable[[GraphBuilder, ir.Value, Mapping[str, float]], Dict[str, ir.Value]]


def append_decoding(
    model: ir.Model, card: ModelCard, decoders: Mapping[str, GraphDecoder]
) -> ModelCard:
    """Append the nodes that turn a network's outputs into coordinates.

    The decoded output leaves the graph; the others stay as they are. On the host the decoder
    ``coordinates`` takes over, with the options of the one that it replaces.

    Args:
        model: Changed in place; its outputs are those of the card.
        card: Card of a model that is decoded on the host so far.
        decoders: Kind -> nodes, see ``GRAPH_DECODERS``.

    Returns:
        The card of the model with its decoding.

    Raises:
        UsageError: The model decodes in the graph already, or there is no such decoder.
    """
    decode = card.decode
    if decode.where == "graph":
        raise UsageError(
            f"'{card.name}' computes its joints in the graph already",
            where="--decode-in-graph",
            fix="leave the option out",
        )
    if decode.kind not in decoders:
        raise UsageError(
            f"the decoding '{decode.kind}' of '{card.name}' can't be put into the graph",
            where="--decode-in-graph",
            why="there are graph forms of: " + ", ".join(sorted(decoders)),
            fix="leave the option out: the host decodes",
        )
    name = decode.outputs["heatmaps"]
    maps = next(value for value in model.graph.outputs if value.name == name)
    producer = maps.producer()
    if producer is None:
        raise UsageError("the heatmaps are an input of the graph", where=name)
    names = collect_names(model)
    builder = GraphBuilder(producer, model.graph.opset_imports[""], names)
    roles = decoders[decode.kind](builder, maps, decode.options)
    taken = sorted(names & set(roles))
    if taken:
        raise UsageError(
            "the graph has a tensor of the name that a decoded output would get",
            where=", ".join(taken),
            fix="rename it, or leave --decode-in-graph out",
        )
    _replace_outputs(model.graph, maps, builder, roles)
    decoded = [_describe(role, value) for role, value in roles.items()]
    kept = [item for item in card.graphs[0].outputs if item.name != name]
    return replace(
        card,
        graphs=(replace(card.graphs[0], outputs=(*decoded, *kept)),),
        decode=DecodeSpec(
            kind="coordinates",
            outputs={**{role: role for role in roles}, **_other_roles(decode, name)},
            options=decode.options,
            where="graph",
        ),
    )


def _other_roles(decode: DecodeSpec, decoded: str) -> Dict[str, str]:
    return {role: name for role, name in decode.outputs.items() if name != decoded}


def _replace_outputs(
    graph: ir.Graph, maps: ir.Value, builder: GraphBuilder, roles: Mapping[str, ir.Value]
) -> None:
    for value in builder.initializers:
        graph.register_initializer(value)
    graph.extend(builder.nodes)
    for role, value in roles.items():
        value.name = role
    kept: List[ir.Value] = [value for value in graph.outputs if value is not maps]
    graph.outputs.clear()
    graph.outputs.extend([*roles.values(), *kept])


def _describe(name: str, value: ir.Value) -> TensorSpec:
    return TensorSpec(name, _static(value), str(dtype_of(value)))


def _static(value: ir.Value) -> Tuple[int, ...]:
    shape = shape_of(value)
    if shape is None:
        raise ValueError(f"the shape of '{value.name}' is not known")
    return shape
