"""Steps whose work or result depends on the data: they belong on the host."""

from __future__ import annotations

from typing import Iterator, Tuple

from atlas_hpe_export.check.finding import NOTE, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]


def _find_data_dependent(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7 and section 10, rows 11 and 12."""
    for node in view.nodes_of("NonZero", "Compress"):
        if not node.is_folded:
            yield node.finding(
                "data-dependent-size",
                WARNING,
                f"{node.op_type} gives as many elements as the data asks for",
                why="atc refuses it or moves it to the AI CPU",
                fix="use topk with a fixed k, or leave this step to the host",
                source="ascend.md section 10, rows 11 and 12",
            )


def _find_box_suppression(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7 and section 10, row 33."""
    for node in view.nodes_of("NonMaxSuppression"):
        yield node.finding(
            "nms-in-graph",
            WARNING,
            "NonMaxSuppression inside the graph",
            why="it is slow, and the number of boxes depends on the data",
            fix="leave it to the host: end the network at boxes and scores",
            source="ascend.md section 10, row 33",
        )


def _find_branches(view: GraphView) -> Iterator[Finding]:
    """The operator's notes, If."""
    for node in view.nodes_of("If"):
        condition = node.input(0)
        if condition is None or not condition.is_folded:
            yield node.finding(
                "branch",
                NOTE,
                "If decides while the model runs",
                why="both branches need shapes that are known, and the graph engine switches "
                "between them",
                fix="make the condition a constant of the network where you can",
            )


RULES: Tuple[Rule, ...] = (_find_data_dependent, _find_box_suppression, _find_branches)
