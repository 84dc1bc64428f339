"""Inputs that the compiler must know while it reads the graph."""

from __future__ import annotations

from typing import Dict, Iterator, Mapping, Tuple

from atlas_hpe_export.check.finding import BLOCKER, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node, Value
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]

#: Operator -> input -> its name in ONNX. The plugin refuses the operator otherwise, or no AI Core
#: kernel can be made (ascend.md section 3.7 and the operators' notes).
_MUST: Mapping[str, Mapping[int, str]] = {
    "Conv": {1: "weights"},
    "Pad": {1: "pads"},
    "Range": {0: "start", 1: "limit", 2: "delta"},
    "ReduceSum": {1: "axes"},
    "Reshape": {1: "shape"},
    "Resize": {2: "scales", 3: "sizes"},
    "Split": {1: "sizes"},
    "Squeeze": {1: "axes"},
    "TopK": {1: "k"},
    "Unsqueeze": {1: "axes"},
    "Upsample": {1: "scales"},
}
#: The same, where the sources say "should", or where the AI CPU may step in.
_SHOULD: Mapping[str, Mapping[int, str]] = {
    "Clip": {1: "min", 2: "max"},
    "ConstantOfShape": {0: "shape"},
    "ConvTranspose": {1: "weights"},
    "CumSum": {1: "axis"},
    "Expand": {1: "shape"},
    "NonMaxSuppression": {2: "count", 3: "IoU threshold", 4: "score threshold"},
    "OneHot": {1: "depth"},
    "Slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps"},
    "Tile": {1: "repeats"},
}
#: Read while the file is parsed, before anything is folded: a chain of constants is not enough.
_READ_BY_PLUGIN = ("Conv", "Resize", "Upsample")


def _find_computed_inputs(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7 and section 10, row 34."""
    for node in view.nodes_of(*_MUST, *_SHOULD):
        if node.is_folded:
            continue
        positions = _MUST.get(node.op_type) or _SHOULD[node.op_type]
        found = [(node.input(index), name) for index, name in positions.items()]
        yield from _look(node, {value: name for value, name in found if value is not None})


def _look(node: Node, given: Dict[Value, str]) -> Iterator[Finding]:
    computed = [name for value, name in given.items() if not value.is_folded]
    chained = [name for value, name in given.items() if value.is_folded and not value.is_constant]
    if computed:
        yield node.finding(
            "computed-input",
            BLOCKER if node.op_type in _MUST else WARNING,
            f"{' and '.join(computed)} of {node.op_type} are computed while the model runs",
            why="the compiler has to know them"
            if node.op_type in _MUST
            else "the compiler should know them, or the step moves to the AI CPU",
            fix="use numbers, not tensors that depend on the input, in the network",
            rewrite="clip_bounds" if node.op_type == "Clip" else None,
        )
    elif chained and node.op_type in _READ_BY_PLUGIN:
        yield node.finding(
            "folded-input",
            WARNING,
            f"{' and '.join(chained)} of {node.op_type} are the result of other nodes",
            why="they are constant, but the parser's plugin wants the constant itself",
            fix="atlas-hpe export folds such chains",
            rewrite="fold_constants",
        )


def _find_clip_without_bounds(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Clip: from opset 11 on, one of the two must be there."""
    for node in view.nodes_of("Clip"):
        if view.opset >= 11 and node.input(1) is None and node.input(2) is None:
            yield node.finding(
                "clip-without-bounds",
                BLOCKER,
                "Clip has neither min nor max",
                why="the plugin wants one of them",
                fix="atlas-hpe export drops it",
                rewrite="clip_bounds",
            )


RULES: Tuple[Rule, ...] = (_find_computed_inputs, _find_clip_without_bounds)
