"""The landmark task: the labelled box is given, the model finds the joints in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Dict, Optional, Sequence

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import UsageError
from atlas_hpe.metrics import DETECTED_BELOW, joint_errors, nme
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.contract import check_contract
from atlas_hpe_pipelines.decoders import decode_hand
from atlas_hpe_pipelines.evaluation.labels import LabelledHand
from atlas_hpe_pipelines.evaluation.results import Answer, PictureAnswers
from atlas_hpe_pipelines.evaluation.traits import joint_box
from atlas_hpe_pipelines.preprocess import crop_picture, to_feeds
from atlas_hpe_pipelines.tracking import (
    Region,
    average_hands,
    look_at_new_hand,
    read_region,
    region_affine,
    region_from_joints,
)
from atlas_hpe_runtime import Session

__all__ = ["BOX_SCALE", "AskInBox", "can_follow", "describe_given"]

#: Side of the first crop over the longer side of the labelled box.
BOX_SCALE = 1.4
_LEAST_SCALE, _MOST_SCALE = 0.1, 100.0


@dataclass(frozen=True, eq=False)
class AskInBox:
    """Asks about each labelled hand in an upright square around its box.

    A second pass looks again at the region that the first answer gives, turned upright.

    Attributes:
        card: The model's card.
        session: The model.
        box_scale: Side of the first crop over the longer side of the labelled box.
        passes: 1, 2, or None for what a pipeline does with a new hand (``look_at_new_hand``).

    Raises:
        CardError: The card does not fit the model.
        UsageError: The model's input is not a picture, or there can't be such a crop.
    """

    card: ModelCard
    session: Session
    box_scale: float = BOX_SCALE
    passes: Optional[int] = None

    def __post_init__(self) -> None:
        if not _LEAST_SCALE <= self.box_scale <= _MOST_SCALE:
            raise UsageError(
                f"{self.box_scale:g} times the box is no crop of a hand",
                where="--box-scale",
                fix=f"give a number from {_LEAST_SCALE:g} to {_MOST_SCALE:g}",
            )
        if self.card.task == "depth-hand-3d":
            raise UsageError("the model takes depth, not photographs", where=self.card.name)
        check_contract(self.card, self.session.inputs, self.session.outputs)

    def __call__(self, image: np.ndarray, hands: Sequence[LabelledHand]) -> PictureAnswers:
        """Ask about every labelled hand of a picture."""
        answers, times_ms = [], []
        for hand in hands:
            started = perf_counter()
            pose = self._find_joints(image, hand)
            times_ms.append((perf_counter() - started) * 1000)
            answers.append(Answer() if pose is None else _judge(pose, hand))
        return PictureAnswers(tuple(answers), 0, tuple(times_ms))

    def _find_joints(self, image: np.ndarray, hand: LabelledHand) -> Optional[_Found]:
        square = joint_box(hand.joints, hand.visible).squared(self.box_scale)
        region = Region(*square.centre, square.width)
        look = partial(self._look, image)
        if self.passes is None and can_follow(self.card):
            scale = self.card.preprocess.crop_scale
            return look_at_new_hand(look, region, scale, _average)
        found = look(region)
        if found is None or self.passes != 2:
            return found
        scale = self.card.preprocess.crop_scale if can_follow(self.card) else self.box_scale
        seen = region_from_joints(found.joints, scale)
        return found if seen is None else look(seen) or found

    def _look(self, image: np.ndarray, region: Region) -> Optional[_Found]:
        affine = region_affine(region, self.card.preprocess)
        crop = crop_picture(image, affine, self.card.preprocess)
        outputs = self.session.run(to_feeds(self.card, crop))
        frame = Frame(index=0, time_s=0.0, image=image)
        hand = read_region(_without_presence(self.card), outputs, region, frame)
        return None if hand is None else _Found(hand, decode_hand(self.card, outputs) is not None)


@dataclass(frozen=True, eq=False)
class _Found:
    """A hand, and whether the model is sure enough that it is one."""

    hand: HandPose
    accepted: bool

    @property
    def joints(self) -> np.ndarray:
        """(21, 2) in source pixels."""
        return self.hand.joints

    @property
    def joint_scores(self) -> np.ndarray:
        """(21,) in [0, 1]."""
        return self.hand.joint_scores

    @property
    def handedness(self) -> Optional[str]:
        """Left, right or None."""
        return self.hand.handedness


def _average(one: _Found, other: _Found) -> _Found:
    return _Found(average_hands(one.hand, other.hand), one.accepted)


def can_follow(card: ModelCard) -> bool:
    """Whether a pipeline can follow a hand with the model: it takes a crop, not the picture."""
    return card.preprocess.fit == "crop"


def _without_presence(card: ModelCard) -> ModelCard:
    """The card with joints for every crop, as the box is known to hold a hand."""
    options: Dict[str, float] = {**card.decode.options, "min_presence": 0.0}
    return replace(card, decode=replace(card.decode, options=options))


def _judge(found: _Found, label: LabelledHand) -> Answer:
    error = nme(joint_errors(found.joints, label.joints, label.visible))
    near = error is not None and error < DETECTED_BELOW
    return Answer(found.joints, found.accepted and near, found.handedness)


def describe_given(task: AskInBox) -> str:
    """The task in words."""
    if task.passes == 2:
        passes = "two passes, the second turned upright"
    elif task.passes == 1 or not can_follow(task.card):
        passes = "one pass"
    else:
        passes = "as a pipeline looks at a new hand"
    return f"the labelled box is given, {task.box_scale:g} times as large; {passes}"
