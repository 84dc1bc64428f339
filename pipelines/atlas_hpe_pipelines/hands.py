"""What finds the hands of a run: a detector and tracks, or a look at one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

from atlas_hpe.geometry import Box
from atlas_hpe_pipelines.device_path import HardwareCrop
from atlas_hpe_pipelines.fixed_region import FixedRegion
from atlas_hpe_pipelines.opening import Models
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.tracking import HandDetector, HandFinder, HandReader
from atlas_hpe_pipelines.work import Work

__all__ = ["HANDS", "choose_hands", "hand_stages"]

#: The stage that finds and follows hands, told in its steps.
HANDS = "hands"


def choose_hands(
    models: Models,
    size_px: Tuple[int, int],
    *,
    box: Optional[Box],
    max_hands: int,
    detect_every: int,
    hardware: Optional[HardwareCrop],
    heatmaps: bool,
) -> Union[HandFinder, FixedRegion]:
    """Tracks where there is a detector, otherwise one place.

    Args:
        models: The networks.
        size_px: Width and height of the first frame.
        box: The hand's box in source pixels; None for the whole frame.
        max_hands: Most hands at once.
        detect_every: While there is room for another hand, the detector looks in every so many
            frames.
        hardware: What crops on the device, None where the host does.
        heatmaps: Whether hands come with the heatmaps of networks that give them.

    Raises:
        UsageError: The box lies outside the frame, or a number is too small.
    """
    if models.detector is None or models.detector_card is None:
        return FixedRegion(models.card, models.session, size_px, box, hardware, heatmaps=heatmaps)
    reader = HandReader(models.card, models.session, hardware, heatmaps=heatmaps)
    detector = HandDetector(models.detector_card, models.detector)
    return HandFinder(reader, detector, max_hands, detect_every)


def hand_stages(hands: Union[HandFinder, FixedRegion]) -> List[Stage[Work]]:
    """One stage for tracks, because each frame's regions follow from the one before."""
    return [Stage(HANDS, _Find(hands))] if isinstance(hands, HandFinder) else hands.stages()


@dataclass(frozen=True)
class _Find:
    finder: HandFinder

    def __call__(self, work: Work) -> Work:
        work.hands = self.finder.find(work.frame)
        return work
