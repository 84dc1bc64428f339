"""The pipeline task: the detector and the landmark network on a photograph, nothing given."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Sequence

import numpy as np

from atlas_hpe.metrics import match_hands
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.evaluation.labels import LabelledHand
from atlas_hpe_pipelines.evaluation.results import Answer, PictureAnswers
from atlas_hpe_pipelines.tracking import HandDetector, HandFinder, HandReader

__all__ = ["AskPipeline"]


@dataclass(frozen=True, eq=False)
class AskPipeline:
    """Takes each picture as a clip of one frame, and its labels only to match what was found.

    Attributes:
        reader: The landmark network.
        detector: The detector.
        max_hands: Most hands in a picture.
    """

    reader: HandReader
    detector: HandDetector
    max_hands: int = 2

    def __call__(self, image: np.ndarray, hands: Sequence[LabelledHand]) -> PictureAnswers:
        """Find the hands of a picture and hold them against its labels."""
        started = perf_counter()
        finder = HandFinder(self.reader, self.detector, self.max_hands)
        poses = finder.find(Frame(index=0, time_s=0.0, image=image))
        spent_ms = (perf_counter() - started) * 1000
        matching = match_hands(
            [pose.joints for pose in poses],
            [hand.joints for hand in hands],
            [hand.visible for hand in hands],
        )
        answers = [Answer()] * len(hands)
        for index, number in matching.found_of.items():
            pose = poses[number]
            answers[index] = Answer(pose.joints, True, pose.handedness)
        return PictureAnswers(tuple(answers), len(matching.false_alarms), (spent_ms,))
