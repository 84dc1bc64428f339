"""What every rewrite declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import onnx_ir as ir

from atlas_hpe_export.graph import Replacement

__all__ = ["RewriteRule"]


@dataclass(frozen=True)
class RewriteRule:
    """A change of the graph that a board needs and that leaves the values as they are.

    Attributes:
        name: Name in reports, in the card and in ``--list-rewrites``.
        reason: Why the board needs it, one sentence.
        example: What it turns into what, in a few words: ``Inverse 3x3 -> adjugate / determinant``.
        source: Where the need is stated.
        replacement: What takes a node's place; a Refusal says why the rule does not apply there.
        remains: Says what is wrong where the thing is still in the graph afterwards, for rules
            without which the board would refuse the graph or compute something else; None for
            rules that only make it faster or safer.
        targets: Socs that need it.
        tolerance: Line of ``TOLERANCES`` that the change is held to.
    """

    name: str
    reason: str
    example: str
    source: str
    replacement: Replacement
    remains: Optional[Callable[[ir.Node], Optional[str]]] = None
    targets: Tuple[str, ...] = ("Ascend310",)
    tolerance: str = "rewrite"
