"""One hand looked for at the same place in every frame: three stages that overlap."""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.geometry import Box, invert_affine
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.device_path import HardwareCrop
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.preprocess import crop_picture, input_affine, to_feeds
from atlas_hpe_pipelines.regions import choose_region, is_in_picture
from atlas_hpe_pipelines.tracking import place_hand
from atlas_hpe_pipelines.tracking.readers import all_finite
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime import Session
from atlas_hpe_runtime.acl.dvpp import CropPlan, Fallback

__all__ = ["FixedRegion"]


class FixedRegion:
    """Reads the hand in one region of each frame: in the box, or in the whole frame.

    A frame of another size than the first has the box in the same pixels, and no hand where the box
    lies outside of it; without a box all of that frame is the region.

    Args:
        card: The landmark network's card.
        session: Opened and checked against the card; stays the caller's.
        size_px: Width and height of the first frame.
        box: The hand's box in source pixels, None for the whole frame.
        hardware: What crops the frames, which lie on the device and are all of one size; None to
            let the host do it.
        heatmaps: Whether hands come with the heatmaps of networks that give them.

    Attributes:
        region: Where it looks in the first frame, source pixels.
        broken_frames: Frames in which the network gave NaN or infinite numbers.

    Raises:
        UsageError: The box lies outside the first frame.
    """

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        size_px: Tuple[int, int],
        box: Optional[Box] = None,
        hardware: Optional[HardwareCrop] = None,
        *,
        heatmaps: bool = False,
    ) -> None:
        self.region = choose_region(card.preprocess, size_px, box)
        self.broken_frames = 0
        self._card = card
        self._session = session
        self._size_px = size_px
        self._box = box
        self._hardware = hardware
        self._heatmaps = heatmaps
        self._plan = None if hardware is None else hardware.plan(self.region)
        affine = input_affine(card.preprocess, self.region)
        self._affine = self._plan.affine if isinstance(self._plan, CropPlan) else affine

    def stages(self) -> List[Stage[Work]]:
        """Crop, infer and joints."""
        return [
            Stage("crop", self._crop),
            Stage("infer", self._infer),
            Stage("joints", self._find_joints),
        ]

    def _crop(self, work: Work) -> Work:
        hardware, plan = self._hardware, self._plan
        if hardware is not None and isinstance(plan, CropPlan):
            work.tensors = hardware.cut(work.frame, plan)
            return work
        if hardware is not None and isinstance(plan, Fallback):
            hardware.leave(f"because {plan.reason}")
        _, affine = self._look_at(work.frame)
        crop = crop_picture(work.frame.image, affine, self._card.preprocess)
        work.tensors = to_feeds(self._card, crop)
        return work

    def _infer(self, work: Work) -> Work:
        work.tensors = self._session.run(work.tensors)
        return work

    def _find_joints(self, work: Work) -> Work:
        outputs, work.tensors = work.tensors, {}
        self.broken_frames += not all_finite(outputs)
        if self._box is not None and not is_in_picture(self._box, work.frame.size_px):
            return work
        region, affine = self._look_at(work.frame)
        to_source = invert_affine(affine)
        hand = place_hand(
            self._card, outputs, to_source, region, work.frame, heatmaps=self._heatmaps
        )
        work.hands = () if hand is None else (hand,)
        return work

    def _look_at(self, frame: Frame) -> Tuple[Box, np.ndarray]:
        """The region in a frame, and the (2, 3) map from source to input pixels."""
        if self._box is not None or frame.size_px == self._size_px:
            return self.region, self._affine
        whole = choose_region(self._card.preprocess, frame.size_px, None)
        return whole, input_affine(self._card.preprocess, whole)
