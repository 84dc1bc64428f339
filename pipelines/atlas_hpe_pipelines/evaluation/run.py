"""Every picture, at every turn, through every task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence, Tuple

import numpy as np

from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.metrics import joint_errors
from atlas_hpe_pipelines.evaluation.labels import LabelledHand, LabelledPicture
from atlas_hpe_pipelines.evaluation.results import Answer, Asker, HandResult, PictureResult
from atlas_hpe_pipelines.evaluation.tally import TaskTally
from atlas_hpe_pipelines.evaluation.traits import describe_traits
from atlas_hpe_pipelines.evaluation.turn import turn_picture

__all__ = ["CIRCLE_DEG", "Task", "run_tasks"]

#: Eight turns, a full circle.
CIRCLE_DEG: Tuple[float, ...] = tuple(45.0 * step for step in range(8))


@dataclass(frozen=True, eq=False)
class Task:
    """A way to ask, and what came of it.

    Attributes:
        ask: Gives answers to a picture.
        tally: Takes the results.
    """

    ask: Asker
    tally: TaskTally


def run_tasks(
    pictures: Iterable[LabelledPicture],
    tasks: Mapping[str, Task],
    turns_deg: Sequence[float] = (0.0,),
) -> None:
    """Ask about every picture and fill the tallies.

    Args:
        pictures: Read one after the other.
        tasks: Name -> task.
        turns_deg: Each picture is looked at under each of these turns, clockwise.

    Raises:
        InputError: A picture can't be read.
        DeviceError: The back-end failed.
    """
    for picture in pictures:
        image = picture.read()
        for turn_deg in turns_deg:
            turned, hands = turn_picture(image, picture.hands, turn_deg)
            traits = [describe_traits(turned, hand) for hand in hands]
            for task in tasks.values():
                answers = task.ask(turned, hands)
                results = tuple(map(_compare, hands, answers.hands, traits))
                task.tally.add(
                    PictureResult(
                        name=picture.name,
                        group=picture.group,
                        image=turned,
                        hands=results,
                        false_alarms=answers.false_alarms,
                        times_ms=answers.times_ms,
                    )
                )


def _compare(label: LabelledHand, answer: Answer, traits: Mapping[str, str]) -> HandResult:
    found = np.full((NUM_JOINTS, 2), np.nan) if answer.joints is None else answer.joints
    errors = joint_errors(found, label.joints, label.visible)
    return HandResult(label, answer, errors, traits)
