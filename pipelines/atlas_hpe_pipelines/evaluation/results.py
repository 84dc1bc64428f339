"""What was found for each labelled hand, before it is summed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe_pipelines.evaluation.labels import LabelledHand

__all__ = ["Answer", "Asker", "HandResult", "PictureAnswers", "PictureResult"]


@dataclass(frozen=True, eq=False)
class Answer:
    """What was said of one labelled hand.

    Attributes:
        joints: (21, 2) in pixels of the picture, NaN for a joint that was not found; None when
            nothing was found.
        detected: Whether this counts as found, see ``docs/evaluate.md``.
        side: ``"left"`` or ``"right"``, None when the model does not say.
    """

    joints: Optional[np.ndarray] = None
    detected: bool = False
    side: Optional[str] = None


@dataclass(frozen=True, eq=False)
class PictureAnswers:
    """What was said of one picture.

    Attributes:
        hands: One answer per labelled hand, in their order.
        false_alarms: Found hands that are no labelled hand.
        times_ms: Time of each answer: of every hand, or of the picture.
    """

    hands: Tuple[Answer, ...]
    false_alarms: int
    times_ms: Tuple[float, ...]


#: A picture, (H, W, 3) uint8 BGR, and its labels -> the answers. What is done with the labels
#: besides matching makes the task.
Asker = Callable[[np.ndarray, Sequence[LabelledHand]], PictureAnswers]


@dataclass(frozen=True, eq=False)
class HandResult:
    """One labelled hand and the answer to it.

    Attributes:
        label: The hand as it was labelled.
        answer: What was found.
        errors: (21,) as ``metrics.joint_errors`` gives them; infinite when nothing was found.
        traits: Trait -> bin.
    """

    label: LabelledHand
    answer: Answer
    errors: np.ndarray
    traits: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class PictureResult:
    """One picture at one turn.

    Attributes:
        name: What the index calls it.
        group: Its collection.
        image: (H, W, 3) uint8, BGR: as the model saw it.
        hands: One entry per labelled hand.
        false_alarms: Found hands that are no labelled hand.
        times_ms: Time of each answer, of a hand or of the picture.
    """

    name: str
    group: str
    image: np.ndarray
    hands: Tuple[HandResult, ...]
    false_alarms: int
    times_ms: Tuple[float, ...]
