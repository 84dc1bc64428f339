"""From the opset of a model to the opset of the board's compiler, one opset at a time."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import onnx_ir as ir

from atlas_hpe.errors import CheckFailedError
from atlas_hpe.parity import TOLERANCES
from atlas_hpe_export.graph import (
    GraphBuilder,
    Guard,
    Outcome,
    Refusal,
    Replacement,
    describe_node,
    infer_shapes,
    replace_nodes,
    tidy,
)
from atlas_hpe_export.lowering.older_form import find_news, is_changed
from atlas_hpe_export.lowering.restate import keep_if_old
from atlas_hpe_export.lowering.step import OpsetStep
from atlas_hpe_export.steps import Step

__all__ = ["lower"]

_SHOWN = 5


def lower(
    model: ir.Model, ladder: Sequence[OpsetStep], opset: int, guard: Guard
) -> Tuple[Step, ...]:
    """Take a model down to an opset, in place.

    Args:
        model: Its opset is at most that of the ladder's top.
        ladder: Steps, the highest first, see ``lowering.LADDER``.
        opset: Opset to arrive at.
        guard: Holds what the model said before; asked after every step that replaced a node, and
            at the end.

    Returns:
        A step per opset that had something to replace.

    Raises:
        CheckFailedError: The opset is above the ladder, an operator has no form below (all such
            nodes are listed, with the reason), or a step changed a value.
    """
    start = model.graph.opset_imports.get("", 0)
    if start <= opset:
        return ()
    if not ladder or start > ladder[0].version:
        raise CheckFailedError(
            f"the model is at opset {start}",
            why=f"opset {ladder[0].version if ladder else opset} is the highest that can be "
            f"lowered to {opset}",
            fix=f"export the model at opset {ladder[0].version if ladder else opset} or below",
        )
    tidy(model)  # what nothing uses need not have an older form
    infer_shapes(model)
    done: List[Step] = []
    refused: Dict[ir.Node, str] = {}
    for rung in ladder:
        if opset < rung.version <= start:
            done += _descend(model, rung, guard, refused)
    _check_refusals(refused, opset)
    _check_values(model, guard, f"going from opset {start} to {opset}")
    return tuple(done)


def _descend(
    model: ir.Model, rung: OpsetStep, guard: Guard, refused: Dict[ir.Node, str]
) -> List[Step]:
    """One step; after a refusal the rest is only looked through for more of them."""
    name = f"opset {rung.version} to {rung.version - 1}"
    touched = sorted({node.op_type for node in model.graph.all_nodes()} & set(rung.adapters))
    replaced = replace_nodes(model, _lowered_by(rung, refused), rung.version - 1)
    model.graph.opset_imports[""] = rung.version - 1
    if refused or not replaced.count:
        return []
    tidy(model)
    _check_values(model, guard, name, touched)
    return [Step(name, "applied", "the same values in the older form", replaced.count)]


def _lowered_by(rung: OpsetStep, refused: Dict[ir.Node, str]) -> Replacement:
    """The rule for one node: unchanged at this version, adapted, only widened, or refused."""

    def lowered(node: ir.Node, builder: GraphBuilder) -> Outcome:
        if node.domain or node in refused or not is_changed(node.op_type, rung.version):
            return None
        outcome = _lower_node(node, builder, rung)
        if isinstance(outcome, Refusal):
            refused[node] = f"{describe_node(node)}: {outcome.reason}"
        return outcome

    return lowered


def _lower_node(node: ir.Node, builder: GraphBuilder, rung: OpsetStep) -> Outcome:
    if node.op_type in rung.refused:
        return Refusal(rung.refused[node.op_type])
    if node.op_type not in rung.adapters and node.op_type not in rung.widened:
        return Refusal(f"{node.op_type} has no form below opset {rung.version} here")
    outcome = rung.adapters.get(node.op_type, keep_if_old)(node, builder)
    if isinstance(outcome, Refusal):
        return outcome
    for new in builder.nodes if outcome is not None else [node]:
        news = None if new.domain else find_news(new, builder.opset)
        if news:
            other = new.op_type != node.op_type
            return Refusal(f"its older form needs {new.op_type}, and {news}" if other else news)
    return outcome


def _check_refusals(refused: Dict[ir.Node, str], opset: int) -> None:
    if refused:
        listed = list(refused.values())
        rest = len(listed) - _SHOWN
        raise CheckFailedError(
            f"the graph has no form at opset {opset}",
            where="; ".join(listed[:_SHOWN]) + (f"; and {rest} more" if rest > 0 else ""),
            fix="change the network at these places and export again",
        )


def _check_values(model: ir.Model, guard: Guard, name: str, touched: Sequence[str] = ()) -> None:
    change = guard.find_change(model, TOLERANCES["lowering"].tensor)
    if change:
        raise CheckFailedError(
            f"{name} changed what the graph says",
            why=change,
            where=", ".join(touched) or None,
            fix="report this, with the model",
        )
