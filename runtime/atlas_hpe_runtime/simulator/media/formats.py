"""Pixel formats of DVPP: how many bytes a picture takes, and which strides it may have.

Source: ascend.md sections 1.6 (numbers) and 5.2 (strides and sizes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from atlas_hpe_runtime.simulator.media.codes import FORMAT_MISMATCH, Refusal

__all__ = [
    "FORMATS",
    "GREY",
    "NV12",
    "NV21",
    "SOURCE_FORMAT",
    "VPC_OUTPUTS",
    "YUV422SP",
    "YUV444SP",
    "YVU422SP",
    "YVU444SP",
    "Picture",
    "PixelFormat",
    "align_up",
    "find_format",
]

GREY = 0
NV12 = 1
NV21 = 2
YUV422SP = 3
YVU422SP = 4
YUV444SP = 5
YVU444SP = 6
#: JPEGD: keep the sampling of the file.
SOURCE_FORMAT = 10000


@dataclass(frozen=True)
class PixelFormat:
    """How one pixel format lies in memory.

    Attributes:
        kind: "planar" (rows of Y, then rows of two chroma values in turn), "422", "444" or "rgb"
            (packed).
        order: Where the channels are: for "planar" "uv" or "vu"; else the bytes of a group, in
            capitals ("YUYV" for two pixels, "BGR" or "ARGB" for one).
        bytes_per_pixel: Bytes of a row per pixel.
        chroma_w: Pixels that share a chroma sample in a row; 0 without chroma.
        chroma_h: Rows that share a chroma sample; 0 without chroma.
    """

    kind: str
    order: str
    bytes_per_pixel: int = 1
    chroma_w: int = 1
    chroma_h: int = 1


#: Formats that VPC reads on Ascend 310, without the 10 bit ones.
FORMATS: Dict[int, PixelFormat] = {
    GREY: PixelFormat("planar", "", chroma_w=0, chroma_h=0),
    NV12: PixelFormat("planar", "uv", chroma_w=2, chroma_h=2),
    NV21: PixelFormat("planar", "vu", chroma_w=2, chroma_h=2),
    YUV422SP: PixelFormat("planar", "uv", chroma_w=2),
    YVU422SP: PixelFormat("planar", "vu", chroma_w=2),
    YUV444SP: PixelFormat("planar", "uv"),
    YVU444SP: PixelFormat("planar", "vu"),
    7: PixelFormat("422", "YUYV", 2, chroma_w=2),
    8: PixelFormat("422", "UYVY", 2, chroma_w=2),
    9: PixelFormat("422", "YVYU", 2, chroma_w=2),
    10: PixelFormat("422", "VYUY", 2, chroma_w=2),
    11: PixelFormat("444", "YUV", 3),
    12: PixelFormat("rgb", "RGB", 3),
    13: PixelFormat("rgb", "BGR", 3),
    14: PixelFormat("rgb", "ARGB", 4),
    15: PixelFormat("rgb", "ABGR", 4),
    16: PixelFormat("rgb", "RGBA", 4),
    17: PixelFormat("rgb", "BGRA", 4),
}

#: VPC of Ascend 310 writes nothing else.
VPC_OUTPUTS = (NV12, NV21)


def align_up(value: int, step: int) -> int:
    """The next multiple of ``step`` that is not below ``value``."""
    return -(-value // step) * step


def find_format(number: int) -> PixelFormat:
    """A format that VPC reads.

    Raises:
        Refusal: 100027, there is none with this number.
    """
    if number not in FORMATS:
        raise Refusal(f"there is no pixel format {number} on Ascend 310", FORMAT_MISMATCH)
    return FORMATS[number]


@dataclass(frozen=True)
class Picture:
    """A picture in device memory, as a picture description tells it.

    Attributes:
        data: Address of the first byte.
        size: Bytes that belong to the picture.
        format: A key of ``FORMATS``.
        width: Width in pixels.
        height: Height in pixels.
        width_stride: Bytes from one row to the next.
        height_stride: Rows of the Y plane that the memory holds.
    """

    data: int
    size: int
    format: int
    width: int
    height: int
    width_stride: int
    height_stride: int

    @property
    def layout(self) -> PixelFormat:
        """The layout of its format (100027 if there is none)."""
        return find_format(self.format)

    @property
    def least_width_stride(self) -> int:
        """The smallest stride in bytes: 16 pixels at a time, and 32 bytes at least."""
        return max(32, align_up(self.width, 16) * self.layout.bytes_per_pixel)

    @property
    def least_size(self) -> int:
        """Bytes that the strides ask for; a grey picture takes as much as 4:2:0."""
        layout = self.layout
        area = self.width_stride * self.height_stride
        if layout.kind != "planar":
            return area
        if layout.chroma_h == 1:
            return area * (2 if layout.chroma_w == 2 else 3)
        return area * 3 // 2
