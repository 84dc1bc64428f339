"""What the handles of the media calls stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, List, Optional

from atlas_hpe_runtime.simulator.media.formats import SOURCE_FORMAT, Picture
from atlas_hpe_runtime.simulator.media.limits import Area

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.media.vdec_channel import VdecChannel

__all__ = [
    "BatchPicDesc",
    "ChannelDesc",
    "JpegeConfig",
    "PicDesc",
    "ResizeConfig",
    "RoiConfig",
    "StreamDesc",
    "VdecChannelDesc",
    "VdecFrameConfig",
]


@dataclass
class ChannelDesc:
    """A channel for pictures; ``channel`` is the handle of the open channel, 0 when closed."""

    channel: int = 0


@dataclass
class PicDesc:
    """A picture description (acldvppPicDesc)."""

    data: int = 0
    size: int = 0
    format: int = SOURCE_FORMAT
    width: int = 0
    height: int = 0
    width_stride: int = 0
    height_stride: int = 0
    ret_code: int = 0

    def picture(self) -> Picture:
        """What it says now."""
        return Picture(
            self.data,
            self.size,
            self.format,
            self.width,
            self.height,
            self.width_stride,
            self.height_stride,
        )

    def take(self, picture: Picture) -> None:
        """Say what was written: all but address and size of the memory."""
        self.format = picture.format
        self.width, self.height = picture.width, picture.height
        self.width_stride = picture.width_stride
        self.height_stride = picture.height_stride
        self.ret_code = 0


@dataclass
class BatchPicDesc:
    """Several picture descriptions; ``pictures`` are their handles."""

    pictures: List[int]


@dataclass
class RoiConfig:
    """A rectangle; all four edges belong to it."""

    left: int
    right: int
    top: int
    bottom: int

    def area(self) -> Area:
        """What it says now."""
        return Area(self.left, self.right, self.top, self.bottom)


@dataclass
class ResizeConfig:
    """How to resize: 0 to 4."""

    interpolation: int = 0


@dataclass
class JpegeConfig:
    """How good a JPEG file gets: 0 to 100."""

    level: int = 0


@dataclass
class StreamDesc:
    """A piece of a video stream (acldvppStreamDesc)."""

    data: int = 0
    size: int = 0
    format: int = 0
    timestamp: int = 0
    ret_code: int = 0
    eos: int = 0


@dataclass
class VdecChannelDesc:
    """A channel for decoding video; ``open`` is the channel, None when closed.

    ``handle`` is what the ledger knows the open channel by.
    """

    channel_id: int = 0
    thread_id: int = 0
    callback: Optional[Callable[[int, int, object], object]] = None
    entype: int = 0
    out_pic_format: int = 0
    out_pic_width: int = 0
    out_pic_height: int = 0
    ref_frame_num: int = 0
    out_mode: int = 0
    bit_depth: int = 0
    open: Optional[VdecChannel] = field(default=None, repr=False)
    handle: int = 0


@dataclass
class VdecFrameConfig:
    """Settings of a single frame; the chip has none."""
