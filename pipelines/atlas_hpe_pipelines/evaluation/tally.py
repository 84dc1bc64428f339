"""Results summed up picture by picture, with the worst hands kept to be drawn."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from atlas_hpe.metrics import nme
from atlas_hpe_pipelines.evaluation.report import TaskReport, report_task
from atlas_hpe_pipelines.evaluation.results import HandResult, PictureResult

__all__ = ["WORST_HANDS", "TaskTally", "WorstHand"]

#: So many are drawn.
WORST_HANDS = 12


@dataclass(frozen=True, eq=False)
class WorstHand:
    """A hand with a large error, and what is needed to draw it.

    Attributes:
        error: Its NME, infinite when nothing was found.
        name: Name of the picture.
        image: (H, W, 3) uint8, BGR.
        hand: The result.
    """

    error: float
    name: str
    image: np.ndarray
    hand: HandResult


class TaskTally:
    """Takes pictures, gives the report of their task.

    Args:
        what: The task in words.
        ms_per: What an answer is about: ``"hand"`` or ``"picture"``.
        counts_false_alarms: Whether the task can find hands that nobody labelled.
    """

    def __init__(self, what: str, ms_per: str, *, counts_false_alarms: bool = False) -> None:
        self._what = what
        self._ms_per = ms_per
        self._counts_false_alarms = counts_false_alarms
        self._hands: List[Tuple[str, HandResult]] = []
        self._times_ms: List[float] = []
        self._pictures = 0
        self._false_alarms = 0
        # The number decides between equal errors, so that hands are never compared.
        self._worst: List[Tuple[float, int, WorstHand]] = []

    def add(self, result: PictureResult) -> None:
        """Count one picture in."""
        self._pictures += 1
        self._false_alarms += result.false_alarms
        self._times_ms += result.times_ms
        for hand in result.hands:
            mean = nme(hand.errors)
            error = math.inf if mean is None else mean
            entry = (error, -len(self._hands), WorstHand(error, result.name, result.image, hand))
            self._hands.append((result.group, hand))
            if len(self._worst) < WORST_HANDS:
                heapq.heappush(self._worst, entry)
            else:
                heapq.heappushpop(self._worst, entry)

    def worst(self) -> List[WorstHand]:
        """The hands with the largest errors, largest first."""
        return [entry[2] for entry in sorted(self._worst, key=lambda item: item[:2], reverse=True)]

    def report(self) -> TaskReport:
        """The figures so far."""
        false_alarms: Optional[int] = self._false_alarms if self._counts_false_alarms else None
        return report_task(
            self._hands,
            what=self._what,
            pictures=self._pictures,
            false_alarms=false_alarms,
            times_ms=self._times_ms,
            ms_per=self._ms_per,
        )
