"""Changing a graph under watch: each change is run before and after, undone if a value moves."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import onnx

from atlas_hpe.errors import CheckFailedError, DeviceError, ModelFileError
from atlas_hpe.parity import TOLERANCES, Tolerance
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.passes import RewritePass
from atlas_hpe_export.runners import run_model
from atlas_hpe_export.steps import Step
from atlas_hpe_export.wording import first_line

__all__ = ["find_change", "rewrite_graph", "simplify_graph"]

Outputs = List[Dict[str, np.ndarray]]


def rewrite_graph(
    model: onnx.ModelProto, passes: Sequence[RewritePass], feeds: Sequence[Feeds]
) -> Tuple[onnx.ModelProto, Tuple[Step, ...]]:
    """Apply the passes in order.

    Args:
        model: Left as it is.
        passes: Rewrites, see ``passes.PASSES``.
        feeds: Inputs to compare on.

    Returns:
        The new model, and a step per pass.

    Raises:
        CheckFailedError: The board would compute something else than the model says, and no rewrite
            could be applied.
    """
    steps: List[Step] = []
    reference: Outputs = run_model(model, feeds)
    for rewrite in passes:
        model, step = _apply_pass(model, rewrite, feeds, reference)
        steps.append(step)
        left = rewrite.violations(model) if rewrite.required else ()
        if left:
            raise CheckFailedError(
                f"the graph can't be made fit for the board: {rewrite.name}",
                where="; ".join(left[:3]),
                why=step.reason,
                fix="change the network at that place and export again",
            )
    return model, tuple(steps)


def _apply_pass(
    model: onnx.ModelProto, rewrite: RewritePass, feeds: Sequence[Feeds], reference: Outputs
) -> Tuple[onnx.ModelProto, Step]:
    refusals = rewrite.refusals(model)
    candidate = _copy(model)
    count = rewrite.apply(candidate)
    if count:
        change = find_change(candidate, feeds, reference, TOLERANCES["rewrite"])
        if change is not None:
            return model, Step(rewrite.name, "reverted", change)
        return candidate, Step(rewrite.name, "applied", rewrite.reason, count)
    if refusals:
        return model, Step(rewrite.name, "refused", "; ".join(refusals[:3]))
    return model, Step(rewrite.name, "not needed", rewrite.postcondition)


def simplify_graph(model: onnx.ModelProto, feeds: Sequence[Feeds]) -> Tuple[onnx.ModelProto, Step]:
    """Fold constants and batch norms with onnxsim at the model's fixed shapes.

    A simplifier is a convenience: when it is missing, fails, or changes a value, the model stays as
    it is and the step says why.

    Returns:
        The simplified model or the model itself, and the step.
    """
    try:
        import onnxsim
    except ImportError as error:
        return model, Step("simplify", "skipped", f"onnxsim can't be imported: {error}")
    shapes = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in model.graph.input
    }
    try:
        candidate, _ = onnxsim.simplify(_copy(model), overwrite_input_shapes=shapes)
    except (RuntimeError, ValueError, TypeError, KeyError, onnx.checker.ValidationError) as error:
        return model, Step("simplify", "skipped", f"onnxsim failed: {first_line(error)}")
    reason = _find_other_interface(model, candidate)
    if reason is None:
        reference = run_model(model, feeds)
        reason = find_change(candidate, feeds, reference, TOLERANCES["simplify"])
    if reason is not None:
        return model, Step("simplify", "reverted", reason)
    count = len(model.graph.node) - len(candidate.graph.node)
    if count == 0:
        return model, Step("simplify", "not needed", "no node fewer")
    return candidate, Step("simplify", "applied", "fewer nodes, the same values", count)


def _find_other_interface(model: onnx.ModelProto, candidate: onnx.ModelProto) -> Optional[str]:
    for kind in ("input", "output"):
        if list(getattr(model.graph, kind)) != list(getattr(candidate.graph, kind)):
            return f"the graph's {kind}s are not what they were"
    before = {item.domain: item.version for item in model.opset_import}
    after = {item.domain: item.version for item in candidate.opset_import}
    return None if before.items() <= after.items() else f"the opset became {after}"


def find_change(
    model: onnx.ModelProto, feeds: Sequence[Feeds], reference: Outputs, tolerance: Tolerance
) -> Optional[str]:
    """Run a changed model and tell where its values depart from the reference, None if nowhere."""
    try:
        outputs = run_model(model, feeds)
    except (ModelFileError, DeviceError) as error:
        return f"the changed graph does not run: {error.why or error.what}"
    for want, have in zip(reference, outputs):
        for name, expected in want.items():
            found = have.get(name)
            if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
                return f"output '{name}' is not what it was"
            limit = tolerance.tensor * max(1.0, _largest(expected))
            if not np.allclose(found, expected, rtol=0, atol=limit, equal_nan=True):
                worst = float(np.nanmax(np.abs(found.astype(np.float64) - expected)))
                return f"output '{name}' moved by up to {worst:.3g}, {limit:.3g} is allowed"
    return None


def _largest(array: np.ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
