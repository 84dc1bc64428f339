"""What every graph rewrite declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Tuple

if TYPE_CHECKING:
    import onnx

__all__ = ["RewritePass"]


@dataclass(frozen=True)
class RewritePass:
    """A rewrite of the graph that leaves its values as they are.

    Attributes:
        name: Name in reports and in the card.
        reason: Why the board needs it, one sentence.
        precondition: Where it may be applied, in words.
        postcondition: What holds afterwards, in words.
        apply: Rewrite the model in place wherever the precondition holds; the number of changes.
        refusals: Where the precondition does not hold: a sentence per place.
        violations: Where the postcondition does not hold: a sentence per place.
        required: Whether the board computes something else where the postcondition fails.
    """

    name: str
    reason: str
    precondition: str
    postcondition: str
    apply: Callable[[onnx.ModelProto], int]
    refusals: Callable[[onnx.ModelProto], Tuple[str, ...]]
    violations: Callable[[onnx.ModelProto], Tuple[str, ...]]
    required: bool = True
