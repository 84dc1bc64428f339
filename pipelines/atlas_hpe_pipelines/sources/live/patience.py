"""How long a live source is waited for."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Iterator

__all__ = ["Patience"]


@dataclass(frozen=True)
class Patience:
    """Time-outs and pauses of a live source, in seconds.

    Attributes:
        open_s: A connection that takes longer has failed.
        read_s: A stream that sends no picture for so long is lost. Cameras that send a whole
            picture only every few seconds need that long until the first one.
        first_pause_s: Before the first attempt to connect again; each further pause is twice as
            long.
        most_pause_s: No pause is longer.
        close_s: How long closing waits for the thread that reads; one that is stuck in the network
            ends by itself: at ``read_s``, or at ``open_s`` and once more, for the reason is asked.
    """

    open_s: float = 10.0
    read_s: float = 10.0
    first_pause_s: float = 0.5
    most_pause_s: float = 8.0
    close_s: float = 0.5

    def pauses_s(self) -> Iterator[float]:
        """Pauses before one attempt after the other, without end.

        Each is up to a quarter shorter by chance: when a network comes back, not all programs that
        lost it ask for their streams at the same moment.
        """
        pause_s = self.first_pause_s
        while True:
            yield pause_s * (1 - 0.25 * random.random())  # noqa: S311 - no secret depends on it
            pause_s = min(2 * pause_s, self.most_pause_s)
