"""What a rule says about one place in a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

__all__ = [
    "BLOCKER",
    "EXPORT",
    "LOWERING",
    "NOTE",
    "OPERATOR_NOTES",
    "SEVERITIES",
    "WARNING",
    "Finding",
]

#: The compiler refuses the graph, or the board computes something else than the graph says.
BLOCKER = "blocker"
#: It may fail, be slow, or lose accuracy; a person should look.
WARNING = "warning"
#: Worth knowing.
NOTE = "note"

SEVERITIES: Tuple[str, ...] = (BLOCKER, WARNING, NOTE)

#: Values of ``Finding.rewrite`` besides names of rewrites: taking the graph down to the target's
#: opset mends it, or writing the file anew.
LOWERING = "lowering"
EXPORT = "export"

#: Where facts about single operators are stated.
OPERATOR_NOTES = "ascend.md section 3.7"


@dataclass(frozen=True)
class Finding:
    """One thing found at one place.

    Attributes:
        rule: Stable id of the rule, for example ``"not-registered"``.
        severity: One of ``SEVERITIES``.
        what: What was found.
        why: Why it matters on the board.
        fix: What to do about it.
        node: Name of the node, or of the tensor for findings about one; None for the whole graph.
        op_type: Operator of the node.
        module: Path of the PyTorch module that the node comes from, ``""`` for the outermost one;
            None when the file does not tell.
        code: Error code with which the toolchain or the board would answer.
        source: Where the fact is stated.
        rewrite: Rewrite of ``atlas-hpe export`` that mends it (``--list-rewrites``), or one of
            ``LOWERING`` and ``EXPORT``; None when there is none.
    """

    rule: str
    severity: str
    what: str
    why: str
    fix: str
    node: Optional[str] = None
    op_type: Optional[str] = None
    module: Optional[str] = None
    code: Optional[str] = None
    source: str = OPERATOR_NOTES
    rewrite: Optional[str] = None
