"""A captured graph -> one that the board's compiler takes: simplify, lower, rewrite."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import onnx

from atlas_hpe.targets import Target
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.graph import Guard, as_ir, as_proto
from atlas_hpe_export.lowering import LADDER, lower
from atlas_hpe_export.rewrites import REWRITES, rewrite
from atlas_hpe_export.simplify import simplify
from atlas_hpe_export.steps import Step

__all__ = ["fit_to_board"]


def fit_to_board(
    model: onnx.ModelProto, feeds: Sequence[Feeds], target: Target
) -> Tuple[onnx.ModelProto, Tuple[Step, ...]]:
    """Make a graph fit for a target; every change is run before and after.

    The graph is simplified first, because lowering needs the constants that an exporter leaves to
    be computed, and once more at the end, because rewrites leave some.

    Args:
        model: A graph at opset 21 or below with static shapes; left as it is.
        feeds: Inputs to compare on.
        target: Board's compiler.

    Returns:
        The graph at the target's opset, and what was done, in order.

    Raises:
        CheckFailedError: An operator has no form at the target's opset, something is left that the
            board would refuse or compute differently, or a change moved a value.
        ModelFileError: The graph does not run as it is.
    """
    guard = Guard(model, feeds)
    steps: List[Step] = []
    model, step = simplify(model, guard)
    steps.append(step)
    edited = as_ir(model)
    steps += lower(edited, LADDER, target.opset, guard)
    edited, rewritten = rewrite(edited, REWRITES, guard, target=target.name)
    steps += rewritten
    model = as_proto(edited)
    if rewritten:
        model, step = simplify(model, guard)
        steps.append(step)
    model.ir_version = target.ir_version
    return model, tuple(steps)
