"""What the hardware can't do: sizes, strides, areas and scales (ascend.md sections 5.2 to 5.5).

Every check raises ``Refusal``. The library of CANN looks at formats and interpolation itself and
leaves the other rules to the chip, whose answer then comes out of ``synchronize_stream``; no
document names that code. The simulator is strict at the call: 100000, 100027 or 200003.
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_hpe_runtime.simulator.media.codes import FORMAT_MISMATCH, UNALIGNED, Refusal
from atlas_hpe_runtime.simulator.media.formats import NV12, NV21, VPC_OUTPUTS, Picture, align_up

__all__ = [
    "MAX_AREAS",
    "MAX_INTERPOLATION",
    "Area",
    "check_area",
    "check_jpegd_size",
    "check_jpege_input",
    "check_paste_area",
    "check_scale",
    "check_vdec_size",
    "check_vpc_input",
    "check_vpc_output",
    "jpege_size",
]

MAX_AREAS = 256
MAX_INTERPOLATION = 4
_VPC_MIN_WIDTH, _VPC_MIN_HEIGHT = 10, 6
_VPC_MAX_INPUT = 8192
_VPC_MAX_OUTPUT = 4096
_JPEG_MIN, _JPEG_MAX = 32, 8192
_VDEC_MIN, _VDEC_MAX = 128, 4096
_MAX_WIDTH_STRIDE = 4096 * 4
_MAX_ENLARGE = 16
_MAX_SHRINK = 32


@dataclass(frozen=True)
class Area:
    """A rectangle of a picture; all four edges belong to it."""

    left: int
    right: int
    top: int
    bottom: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.bottom - self.top + 1

    def __str__(self) -> str:
        return f"left {self.left}, right {self.right}, top {self.top}, bottom {self.bottom}"


def check_vpc_input(picture: Picture) -> None:
    """A picture that VPC can read: 10x6 to 8192x8192, above 4096 in 4:2:0 only."""
    limit = _VPC_MAX_INPUT if picture.format in (NV12, NV21) else _VPC_MAX_OUTPUT
    _check_picture(picture, limit)


def check_vpc_output(picture: Picture) -> None:
    """A picture that VPC can write: NV12 or NV21, 10x6 to 4096x4096."""
    if picture.format not in VPC_OUTPUTS:
        raise Refusal(f"VPC writes NV12 or NV21, not format {picture.format}", FORMAT_MISMATCH)
    _check_picture(picture, _VPC_MAX_OUTPUT)


def _check_picture(picture: Picture, limit: int) -> None:
    layout, width, height = picture.layout, picture.width, picture.height
    size = f"a picture of {width}x{height} px"
    if width < _VPC_MIN_WIDTH or height < _VPC_MIN_HEIGHT or max(width, height) > limit:
        raise Refusal(f"{size}: the chip takes 10x6 to {limit}x{limit}")
    if (layout.chroma_w == 2 and width % 2) or (layout.chroma_h == 2 and height % 2):
        raise Refusal(f"{size}: sides with shared chroma must be even")
    _check_strides(picture)
    if picture.size < picture.least_size:
        raise Refusal(f"{size}: {picture.size} bytes, its strides need {picture.least_size}")
    if picture.data % 16:
        raise Refusal(f"address {picture.data:#x} is no multiple of 16", UNALIGNED)


def _check_strides(picture: Picture) -> None:
    stride, least = picture.width_stride, picture.least_width_stride
    step = 16 * picture.layout.bytes_per_pixel
    if not least <= stride <= _MAX_WIDTH_STRIDE or stride % step:
        raise Refusal(f"width stride {stride}: expected a multiple of {step} from {least} up")
    least = align_up(picture.height, 2)
    if picture.height_stride < least or picture.height_stride % 2:
        raise Refusal(f"height stride {picture.height_stride}: expected an even one from {least}")


def check_area(area: Area, picture: Picture) -> None:
    """A crop area: inside the picture, 10x6 at least, left and top even, right and bottom odd."""
    if area.width < _VPC_MIN_WIDTH or area.height < _VPC_MIN_HEIGHT:
        raise Refusal(f"area ({area}) is smaller than 10x6 px")
    if area.right >= picture.width or area.bottom >= picture.height:
        raise Refusal(f"area ({area}) leaves the picture of {picture.width}x{picture.height} px")
    if area.left % 2 or area.top % 2 or not area.right % 2 or not area.bottom % 2:
        raise Refusal(f"area ({area}): left and top must be even, right and bottom odd")


def check_paste_area(area: Area, picture: Picture) -> None:
    """A paste area: as a crop area, and its left edge is a multiple of 16."""
    check_area(area, picture)
    if area.left % 16:
        raise Refusal(f"paste area ({area}): left must be a multiple of 16")


def check_scale(source_width: int, source_height: int, width: int, height: int) -> None:
    """Each side may shrink to 1/32 and grow to 16 times."""
    for source, target in ((source_width, width), (source_height, height)):
        if target * _MAX_SHRINK < source or target > source * _MAX_ENLARGE:
            raise Refusal(f"{source} to {target} px: a side may change by 1/32 to 16")


def check_jpegd_size(width: int, height: int) -> None:
    """A picture that the JPEG units take: 32x32 to 8192x8192."""
    if not (_JPEG_MIN <= width <= _JPEG_MAX and _JPEG_MIN <= height <= _JPEG_MAX):
        raise Refusal(f"a JPEG of {width}x{height} px: the chip takes 32x32 to 8192x8192")


def check_jpege_input(picture: Picture) -> None:
    """A picture that JPEGE takes: NV12, NV21 or packed 4:2:2, 32x32 to 8192x8192."""
    check_jpegd_size(picture.width, picture.height)
    packed = picture.format in (7, 8, 9, 10)
    if not packed and picture.format not in (NV12, NV21):
        raise Refusal(f"JPEGE does not read format {picture.format}", FORMAT_MISMATCH)
    if picture.width % 2 or (picture.height % 2 and not packed):
        raise Refusal(f"{picture.width}x{picture.height} px: sides with shared chroma must be even")
    stride, rows = picture.width_stride, picture.height_stride
    if packed and stride != align_up(picture.width * 2, 16):
        raise Refusal(f"width stride {stride}: expected {align_up(picture.width * 2, 16)}")
    if not packed and (stride < picture.width or stride % 16):
        raise Refusal(f"width stride {stride}: expected a multiple of 16 from {picture.width} up")
    if rows != picture.height and (rows < picture.height or rows % 16):
        raise Refusal(f"height stride {rows}: expected {picture.height} or a multiple of 16")


def jpege_size(picture: Picture) -> int:
    """Bytes to set aside for the file that JPEGE makes of a picture.

    The raw picture, 640 bytes of header and 128 for alignment, rounded up to 2 MiB (read in the
    source of CANN's acl library, 2021).
    """
    return align_up(picture.least_size + 640 + 128, 2 * 1024 * 1024)


def check_vdec_size(width: int, height: int) -> None:
    """Pictures of a video that VDEC decodes: 128x128 to 4096x4096."""
    if not (_VDEC_MIN <= width <= _VDEC_MAX and _VDEC_MIN <= height <= _VDEC_MAX):
        raise Refusal(f"a video of {width}x{height} px: the chip takes 128x128 to 4096x4096")
