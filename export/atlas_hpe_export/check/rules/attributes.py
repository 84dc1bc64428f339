"""Attributes that the parser's plugins ignore, refuse, or read in another way than ONNX."""

from __future__ import annotations

from typing import Iterator, Optional, Tuple

from atlas_hpe_export.check.finding import BLOCKER, LOWERING, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]

_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
_MENDED = {"GatherND": LOWERING, "IsInf": "is_nan", "Trilu": LOWERING}


def _find_softmax_axes(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Softmax: below opset 13 ONNX flattens from the axis on."""
    if view.opset >= 13:
        return
    for node in view.nodes_of("Softmax", "LogSoftmax"):
        data = node.input(0)
        sizes = None if data is None else data.shape
        axis = node.integer("axis", 1)
        if node.is_folded or (sizes is not None and _is_one_axis(sizes, axis)):
            continue
        yield node.finding(
            "softmax-axis",
            BLOCKER if sizes is not None else WARNING,
            f"{node.op_type} over axis {axis} of a tensor "
            f"{'of unknown rank' if data is None else data.show_shape()}",
            why="below opset 13 ONNX means that axis and all after it together, the board that "
            "axis alone",
            fix="atlas-hpe export flattens the axes into one",
            rewrite="softmax_last_axis",
        )


def _is_one_axis(sizes: Tuple[Optional[int], ...], axis: int) -> bool:
    """Whether the axes after this one hold one element, so that both readings are the same."""
    start = axis + len(sizes) if axis < 0 else axis
    return all(size == 1 for size in sizes[start + 1 :])


def _find_ignored(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, GatherND, Mod, IsInf and Trilu: read over, without an error."""
    for node in view.nodes_of("GatherND", "Mod", "IsInf", "Trilu"):
        ignored = None if node.is_folded else _ignored(node)
        if ignored is not None:
            yield node.finding(
                "ignored-attribute",
                BLOCKER,
                f"{node.op_type} with {ignored[0]}",
                why="the plugin does not read it, so the board computes something else",
                fix=ignored[1],
                rewrite=_MENDED.get(node.op_type),
            )


def _ignored(node: Node) -> Optional[Tuple[str, str]]:
    """What is not read, and what to do; None when it has the value that the board assumes."""
    if node.op_type == "GatherND" and node.integer("batch_dims", 0):
        return f"batch_dims {node.integer('batch_dims', 0)}", "flatten the batch into the indices"
    if node.op_type == "Mod" and node.integer("fmod", 0):
        return "fmod 1", "write it as x - y * floor(x / y) where both are positive"
    if node.op_type == "IsInf":
        for name in ("detect_negative", "detect_positive"):
            if not node.integer(name, 1):
                return f"{name} 0", "compare with a bound instead"
    diagonal = node.input(1)
    if node.op_type == "Trilu" and diagonal is not None:
        array = diagonal.array()
        if array is None or array.any():
            return "a diagonal k", "multiply with a constant mask"
    return None


def _find_refused(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7 and the operators' notes: values at which the plugin stops."""
    for node in view.nodes_of("ArgMax", "ArgMin", "Selu", "Transpose", "DepthToSpace"):
        refused = _refused(node)
        if refused is not None:
            yield node.finding(
                "refused-attribute",
                BLOCKER,
                f"{node.op_type} {refused[0]}",
                why=refused[1],
                fix=refused[2],
                rewrite=LOWERING if node.op_type in ("ArgMax", "ArgMin") else None,
            )


def _refused(node: Node) -> Optional[Tuple[str, str, str]]:
    if node.op_type in ("ArgMax", "ArgMin") and node.integer("select_last_index", 0):
        return (
            "with select_last_index 1",
            "the plugin takes 0 only",
            "flip the tensor, or do it on the host",
        )
    if node.op_type == "Selu":
        alpha, gamma = node.number("alpha", _SELU_ALPHA), node.number("gamma", _SELU_GAMMA)
        if abs(alpha - _SELU_ALPHA) > 1e-6 or abs(gamma - _SELU_GAMMA) > 1e-6:
            return (
                f"with alpha {alpha:.6g} and gamma {gamma:.6g}",
                "the plugin takes the default values only",
                "write it with Elu and Mul",
            )
    if node.op_type == "Transpose" and node.integers("perm") is None:
        return ("without perm", "the plugin wants it", "state perm; every exporter of PyTorch does")
    data = node.input(0)
    if node.op_type == "DepthToSpace" and data is not None and data.rank not in (4, None):
        return (f"of a {data.rank}-D tensor", "the kernel takes 4-D only", "reshape it to 4-D")
    if node.op_type == "DepthToSpace" and node.integer("blocksize", 2) < 2:
        return ("with a blocksize below 2", "the kernel takes 2 and more", "leave it out")
    return None


def _find_unproven_pads(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Pad."""
    for node in view.nodes_of("Pad"):
        mode = node.text("mode", "constant")
        if mode == "reflect" or (mode == "edge" and view.cann == "5.0"):
            yield node.finding(
                "pad-mode",
                WARNING,
                f"Pad in mode {mode}",
                why="reflect has not been seen to work on this chip"
                if mode == "reflect"
                else "the plugin handles edge since February 2022",
                fix="atlas-hpe export says it as a Gather"
                if mode == "reflect"
                else "pad with zeros, or use CANN 5.1 or later",
                rewrite="pad_reflect" if mode == "reflect" else None,
            )


def _find_negative_steps(view: GraphView) -> Iterator[Finding]:
    """The operator's notes, Slice."""
    for node in view.nodes_of("Slice"):
        steps = node.input(4)
        array = None if steps is None or node.is_folded else steps.array()
        if array is not None and (array < 0).any():
            yield node.finding(
                "negative-step",
                WARNING,
                "Slice with a negative step",
                why="the kernel takes it in some cases only",
                fix="atlas-hpe export says it as a Gather of constant indices",
                rewrite="negative_step",
            )


def _find_early_forms(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, DepthToSpace, Squeeze and Unsqueeze: what 5.0 can't do yet."""
    if view.cann != "5.0":
        return
    for node in view.nodes_of("Squeeze", "Unsqueeze"):
        if node.input(1) is not None and not node.is_folded:
            yield node.finding(
                "axes-input",
                BLOCKER,
                f"{node.op_type} takes its axes as an input",
                why="plugins do so since January 2022; earlier ones read the attribute of opset 11",
                fix="export at opset 11",
                rewrite=LOWERING,
            )
    for node in view.nodes_of("DepthToSpace"):
        yield node.finding(
            "depth-to-space",
            WARNING,
            "DepthToSpace",
            why="an early 5.0 release is reported to have failed on it at opset 11",
            fix="use CANN 5.1 or later, or a ConvTranspose with one-hot weights",
        )


RULES: Tuple[Rule, ...] = (
    _find_softmax_axes,
    _find_ignored,
    _find_refused,
    _find_unproven_pads,
    _find_negative_steps,
    _find_early_forms,
)
