"""One hand looked for at the same place in every frame: three stages that overlap."""

from __future__ import annotations

from typing import List, Optional

from atlas_hpe.card import ModelCard
from atlas_hpe.geometry import Box, invert_affine
from atlas_hpe_pipelines.device_path import HardwareCrop
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.preprocess import crop_picture, input_affine, to_feeds
from atlas_hpe_pipelines.tracking import place_hand
from atlas_hpe_pipelines.tracking.readers import all_finite
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime import Session
from atlas_hpe_runtime.acl.dvpp import CropPlan, Fallback

__all__ = ["FixedRegion"]


class FixedRegion:
    """Reads the hand in one region of each frame.

    Args:
        card: The landmark network's card.
        session: Opened and checked against the card; stays the caller's.
        region: Where to look, source pixels.
        hardware: What crops the frames, which lie on the device; None to let the host do it.
        heatmaps: Whether hands come with the heatmaps of networks that give them.

    Attributes:
        region: Where it looks, source pixels.
        broken_frames: Frames in which the network gave NaN or infinite numbers.
    """

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        region: Box,
        hardware: Optional[HardwareCrop] = None,
        *,
        heatmaps: bool = False,
    ) -> None:
        self.broken_frames = 0
        self._card = card
        self._session = session
        self.region = region
        self._affine = input_affine(card.preprocess, region)
        self._hardware = hardware
        self._heatmaps = heatmaps
        self._plan = None if hardware is None else hardware.plan(region)
        if isinstance(self._plan, CropPlan):
            self._affine = self._plan.affine
        self._to_source = invert_affine(self._affine)

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
        crop = crop_picture(work.frame.image, self._affine, self._card.preprocess)
        work.tensors = to_feeds(self._card, crop)
        return work

    def _infer(self, work: Work) -> Work:
        work.tensors = self._session.run(work.tensors)
        return work

    def _find_joints(self, work: Work) -> Work:
        outputs, work.tensors = work.tensors, {}
        self.broken_frames += not all_finite(outputs)
        hand = place_hand(
            self._card,
            outputs,
            self._to_source,
            self.region,
            work.frame,
            heatmaps=self._heatmaps,
        )
        work.hands = () if hand is None else (hand,)
        return work
