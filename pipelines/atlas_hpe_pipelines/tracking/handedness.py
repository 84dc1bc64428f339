"""Which hand a track is: a vote over its frames."""

from __future__ import annotations

from typing import Optional, Tuple

__all__ = ["SideVote"]

#: What a frame's vote is worth one frame later. Ten frames back it is a third: after a long time
#: of one side it takes seven certain frames of the other to turn the vote.
_DECAY = 0.9


class SideVote:
    """Left or right, from what the network said in the frames so far; newer ones weigh more."""

    def __init__(self) -> None:
        self._right = 0.0
        self._weight = 0.0

    def add(self, handedness: Optional[str], score: Optional[float]) -> None:
        """Count what one frame said; None says nothing."""
        if handedness is None or score is None:
            return
        right = score if handedness == "right" else 1 - score
        self._right = _DECAY * self._right + right
        self._weight = _DECAY * self._weight + 1

    def result(self) -> Tuple[Optional[str], Optional[float]]:
        """The side and the confidence in it, in [0.5, 1]; None, None before any vote."""
        if not self._weight:
            return None, None
        right = self._right / self._weight
        return ("right", right) if right >= 0.5 else ("left", 1 - right)
