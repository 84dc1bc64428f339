"""Folding constants and batch norms with onnxsim, under watch."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Iterator, Optional, Tuple

import onnx

from atlas_hpe.parity import TOLERANCES
from atlas_hpe_export.finish import read_specs
from atlas_hpe_export.graph import Guard, as_ir
from atlas_hpe_export.steps import Step
from atlas_hpe_export.wording import first_line

__all__ = ["simplify"]

_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, onnx.checker.ValidationError)


def simplify(model: onnx.ModelProto, guard: Guard) -> Tuple[onnx.ModelProto, Step]:
    """Fold what is constant at the model's fixed shapes.

    A simplifier is a convenience: when it is missing, fails, or changes a value, the model stays as
    it is and the step says why.

    Args:
        model: Left as it is.
        guard: Holds what the model said before any change.

    Returns:
        The simplified model or the model itself, and the step.
    """
    try:
        import onnxsim
    except ImportError as error:
        return model, Step("simplify", "skipped", f"onnxsim can't be imported: {error}")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    shapes = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in model.graph.input
    }
    try:
        with _without_its_notes():
            candidate, _ = onnxsim.simplify(copy, overwrite_input_shapes=shapes)
    except _FAILURES as error:
        return model, Step("simplify", "skipped", f"onnxsim failed: {first_line(error)}")
    del candidate.metadata_props[:]  # onnxsim keeps its settings and a log there
    reason = _find_other_interface(model, candidate) or guard.find_change(
        as_ir(candidate), TOLERANCES["simplify"].tensor
    )
    if reason is not None:
        return model, Step("simplify", "reverted", reason)
    count = len(model.graph.node) - len(candidate.graph.node)
    if count <= 0:
        return model, Step("simplify", "not needed", "no node fewer")
    return candidate, Step("simplify", "applied", "fewer nodes, the same values", count)


@contextlib.contextmanager
def _without_its_notes() -> Iterator[None]:
    """Keep what onnxsim's native code says of constants that it leaves alone off the terminal.

    It writes to the process's own stderr, past Python, and has no switch.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _find_other_interface(model: onnx.ModelProto, candidate: onnx.ModelProto) -> Optional[str]:
    for kind in ("input", "output"):
        if read_specs(getattr(model.graph, kind)) != read_specs(getattr(candidate.graph, kind)):
            return f"the graph's {kind}s are not what they were"
    before = {item.domain: item.version for item in model.opset_import}
    after = {item.domain: item.version for item in candidate.opset_import}
    return None if before.items() <= after.items() else f"the opset became {after}"
