"""Putting plain nodes in the place of placeholders."""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe.errors import CheckFailedError
from atlas_hpe_export.frontends.gaps.fill import GapError
from atlas_hpe_export.frontends.gaps.placeholder import DOMAIN
from atlas_hpe_export.frontends.gaps.symbolics import recall_shapes
from atlas_hpe_export.frontends.gaps.table import GAPS
from atlas_hpe_export.frontends.naming import copy_mark
from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    infer_shapes,
    replace_nodes,
    tidy,
)

__all__ = ["fill_gaps"]


def fill_gaps(model: ir.Model, opset: int) -> None:
    """Replace all placeholders, in place.

    Args:
        model: From either front end, its nodes marked with their modules.
        opset: Opset of the default domain.

    Raises:
        CheckFailedError: One of them can't be written with its numbers.
    """
    model.graph.opset_imports["com.microsoft"] = 1
    infer_shapes(model)
    outcome = replace_nodes(model, _fill, opset)
    while outcome.refusals and outcome.count:  # what one of them gives, the next may need to know
        infer_shapes(model)
        outcome = replace_nodes(model, _fill, opset)
    if outcome.refusals:
        raise CheckFailedError(
            "an operator can't be written to ONNX as the network uses it",
            why="; ".join(outcome.refusals),
            fix="use other numbers, or write it with other operators",
        )
    tidy(model)


def _fill(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.domain != DOMAIN:
        return None
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return Refusal("only its first output can be written")
    recall_shapes(node)
    try:
        value = GAPS[node.op_type](node, builder)
    except GapError as error:
        return Refusal(str(error))
    for new in builder.nodes:
        copy_mark(node, new)
    return [value] * len(node.outputs)
