"""One hand looked for at the same place in every frame: three stages that overlap."""

from __future__ import annotations

from typing import List

from atlas_hpe.card import ModelCard
from atlas_hpe.geometry import Box, invert_affine
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.preprocess import crop_picture, input_affine, to_feeds
from atlas_hpe_pipelines.tracking import place_hand
from atlas_hpe_pipelines.tracking.readers import all_finite
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime import Session

__all__ = ["FixedRegion"]


class FixedRegion:
    """Reads the hand in one region of each frame.

    Args:
        card: The landmark network's card.
        session: Opened and checked against the card; stays the caller's.
        region: Where to look, source pixels.

    Attributes:
        broken_frames: Frames in which the network gave NaN or infinite numbers.
    """

    def __init__(self, card: ModelCard, session: Session, region: Box) -> None:
        self.broken_frames = 0
        self._card = card
        self._session = session
        self._region = region
        self._affine = input_affine(card.preprocess, region)
        self._to_source = invert_affine(self._affine)

    def stages(self) -> List[Stage[Work]]:
        """Crop, infer and joints."""
        return [
            Stage("crop", self._crop),
            Stage("infer", self._infer),
            Stage("joints", self._find_joints),
        ]

    def _crop(self, work: Work) -> Work:
        crop = crop_picture(work.frame.image, self._affine, self._card.preprocess)
        work.tensors = to_feeds(self._card, crop)
        return work

    def _infer(self, work: Work) -> Work:
        work.tensors = self._session.run(work.tensors)
        return work

    def _find_joints(self, work: Work) -> Work:
        outputs, work.tensors = work.tensors, {}
        self.broken_frames += not all_finite(outputs)
        hand = place_hand(self._card, outputs, self._to_source, self._region, work.frame)
        work.hands = () if hand is None else (hand,)
        return work
