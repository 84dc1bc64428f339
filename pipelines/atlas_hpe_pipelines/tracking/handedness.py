"""Which hand a track is: a vote over its frames."""

from __future__ import annotations

from typing import Optional, Tuple

__all__ = ["SideVote", "average_side", "other_side"]

#: What a frame's vote is worth one frame later. Twenty frames back it is a third: after a long time
#: of one side it takes 14 certain frames of the other to turn the vote. At 0.9 it took seven, and
#: hands of two real clips changed sides for a moment.
_DECAY = 0.95


class SideVote:
    """Left or right, from what the network said in the frames so far.

    Args:
        decay: What a vote is worth one vote later; below 1 newer ones weigh more.
    """

    def __init__(self, decay: float = _DECAY) -> None:
        self._decay = decay
        self._right = 0.0
        self._weight = 0.0

    def add(self, handedness: Optional[str], score: Optional[float]) -> None:
        """Count what one frame said; None says nothing."""
        if handedness is None or score is None:
            return
        right = score if handedness == "right" else 1 - score
        self._right = self._decay * self._right + right
        self._weight = self._decay * self._weight + 1

    def result(self) -> Tuple[Optional[str], Optional[float]]:
        """The side and the confidence in it, in [0.5, 1]; None, None before any vote."""
        if not self._weight:
            return None, None
        right = self._right / self._weight
        return ("right", right) if right >= 0.5 else ("left", 1 - right)


def other_side(side: Optional[str]) -> Optional[str]:
    """What a hand of this side is called in a mirror; None stays None."""
    return {"left": "right", "right": "left"}.get(side or "")


def average_side(
    one: Tuple[Optional[str], Optional[float]], other: Tuple[Optional[str], Optional[float]]
) -> Tuple[Optional[str], Optional[float]]:
    """Side and confidence from two looks at one hand, equal in weight."""
    vote = SideVote(decay=1.0)
    vote.add(*one)
    vote.add(*other)
    return vote.result()
