"""The two networks of the pipeline, each from a picture to what it says in source pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Dict, List, Mapping, Optional

import numpy as np
from typing_extensions import Protocol

from atlas_hpe.card import ModelCard
from atlas_hpe.geometry import Box, apply_affine, invert_affine
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.decoders import decode_hand, place_heatmaps
from atlas_hpe_pipelines.detection import Detection, decode_detections, detections_to_source
from atlas_hpe_pipelines.device_path.crop import HardwareCrop
from atlas_hpe_pipelines.preprocess import crop_picture, input_affine, make_feeds, to_feeds
from atlas_hpe_pipelines.regions import choose_region
from atlas_hpe_pipelines.tracking.handedness import other_side
from atlas_hpe_pipelines.tracking.region import Region, region_affine, region_bounds
from atlas_hpe_runtime import Session
from atlas_hpe_runtime.acl.dvpp import Fallback

__all__ = [
    "LEAST_SCORE",
    "Detector",
    "HandDetector",
    "HandReader",
    "all_finite",
    "place_hand",
    "read_region",
]

#: A network without presence says by its joints whether there is a hand: with a mean score below
#: this there is none.
LEAST_SCORE = 0.1


class HandReader:
    """A landmark network that is read at one region of a picture after the other.

    Args:
        card: Its card, with ``fit="crop"``.
        session: Opened and checked against the card; stays the caller's.
        hardware: What crops the frames that lie on the device, None to let the host do it. It cuts
            upright squares alone, so the host crops where the network is to see the hand turned by
            more than ``max_tilt_deg`` of the card, or in a mirror; that is counted there.
        heatmaps: Whether hands come with the heatmaps of networks that give them.

    Attributes:
        broken: The network gave NaN or infinite numbers since this was last set to False.
        spent_s: Seconds in the steps ``crop`` and ``infer`` since they were last set to 0.
    """

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        hardware: Optional[HardwareCrop] = None,
        *,
        heatmaps: bool = False,
    ) -> None:
        self.card = card
        self.broken = False
        self.spent_s: Dict[str, float] = {"crop": 0.0, "infer": 0.0}
        self._session = session
        self._hardware = hardware
        self._heatmaps = heatmaps
        spec = card.preprocess
        self._crop = np.empty((spec.height_px, spec.width_px, 3), np.uint8)
        self._feeds = make_feeds(card)

    def read(self, frame: Frame, region: Region) -> Optional[HandPose]:
        """The hand in a region, None when there is none; of a mirrored region the true side."""
        started = perf_counter()
        view = self._cut_by_hardware(frame, region) or self._cut(frame, region)
        cropped = perf_counter()
        outputs = self._session.run(view.feeds)
        inferred = perf_counter()
        self.broken |= not all_finite(outputs)
        self.spent_s["crop"] += cropped - started
        self.spent_s["infer"] += inferred - cropped
        hand = _read_view(self.card, outputs, view, frame, heatmaps=self._heatmaps)
        return None if hand is None or hand.score < LEAST_SCORE else hand

    def _cut(self, frame: Frame, region: Region) -> _View:
        """The region turned upright, by the host."""
        affine = region_affine(region, self.card.preprocess)
        self._crop = crop_picture(frame.image, affine, self.card.preprocess, self._crop)
        self._feeds = to_feeds(self.card, self._crop, self._feeds)
        return _View(self._feeds, invert_affine(affine), region)

    def _cut_by_hardware(self, frame: Frame, region: Region) -> Optional[_View]:
        """The region as it stands in the picture; None where the host has to cut it."""
        hardware, limit_deg = self._hardware, self.card.preprocess.max_tilt_deg
        if hardware is None:
            return None
        if region.mirrored:
            hardware.leave("mirrored")
            return None
        if limit_deg is not None and abs(math.degrees(region.angle_rad)) > limit_deg:
            hardware.leave(f"of hands tilted by more than {limit_deg:g} degrees")
            return None
        upright = replace(region, angle_rad=0.0)
        plan = hardware.plan(region_bounds(upright))
        if isinstance(plan, Fallback):
            hardware.leave(f"because {plan.reason}")
            return None
        return _View(hardware.cut(frame, plan), invert_affine(plan.affine), upright)


@dataclass(frozen=True, eq=False)
class _View:
    """What a network is shown.

    Attributes:
        feeds: The network's input.
        to_source: (2, 3) map from input to source pixels.
        region: The region that was cut.
    """

    feeds: Mapping[str, np.ndarray]
    to_source: np.ndarray
    region: Region


class Detector(Protocol):
    """What tells where hands are.

    Attributes:
        broken: It met NaN or infinite numbers since this was last set to False.
    """

    broken: bool

    def detect(self, image: np.ndarray) -> List[Detection]:
        """The hands in an (H, W, 3) BGR picture, in its pixels, best first."""


class HandDetector:
    """A detector that is shown whole pictures.

    Args:
        card: Its card.
        session: Opened and checked against the card; stays the caller's.

    Attributes:
        broken: The network gave NaN or infinite numbers since this was last set to False.
    """

    def __init__(self, card: ModelCard, session: Session) -> None:
        self.card = card
        self.broken = False
        self._session = session
        self._feeds = make_feeds(card)

    def detect(self, image: np.ndarray) -> List[Detection]:
        """The hands in a picture, in its pixels, best first."""
        spec = self.card.preprocess
        size_px = (image.shape[1], image.shape[0])
        affine = input_affine(spec, choose_region(spec, size_px, None))
        crop = crop_picture(image, affine, spec)
        self._feeds = to_feeds(self.card, crop, self._feeds)
        outputs = self._session.run(self._feeds)
        self.broken |= not all_finite(outputs)
        return detections_to_source(decode_detections(self.card, outputs), invert_affine(affine))


def place_hand(
    card: ModelCard,
    outputs: Mapping[str, np.ndarray],
    to_source: np.ndarray,
    region: Box,
    frame: Frame,
    *,
    heatmaps: bool = False,
) -> Optional[HandPose]:
    """Decode a landmark network's outputs into the source's pixels.

    Args:
        card: The network's card.
        outputs: Its outputs at batch 1.
        to_source: (2, 3) map from input to source pixels.
        region: What the hand's ``box`` says.
        frame: The frame it was read from.
        heatmaps: Whether the hand comes with the network's heatmaps, where it gives them. They are
            large: a run that kept its hands would keep all of them.

    Returns:
        The hand, None when there is none.
    """
    hand = decode_hand(card, outputs)
    if hand is None:
        return None
    # Depth has no direction in the picture; it grows as areas do, where axes differ in scale too.
    scale = float(np.sqrt(abs(np.linalg.det(to_source[:, :2]))))
    return HandPose(
        joints=apply_affine(to_source, hand.joints),
        joint_scores=hand.joint_scores,
        score=hand.score,
        box=region.as_tuple(),
        frame_index=frame.index,
        time_s=frame.time_s,
        handedness=hand.handedness,
        handedness_score=hand.handedness_score,
        depth=None if hand.depth is None else hand.depth * scale,
        heatmaps=place_heatmaps(card, outputs, to_source) if heatmaps else None,
    )


def read_region(
    card: ModelCard, outputs: Mapping[str, np.ndarray], region: Region, frame: Frame
) -> Optional[HandPose]:
    """What a landmark network said about a region, in source pixels; see ``place_hand``.

    Of a mirrored region, the side is that of the hand and not of its mirror image.
    """
    to_source = invert_affine(region_affine(region, card.preprocess))
    return _read_view(card, outputs, _View({}, to_source, region), frame)


def _read_view(
    card: ModelCard,
    outputs: Mapping[str, np.ndarray],
    view: _View,
    frame: Frame,
    *,
    heatmaps: bool = False,
) -> Optional[HandPose]:
    box = region_bounds(view.region)
    hand = place_hand(card, outputs, view.to_source, box, frame, heatmaps=heatmaps)
    if hand is None or not view.region.mirrored:
        return hand
    return replace(hand, handedness=other_side(hand.handedness))


def all_finite(outputs: Mapping[str, np.ndarray]) -> bool:
    """Whether no output has a NaN or an infinite number."""
    return all(bool(np.isfinite(item).all()) for item in outputs.values())
