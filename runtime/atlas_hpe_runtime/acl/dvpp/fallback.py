"""Why the picture hardware is not used for something."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fallback"]


@dataclass(frozen=True)
class Fallback:
    """The hardware does not take an input; the CPU does the work.

    Attributes:
        reason: What the hardware can't do with this input, or what is missing.
        instead: What does the work.
    """

    reason: str
    instead: str = "OpenCV on the CPU"

    def __str__(self) -> str:
        """One sentence for people."""
        return f"{self.instead} does the work: {self.reason}"
