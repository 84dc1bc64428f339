"""Applying rewrites under watch: each is compared before and after, undone if a value moves."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import onnx_ir as ir

from atlas_hpe.errors import CheckFailedError
from atlas_hpe.parity import TOLERANCES
from atlas_hpe_export.graph import Guard, describe_node, infer_shapes, replace_nodes, tidy
from atlas_hpe_export.rewrites.rule import RewriteRule
from atlas_hpe_export.steps import Step

__all__ = ["rewrite"]

_SHOWN = 3


def rewrite(
    model: ir.Model, rules: Sequence[RewriteRule], guard: Guard, *, target: str
) -> Tuple[ir.Model, Tuple[Step, ...]]:
    """Apply the rules in order.

    Args:
        model: Left as it is.
        rules: See ``rewrites.REWRITES``.
        guard: Holds what the model said before.
        target: Soc; rules for others are left out.

    Returns:
        The new model, and a step per rule that had something to say: applied, refused or reverted.

    Raises:
        CheckFailedError: Something is left that the board refuses, or computes differently.
    """
    steps: List[Step] = []
    model = model.clone()
    tidy(model)
    for rule in rules:
        if target in rule.targets:
            model, found = _apply(model, rule, guard)
            steps += found
            _check_nothing_remains(model, rule, found)
    return model, tuple(steps)


def _apply(model: ir.Model, rule: RewriteRule, guard: Guard) -> Tuple[ir.Model, List[Step]]:
    candidate = model.clone()
    replaced = replace_nodes(candidate, rule.replacement, candidate.graph.opset_imports[""])
    steps = []
    if replaced.refusals:
        steps.append(Step(rule.name, "refused", "; ".join(replaced.refusals[:_SHOWN])))
    if not replaced.count:
        return model, steps
    tidy(candidate)
    infer_shapes(candidate)
    change = guard.find_change(candidate, TOLERANCES[rule.tolerance].tensor)
    if change:
        return model, [*steps, Step(rule.name, "reverted", change)]
    return candidate, [Step(rule.name, "applied", rule.reason, replaced.count), *steps]


def _check_nothing_remains(model: ir.Model, rule: RewriteRule, steps: Sequence[Step]) -> None:
    if rule.remains is None:
        return
    left = []
    for node in model.graph.all_nodes():
        wrong = rule.remains(node)
        if wrong:
            left.append(f"{describe_node(node)}: {wrong}")
    if left:
        said = "; ".join(step.reason for step in steps if step.status != "applied")
        raise CheckFailedError(
            f"the graph can't be made fit for the board: {rule.name}",
            where="; ".join(left[:_SHOWN]),
            why=said or None,
            fix="change the network at that place and export again",
        )
