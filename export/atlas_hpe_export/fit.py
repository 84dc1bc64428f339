"""A captured graph -> one that the board's compiler takes: simplify, lower, rewrite."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import onnx

from atlas_hpe.targets import Target
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.graph import Guard, as_ir, as_proto, infer_shapes
from atlas_hpe_export.lowering import LADDER, lower
from atlas_hpe_export.rewrites import REWRITES, rewrite
from atlas_hpe_export.rewrites.batch_axis import BatchPlan, plan_batch
from atlas_hpe_export.simplify import simplify
from atlas_hpe_export.steps import BATCH_STEP, Step

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
    infer_shapes(edited)  # a file may come without, and rules ask for them
    edited, rewritten = rewrite(edited, REWRITES, guard, target=target.name)
    steps += rewritten
    model = as_proto(edited)
    if rewritten:
        model, step = _simplify_again(model, guard)
        steps.append(step)
    model.ir_version = target.ir_version
    obstacle = _plan(model).obstacle
    if obstacle is not None:
        reason = f"the graph is right for one picture at a time only: {obstacle}"
        steps.append(Step(BATCH_STEP, "refused", reason))
    return model, tuple(steps)


def _simplify_again(model: onnx.ModelProto, guard: Guard) -> Tuple[onnx.ModelProto, Step]:
    """Simplify, unless that ties a graph that holds for every batch to the one of the example.

    onnxsim makes one Reshape of two with the sizes that it sees.
    """
    simplified, step = simplify(model, guard)
    if _plan(model).holds and not _plan(simplified).holds:
        return model, Step("simplify", "reverted", "a shape would have the example's batch again")
    return simplified, step


def _plan(model: onnx.ModelProto) -> BatchPlan:
    """What stands between a graph and other batches than that of the example."""
    edited = as_ir(model)
    infer_shapes(edited)
    return plan_batch(edited.graph, edited.graph.opset_imports[""])
