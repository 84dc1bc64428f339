"""From the opset of a model to the opset of the board's compiler, one opset at a time."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import onnx_ir as ir

from atlas_hpe.errors import CheckFailedError
from atlas_hpe_export.graph import (
    GraphBuilder,
    Guard,
    Outcome,
    Refusal,
    Replacement,
    infer_shapes,
    replace_nodes,
    tidy,
)
from atlas_hpe_export.lowering.older_form import find_news, is_changed
from atlas_hpe_export.lowering.step import OpsetStep
from atlas_hpe_export.steps import Step
from atlas_hpe_export.tolerances import TOLERANCES

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
        guard: Holds what the model said before; asked after every step that replaced a node.

    Returns:
        A step per opset that had something to replace.

    Raises:
        CheckFailedError: The opset is above the ladder, an operator has no form below (all such
            nodes are listed, with the reason), or a step changed a value.
    """
    start = model.graph.opset_imports.get("", 0)
    done: List[Step] = []
    if start <= opset:
        return ()
    if not ladder or start > ladder[0].version:
        raise CheckFailedError(
            f"the model is at opset {start}",
            why=f"opset {ladder[0].version if ladder else opset} is the highest that can be "
            f"lowered to {opset}",
            fix=f"export the model at opset {ladder[0].version if ladder else opset} or below",
        )
    infer_shapes(model)
    for rung in ladder:
        if opset < rung.version <= start:
            done += _descend(model, rung, guard)
    return tuple(done)


def _descend(model: ir.Model, rung: OpsetStep, guard: Guard) -> Tuple[Step, ...]:
    name = f"opset {rung.version} to {rung.version - 1}"
    operators = sorted({node.op_type for node in model.graph.all_nodes()})
    replaced = replace_nodes(model, _lowered_by(rung), rung.version - 1)
    if replaced.refusals:
        rest = len(replaced.refusals) - _SHOWN
        raise CheckFailedError(
            f"the graph has no form at opset {rung.version - 1}",
            where="; ".join(replaced.refusals[:_SHOWN]) + (f"; and {rest} more" if rest > 0 else ""),
            fix="change the network at these places and export again",
        )
    model.graph.opset_imports[""] = rung.version - 1
    if not replaced.count:
        return ()
    tidy(model)
    infer_shapes(model)
    change = guard.find_change(model, TOLERANCES["lowering"].tensor)
    if change:
        raise CheckFailedError(
            f"the step from {name} changed what the graph says",
            why=change,
            where=", ".join(item for item in operators if item in rung.adapters),
            fix="report this, with the model",
        )
    return (Step(name, "applied", "the same values in the older form", replaced.count),)


def _lowered_by(rung: OpsetStep) -> Replacement:
    """The rule for one node: unchanged at this version, adapted, only widened, or refused."""

    def lowered(node: ir.Node, builder: GraphBuilder) -> Outcome:
        if node.domain not in ("", "ai.onnx") or not is_changed(node.op_type, rung.version):
            return None
        adapter = rung.adapters.get(node.op_type)
        if adapter is not None:
            return adapter(node, builder)
        if node.op_type in rung.widened:
            news = find_news(node, rung.version - 1)
            return Refusal(news) if news else None
        return Refusal(f"{node.op_type} has no form below opset {rung.version} here")

    return lowered
