"""What the picture hardware of the Ascend 310 takes (ascend.md sections 5.2, 5.4 and 5.5).

Each function gives None where the hardware takes the input, else the reason why it does not.
"""

from __future__ import annotations

from typing import Optional, Tuple

from atlas_hpe_runtime.acl.dvpp.fallback import Fallback
from atlas_hpe_runtime.acl.dvpp.jpeg_header import JpegHeader
from atlas_hpe_runtime.acl.dvpp.video_header import VideoHeader

__all__ = [
    "MAX_SCALE",
    "MIN_SCALE",
    "VPC_MIN_PX",
    "refuse_jpeg",
    "refuse_output",
    "refuse_picture",
    "refuse_video",
]

#: Smallest width and height that the crop and resize unit reads, cuts, pastes or writes.
VPC_MIN_PX: Tuple[int, int] = (10, 6)
_VPC_MAX_IN_PX, _VPC_MAX_OUT_PX = 8192, 4096
#: Output over input, in each direction.
MIN_SCALE, MAX_SCALE = 1 / 32, 16.0
_JPEG_PX = (32, 8192)
#: Luma's sampling factors -> sampling; chroma is 1x1 (4:4:4, 4:2:2, 4:2:0, 4:4:0).
_LUMA_FACTORS = frozenset({(1, 1), (2, 1), (2, 2), (1, 2)})
_VIDEO_PX = (128, 4096)
_MAX_LEVEL = 51
#: profile_idc of H.264 baseline, main and high; of H.265 main and main 10.
_PROFILES = {"h264": (66, 77, 100), "h265": (1, 2)}


def refuse_picture(width_px: int, height_px: int) -> Optional[Fallback]:
    """Whether the crop and resize unit can read an NV12 picture of this size."""
    return _refuse_size("crop and resize", (width_px, height_px), VPC_MIN_PX, _VPC_MAX_IN_PX)


def refuse_output(width_px: int, height_px: int) -> Optional[Fallback]:
    """Whether the crop and resize unit can write a picture that AIPP takes as it lies there."""
    size = (width_px, height_px)
    refused = _refuse_size("crop and resize", size, VPC_MIN_PX, _VPC_MAX_OUT_PX)
    if refused is None and (width_px % 16 or width_px < 32 or height_px % 2):
        refused = Fallback(
            f"AIPP takes rows without gaps, and the hardware writes {width_px}x{height_px} px "
            "with gaps: the width has to be a multiple of 16 from 32 on, the height even"
        )
    return refused


def refuse_jpeg(header: JpegHeader) -> Optional[Fallback]:
    """Whether the JPEG decoder takes a file."""
    if header.coding != 0 or header.bits != 8:
        kind = {0: "baseline", 1: "extended", 2: "progressive", 3: "lossless"}
        name = kind.get(header.coding, "arithmetic or hierarchical")
        return Fallback(
            f"the hardware decodes baseline JPEG of 8 bits, this is {name} of {header.bits} bits"
        )
    if header.is_rgb:
        return Fallback("the hardware decodes luma and chroma, this picture stores R, G and B")
    if not _is_usual_sampling(header.sampling):
        return Fallback(
            "the hardware decodes grey, 4:4:4, 4:2:2, 4:2:0 and 4:4:0, "
            f"this has the sampling factors {_show(header.sampling)}"
        )
    if header.orientation != 1:
        return Fallback(
            f"the picture is turned (EXIF orientation {header.orientation}), and the size that the "
            "hardware then gives out is not documented"
        )
    size = (header.width_px, header.height_px)
    return _refuse_size("the JPEG decoder", size, (_JPEG_PX[0],) * 2, _JPEG_PX[1])


def refuse_video(header: VideoHeader) -> Optional[Fallback]:
    """Whether the video decoder takes a stream, and gives it out as this project expects it."""
    name = {"h264": "H.264", "h265": "H.265"}.get(header.codec, header.codec)
    if header.profile not in _PROFILES.get(header.codec, ()):
        return Fallback(f"the hardware does not decode profile {header.profile} of {name}")
    if header.level > _MAX_LEVEL:
        return Fallback(f"the hardware decodes {name} up to level 5.1, this is {header.level / 10}")
    if header.chroma != 1:
        return Fallback("the hardware decodes video with 4:2:0 chroma alone")
    if header.bits != 8:
        return Fallback(
            f"the video has {header.bits} bits, and what the hardware gives out for it is not "
            "documented"
        )
    if header.interlaced:
        return Fallback("the video is interlaced: its pictures may come as two halves")
    if header.cropped:
        return Fallback("the video cuts pixels off at its left or top")
    size = (header.width_px, header.height_px)
    return _refuse_size("the video decoder", size, (_VIDEO_PX[0],) * 2, _VIDEO_PX[1])


def _is_usual_sampling(sampling: Tuple[Tuple[int, int], ...]) -> bool:
    if len(sampling) == 1:
        return True
    return len(sampling) == 3 and sampling[0] in _LUMA_FACTORS and set(sampling[1:]) == {(1, 1)}


def _show(sampling: Tuple[Tuple[int, int], ...]) -> str:
    return ", ".join(f"{across}x{down}" for across, down in sampling)


def _refuse_size(
    unit: str, size_px: Tuple[int, int], least_px: Tuple[int, ...], most_px: int
) -> Optional[Fallback]:
    fits = all(least <= side <= most_px for side, least in zip(size_px, least_px))
    if fits:
        return None
    least_width, least_height = least_px
    return Fallback(
        f"{unit} in hardware takes {least_width}x{least_height} to {most_px}x{most_px} px, "
        f"this is {size_px[0]}x{size_px[1]} px"
    )
