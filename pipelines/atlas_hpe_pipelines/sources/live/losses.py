"""What is told about a live source that was lost and came back: a bounded number of lines."""

from __future__ import annotations

from typing import List

__all__ = ["Losses"]

#: So many losses have a line each; all beyond share one more.
MOST_LINES = 10


class Losses:
    """Keeps the warnings of a live source up to date.

    Args:
        name: The source, without credentials.
        warnings: The list that the lines go to.
    """

    def __init__(self, name: str, warnings: List[str]) -> None:
        self._name = name
        self._warnings = warnings
        self._line = -1  # of the loss at hand, in the list
        self._begin = ""
        self._count = 0
        self._further_s = 0.0  # together, of those that have no line of their own
        self._longest_s = 0.0

    def lost(self, time_s: float, why: str) -> None:
        """The source gave its last frame at ``time_s``."""
        self._count += 1
        self._begin = f"{self._name}: lost at {time_s:.1f} s ({why})"
        if self._count <= MOST_LINES + 1:
            self._line = len(self._warnings)
            self._warnings.append("")
        self._warnings[self._line] = f"{self._begin}, not back yet{self._further()}"

    def back(self, after_s: float, attempts: int) -> None:
        """It gives frames again, ``after_s`` after the last one."""
        if self._count > MOST_LINES:
            self._further_s += after_s
            self._longest_s = max(self._longest_s, after_s)
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        line = f"{self._begin}, back after {after_s:.1f} s and {tries}"
        self._warnings[self._line] = line + self._further()

    def _further(self) -> str:
        """The losses that the last line stands for besides its own."""
        if self._count <= MOST_LINES + 1:
            return ""
        return (
            f"; since the line before, lost {self._count - MOST_LINES} times, "
            f"away for {self._further_s:.1f} s together and {self._longest_s:.1f} s at most"
        )
