"""Why whole families of operators have no older form."""

from __future__ import annotations

__all__ = ["LOSS", "OPTIONAL", "SIGNAL", "TEXT"]

LOSS = "it is a loss, export the network without it"
OPTIONAL = "optional values have no form on the board"
SIGNAL = "signals are transformed before the network runs, or the result is put in as a constant"
TEXT = "it works on text, and the board has no text"
