"""How a picture lies in memory: strides and bytes (ascend.md sections 5.2, 5.4 and 5.5)."""

from __future__ import annotations

from dataclasses import dataclass

from atlas_hpe.errors import UsageError

__all__ = ["PictureLayout", "align", "jpeg_layout", "video_layout", "vpc_layout"]

_MIN_WIDTH_STRIDE = 32


def align(value: int, step: int) -> int:
    """The smallest multiple of ``step`` that is not below ``value``."""
    return -(-value // step) * step


@dataclass(frozen=True)
class PictureLayout:
    """Where the pixels of an NV12 picture lie: rows of Y, then half as many rows of U and V.

    Attributes:
        width_px: Width of the picture, even.
        height_px: Height of the picture, even.
        width_stride: Bytes from one row to the next.
        height_stride: Rows from the first of Y to the first of U and V.

    Raises:
        UsageError: Odd or empty sides, or strides that do not hold the picture.
    """

    width_px: int
    height_px: int
    width_stride: int
    height_stride: int

    def __post_init__(self) -> None:
        sizes = (self.width_px, self.height_px, self.height_stride)
        if min(sizes) < 2 or any(size % 2 for size in sizes):
            raise UsageError(
                f"a picture of {self.width_px}x{self.height_px} px has no nv12 form",
                why="four pixels share one chroma, so both sides must be even",
            )
        if self.width_stride < self.width_px or self.height_stride < self.height_px:
            raise UsageError(
                f"strides {self.width_stride}x{self.height_stride} do not hold a picture of "
                f"{self.width_px}x{self.height_px} px"
            )

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole buffer."""
        return self.width_stride * self.height_stride * 3 // 2

    @property
    def is_packed(self) -> bool:
        """Whether nothing lies between the rows, as AIPP wants it."""
        return (self.width_stride, self.height_stride) == (self.width_px, self.height_px)


def vpc_layout(width_px: int, height_px: int) -> PictureLayout:
    """What the crop and resize unit reads and writes: strides of 16 x 2 (section 5.2)."""
    stride = max(align(width_px, 16), _MIN_WIDTH_STRIDE)
    return PictureLayout(width_px, height_px, stride, align(height_px, 2))


def video_layout(width_px: int, height_px: int) -> PictureLayout:
    """What the video decoder writes: strides of 16 x 2, odd sides grow by one (section 5.5)."""
    return vpc_layout(align(width_px, 2), align(height_px, 2))


def jpeg_layout(width_px: int, height_px: int) -> PictureLayout:
    """What the JPEG decoder writes: strides of 128 x 16, odd sides grow by one (section 5.4)."""
    return PictureLayout(
        align(width_px, 2), align(height_px, 2), align(width_px, 128), align(height_px, 16)
    )
