"""What an export did, step by step, in words that a report can show."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BATCH_STEP", "Step"]

#: Name of the step that is refused where a graph holds for one picture at a time only.
BATCH_STEP = "several pictures at once"


@dataclass(frozen=True)
class Step:
    """One thing that the export did, or did not do and why.

    Attributes:
        name: Name of the step or rewrite.
        status: ``"applied"``, ``"not needed"``, ``"skipped"``, ``"refused"`` or ``"reverted"``.
        reason: Why.
        count: Number of changes.
    """

    name: str
    status: str
    reason: str
    count: int = 0
