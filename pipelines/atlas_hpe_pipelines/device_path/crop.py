"""A network's input, cut out of a decoded picture by the device."""

from __future__ import annotations

from collections import Counter
from typing import Counter as CounterType
from typing import Dict, Optional, Tuple, Union, cast

import numpy as np

from atlas_hpe.aipp import bgr_to_nv12
from atlas_hpe.card import ModelCard, PreprocessSpec
from atlas_hpe.errors import SessionError
from atlas_hpe.geometry import Box
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.preprocess import picture_input
from atlas_hpe_pipelines.sources.device_frame import DeviceFrame
from atlas_hpe_runtime.acl.dvpp import Cropper, CropPlan, DvppChannel, Fallback, plan_crop
from atlas_hpe_runtime.acl.dvpp.limits import refuse_output

__all__ = ["HardwareCrop", "refuse_card"]

_GREY_LUMA = 128


class HardwareCrop:
    """Cuts what a network looks at out of the pictures of one video; from one thread at a time.

    It cuts upright rectangles only. Where a view reaches out of the picture the input keeps a
    border: of the mean's brightness where the card asks for the mean, else of a middle grey, as the
    hardware can't repeat the picture's edge.

    Args:
        channel: The picture hardware; stays the caller's.
        card: The network's card; ``refuse_card`` gave None.
        picture_px: Width and height of the pictures on the device.

    Attributes:
        cuts: Views that were cut so far.
        left: Why a view was left to the host -> how often.
    """

    def __init__(self, channel: DvppChannel, card: ModelCard, picture_px: Tuple[int, int]) -> None:
        spec = card.preprocess
        self.cuts = 0
        self.left: CounterType[str] = Counter()
        self._input = picture_input(card)
        self._size_px = (spec.width_px, spec.height_px)
        self._keep_aspect = spec.fit == "letterbox"
        self._picture_px = picture_px
        self._cropper = Cropper(channel, _border_luma(spec))

    def plan(self, region: Box) -> Union[CropPlan, Fallback]:
        """What to cut for a region of the source, or why the hardware can't."""
        return plan_crop(self._picture_px, region, self._size_px, self._keep_aspect)

    def cut(self, frame: Frame, plan: CropPlan) -> Dict[str, np.ndarray]:
        """Cut a view out of a frame's picture.

        Args:
            frame: A frame of the video.
            plan: What ``plan`` gave.

        Returns:
            Input name -> the network's input, which stays on the device.

        Raises:
            DeviceError: The device refused, or failed.
            SessionError: The frame was decoded elsewhere, or the source has been closed.
        """
        if not isinstance(frame, DeviceFrame):
            raise SessionError(
                "the frame is not in device memory",
                where=f"frame {frame.index}",
                fix="crop frames that the CPU decoded without the hardware",
            )
        picture = frame.picture
        # The memory comes from a pool and goes back to it with the feeds.
        out = self._cropper.make_output(self._size_px, picture.matrix)
        self._cropper.crop(picture, plan, out)
        self.cuts += 1
        feeds = {self._input.name: out.as_tensor(self._input)}
        # Sessions on a device take these tensors as they take arrays; ``Session`` speaks of the
        # arrays, which all back-ends take.
        return cast("Dict[str, np.ndarray]", feeds)

    def leave(self, reason: str) -> None:
        """Count a view that the host has to cut."""
        self.left[reason] += 1

    def describe(self) -> str:
        """Who cut how many views, in one line."""
        if not self.left:
            return f"{self.cuts} views cut by the device"
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.left.most_common())
        return f"{self.cuts} views cut by the device; by the CPU: {reasons}"


def refuse_card(card: ModelCard) -> Optional[Fallback]:
    """Whether the device can cut the input of a model; the reason where it can't."""
    aipp = card.preprocess.aipp
    fix = "convert it with --input nv12"
    if aipp is None:
        return Fallback(f"the model takes numbers that the CPU prepares; {fix}")
    if aipp.form != "nv12":
        return Fallback(f"the model takes {aipp.form}, and the hardware gives nv12; {fix}")
    if aipp.crop is not None or any(aipp.padding):
        return Fallback("the model's AIPP crops or pads by itself, which the crop does not know")
    return refuse_output(aipp.width_px, aipp.height_px)


def _border_luma(spec: PreprocessSpec) -> int:
    """Brightness of the border."""
    if spec.border != "mean" or spec.aipp is None:
        return _GREY_LUMA
    mean_bgr = spec.mean[::-1] if spec.colour == "rgb" else spec.mean
    pixels = np.empty((2, 2, 3), np.uint8)
    pixels[...] = np.clip(np.round(mean_bgr), 0, 255).astype(np.uint8)
    return int(bgr_to_nv12(pixels, spec.aipp.matrix or "")[0, 0])
