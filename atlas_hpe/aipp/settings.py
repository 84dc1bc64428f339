"""What the registers of the AIPP unit hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np

from atlas_hpe.aipp.registers import MOST_MINIMUM
from atlas_hpe.errors import UsageError

__all__ = ["AIPP_FORMATS", "CSC_MATRICES", "AippSpec", "CscMatrix", "DynamicAipp", "find_matrix"]

Row = Tuple[int, int, int]

#: Our name of an input format -> its name in the configuration (ascend.md section 4.1).
AIPP_FORMATS: Dict[str, str] = {
    "nv12": "YUV420SP_U8",
    "rgb": "RGB888_U8",
    "xrgb": "XRGB8888_U8",
    "gray": "YUV400_U8",
}
_BYTES_PER_PIXEL = {"rgb": 3, "xrgb": 4, "gray": 1}
_MAX_SIDE_PX = 4096
_MAX_PADDING_PX = 32
_INT16_LIMIT = 1 << 15


@dataclass(frozen=True)
class CscMatrix:
    """A colour matrix: ``out = ((rows @ (in - input_bias)) >> 8) + output_bias``, kept in 0..255.

    Attributes:
        rows: 3 rows of 3 integers, in 1/256.
        input_bias: Subtracted per input channel.
        output_bias: Added per output channel.
    """

    rows: Tuple[Row, Row, Row]
    input_bias: Row = (0, 0, 0)
    output_bias: Row = (0, 0, 0)


#: YUV -> RGB (ascend.md section 4.5). JPEG files are "bt601-wide"; H.264 and H.265 from cameras are
#: narrow as a rule.
CSC_MATRICES: Dict[str, CscMatrix] = {
    "bt601-narrow": CscMatrix(((298, 0, 409), (298, -100, -208), (298, 516, 0)), (16, 128, 128)),
    "bt601-wide": CscMatrix(((256, 0, 359), (256, -88, -183), (256, 454, 0)), (0, 128, 128)),
    "bt709-narrow": CscMatrix(((298, 0, 459), (298, -55, -136), (298, 541, 0)), (16, 128, 128)),
    "bt709-wide": CscMatrix(((256, 0, 403), (256, -48, -120), (256, 475, 0)), (0, 128, 128)),
}


@dataclass(frozen=True)
class DynamicAipp:
    """AIPP whose settings the program gives at run time.

    Attributes:
        max_image_bytes: ``max_src_image_size``: bytes of the picture input, all pictures of a batch
            together.
    """

    max_image_bytes: int


@dataclass(frozen=True)
class AippSpec:
    """What the registers of the AIPP unit hold.

    Attributes:
        input_format: A key of ``AIPP_FORMATS``.
        src_width_px: Width of the picture that is fed; 0 for that of the model's input, as models
            of several picture sizes need it.
        src_height_px: Height of it, likewise.
        mean: ``mean_chn``, integers 0..255, one per channel that the model takes: 3, or 1 for gray.
        minimum: ``min_chn``, 0 to 255, rounded to fp16 when used.
        var_reci: ``var_reci_chn``, a factor, rounded to fp16 when used.
        csc: Colour matrix, None for none.
        rbuv_swap: Swap R and B, or U and V, first of all.
        ax_swap: Rotate X R G B to R G B X.
        crop: Left, top, width, height, in pixels of the picture; None for all of it.
        padding: Pixels added left, right, top, bottom.
        padding_value: What they hold; in normalised terms, as padding comes last.

    Raises:
        UsageError: A value that the configuration does not take.
    """

    input_format: str
    src_width_px: int
    src_height_px: int
    mean: Tuple[int, ...]
    minimum: Tuple[float, ...]
    var_reci: Tuple[float, ...]
    csc: Optional[CscMatrix] = None
    rbuv_swap: bool = False
    ax_swap: bool = False
    crop: Optional[Tuple[int, int, int, int]] = None
    padding: Tuple[int, int, int, int] = (0, 0, 0, 0)
    padding_value: float = 0.0

    def __post_init__(self) -> None:
        fault = _find_fault(self)
        if fault is not None:
            raise UsageError("the AIPP settings are not possible", where="AIPP", why=fault)

    @property
    def buffer_shape(self) -> Tuple[int, ...]:
        """Shape of the bytes to feed for one picture, without the batch (ascend.md section 4.6)."""
        height, width = self.src_height_px, self.src_width_px
        if self.input_format == "nv12":
            return height * 3 // 2, width
        return height, width, _BYTES_PER_PIXEL[self.input_format]

    @property
    def output_size_px(self) -> Tuple[int, int]:
        """Width and height of what the model receives, after crop and padding."""
        _, _, width, height = self.crop or (0, 0, self.src_width_px, self.src_height_px)
        left, right, top, bottom = self.padding
        return left + width + right, top + height + bottom


def _find_fault(spec: AippSpec) -> Optional[str]:
    """The first limit of ascend.md section 4.1 that the settings break."""
    width, height = spec.src_width_px, spec.src_height_px
    if spec.input_format not in AIPP_FORMATS:
        known = ", ".join(AIPP_FORMATS)
        return f"there is no input format '{spec.input_format}', known are {known}"
    if (width, height) == (0, 0):
        if spec.crop is not None or any(spec.padding):
            return "crop and padding need the size of the picture"
        return _find_shared_fault(spec)
    if not (2 <= width <= _MAX_SIDE_PX and 1 <= height <= _MAX_SIDE_PX):
        return f"a picture of {width}x{height} px is not within 2x1 to 4096x4096"
    left, top, crop_width, crop_height = spec.crop or (0, 0, width, height)
    if min(left, top) < 0 or min(crop_width, crop_height) < 1:
        return f"the crop {spec.crop} has no pixels"
    if left + crop_width > width or top + crop_height > height:
        return f"the crop {spec.crop} reaches out of the picture of {width}x{height} px"
    if spec.input_format == "nv12" and any(size % 2 for size in (width, height, left, top)):
        return "nv12 needs even sizes and an even start of the crop: four pixels share a chroma"
    if not all(0 <= size <= _MAX_PADDING_PX for size in spec.padding):
        return f"padding {spec.padding} is not within 0..{_MAX_PADDING_PX}"
    return _find_shared_fault(spec)


def _find_shared_fault(spec: AippSpec) -> Optional[str]:
    """The first limit that has nothing to do with sizes."""
    channels = len(spec.mean)
    if channels not in (1, 3) or not channels == len(spec.minimum) == len(spec.var_reci):
        return "mean, minimum and var_reci are given once per channel, for 1 or 3 channels"
    if spec.input_format == "gray" and (channels != 1 or spec.csc is not None or spec.rbuv_swap):
        return "a grey picture has one channel: nothing to swap, and no colour matrix"
    if spec.ax_swap and spec.input_format != "xrgb":
        return "ax_swap is for xrgb alone"
    if not all(0 <= value <= 255 for value in spec.mean):
        return f"mean {spec.mean} is not within 0..255"
    with np.errstate(over="ignore"):
        floats = np.array([*spec.minimum, *spec.var_reci, spec.padding_value]).astype(np.float16)
    if not np.isfinite(floats).all():
        return "minimum, var_reci and padding_value must be numbers that fp16 holds"
    if not all(0 <= value <= MOST_MINIMUM for value in spec.minimum):
        return f"minimum {spec.minimum} is not within 0..{MOST_MINIMUM:g}"
    return None if spec.csc is None else _find_csc_fault(spec.csc)


def _find_csc_fault(csc: CscMatrix) -> Optional[str]:
    for number in (number for row in csc.rows for number in row):
        if not -_INT16_LIMIT <= number < _INT16_LIMIT:
            return f"{number} in the colour matrix does not fit 16 bits"
    for number in csc.input_bias + csc.output_bias:
        if not 0 <= number <= 255:
            return f"the bias {number} is not within 0..255"
    return None


def find_matrix(name: str) -> CscMatrix:
    """The colour matrix of a name in ``CSC_MATRICES``.

    Raises:
        UsageError: There is none.
    """
    if name not in CSC_MATRICES:
        known = ", ".join(CSC_MATRICES)
        raise UsageError(f"there is no colour matrix '{name}'", fix=f"choose one of: {known}")
    return CSC_MATRICES[name]
