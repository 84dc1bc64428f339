"""Text from files of others, made fit for a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(line: str, most: int = 500) -> str:
    """A line in which no control character reaches the terminal, nor endless text.

    Args:
        line: The text.
        most: Characters that are kept.
    """
    kept = line if len(line) <= most else line[:most] + "..."
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in kept)
