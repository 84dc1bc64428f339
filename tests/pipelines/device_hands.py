"""Clips of hands for a simulated device, and a network that reads what lies there."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from marker_hands import CROP_PX, LandmarkSession, Marker, draw, landmark_card

from atlas_hpe.aipp import card_with_aipp, choose_aipp_input
from atlas_hpe.card import ModelCard
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.device_path import HardwareCrop
from atlas_hpe_pipelines.sources import DeviceVideo, open_device_video
from atlas_hpe_runtime.acl.dvpp import DvppChannel
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.tensors import DeviceTensor, read_tensor
from clips import encode

#: Sharp enough that the dots of a hand keep their colours.
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "4")


def nv12_card(max_tilt_deg: Optional[float] = 30.0) -> ModelCard:
    """The card of the network of dots, converted for nv12."""
    card = landmark_card()
    card = replace(card, preprocess=replace(card.preprocess, max_tilt_deg=max_tilt_deg))
    return card_with_aipp(card, choose_aipp_input(card.preprocess, "nv12"))


class NV12Session(LandmarkSession):
    """Reads hands in nv12, on the host or on the device; ``seen`` are the inputs as RGB."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: List[np.ndarray] = []

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        (fed,) = feeds.values()
        planes = read_tensor(fed) if isinstance(fed, DeviceTensor) else fed
        rgb = cv2.cvtColor(planes.reshape(CROP_PX * 3 // 2, CROP_PX), cv2.COLOR_YUV2RGB_NV12)
        self.seen.append(np.asarray(rgb))
        return super().run({"image": self.seen[-1].transpose(2, 0, 1)[None]})


def write_clip(
    path: Path, hands: Sequence[Sequence[Marker]], size_px: Tuple[int, int] = (320, 240)
) -> Path:
    """A video with these hands, a frame after the other."""
    frames = np.stack([draw(markers, 0, size_px).image[..., ::-1] for markers in hands])
    return encode(frames, path, *H264)


@contextmanager
def decoded(
    path: Path, owner: DeviceOwner, card: ModelCard
) -> Iterator[Tuple[Iterator[Frame], HardwareCrop]]:
    """The frames of a video on the device, and what cuts views out of them."""
    with ExitStack() as stack:
        video = stack.enter_context(closing(open_device_video(path, acl=owner.acl)))
        assert isinstance(video, DeviceVideo), str(video.fallback)
        channel = stack.enter_context(DvppChannel(owner))
        yield video.frames(), HardwareCrop(channel, card, video.picture_px)
