"""JPEG files <-> pictures, with Pillow in the place of the JPEGD and JPEGE units."""

from __future__ import annotations

import io

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.media.codes import FAILURE, UNSUPPORTED_JPEG
from atlas_hpe_runtime.simulator.media.jpeg_file import read_jpeg_head
from atlas_hpe_runtime.simulator.media.planes import Planes, halve_chroma

__all__ = ["decode_jpeg", "encode_jpeg"]

_GREY_CHROMA = 0x80
_420 = 2


def decode_jpeg(data: bytes) -> Planes:
    """Decode as JPEGD does: full range, turned as EXIF asks, sides rounded up to even.

    4:2:0 and grey files come out as they are stored. Chroma of other files is averaged down to
    4:2:0. Grey files get chroma 128 (ascend.md section 5.4).

    Args:
        data: The file; bytes after its end do not matter.

    Returns:
        The picture in 4:2:0.

    Raises:
        AclFailure: 148052, not for JPEGD (progressive, arithmetic, 12 bit, RGB, CMYK); 500001, the
            data is damaged.
    """
    head = read_jpeg_head(data)
    if not head.is_supported:
        raise AclFailure(UNSUPPORTED_JPEG)
    luma = _even(_decode(data, "L", 1))
    shape = (luma.shape[0] // 2, luma.shape[1] // 2, 2)
    if head.components == 1:
        chroma = np.full(shape, _GREY_CHROMA, np.uint8)
    elif head.sampling == _420:
        # At half size libjpeg takes chroma as it is stored, and smooths nothing.
        chroma = _decode(data, "YCbCr", 2)[..., 1:]
    else:
        full = _even(_decode(data, "YCbCr", 1)[..., 1:])
        chroma = halve_chroma(halve_chroma(full, axis=1), axis=0)
    return Planes(_turn(luma, head.orientation), _turn(chroma, head.orientation))


def _decode(data: bytes, mode: str, shrink: int) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format != "JPEG":
                raise AclFailure(FAILURE)
            image.draft(mode, (image.width // shrink, image.height // shrink))
            image.load()  # numpy hides what goes wrong while it decodes
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise AclFailure(FAILURE) from error


def _even(plane: np.ndarray) -> np.ndarray:
    """Repeat the last row and column where a side is odd."""
    height, width = plane.shape[:2]
    rest = ((0, 0),) * (plane.ndim - 2)
    return np.pad(plane, ((0, height % 2), (0, width % 2), *rest), mode="edge")


def _turn(plane: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (EXIF 2.3, tag 0x0112)."""
    if orientation >= 5:
        plane = np.swapaxes(plane, 0, 1)
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return plane


def encode_jpeg(planes: Planes, level: int) -> bytes:
    """Encode as JPEGE does: baseline, 4:2:0, full range.

    Args:
        planes: The picture in 4:2:0.
        level: 0 to 100. 1 is worst and 100 best; 0 is as good as 100 (ascend.md section 5.4). The
            quantisation tables are libjpeg's, which need not be the chip's.

    Returns:
        The file.
    """
    from PIL import Image

    # Each sample four times: libjpeg takes the mean of 2x2 and comes back to the sample.
    height, width = planes.luma.shape
    chroma = planes.chroma.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    image = Image.fromarray(np.dstack([planes.luma, chroma]), "YCbCr")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=level or 100, subsampling=_420)
    return file.getvalue()
