"""What the header of a JPEG file says, read without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

from atlas_hpe.errors import SourceError

__all__ = ["JpegHeader", "read_jpeg_header"]

_START, _END, _SCAN, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE1, 0xEE
#: All start-of-frame markers; C4, C8 and CC between them are tables and a reserved marker.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers that have no length behind them: TEM and the restart markers.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class JpegHeader:
    """The properties that decide whether the hardware can decode the file.

    Attributes:
        width_px: Width as stored, before any rotation.
        height_px: Height as stored.
        coding: Number of the start-of-frame marker: 0 baseline, 1 extended, 2 progressive,
            3 lossless, 9 and above arithmetic.
        bits: Bits per sample.
        sampling: Horizontal and vertical sampling factor of each component.
        orientation: EXIF orientation, 1 for upright.
        is_rgb: Its three components are R, G and B, not luma and chroma.
    """

    width_px: int
    height_px: int
    coding: int
    bits: int
    sampling: Tuple[Tuple[int, int], ...]
    orientation: int = 1
    is_rgb: bool = False


def read_jpeg_header(data: bytes, where: Optional[object] = None) -> JpegHeader:
    """Read the header of a JPEG file.

    Args:
        data: The file's content, or enough of its start.
        where: What the user knows the file by.

    Raises:
        SourceError: It is no JPEG file, or it ends before its header does.
    """
    if data[:2] != bytes([0xFF, _START]):
        raise SourceError("the file is not a JPEG picture", where=where, why="its marker is absent")
    orientation, adobe = 1, None
    for marker, body in _segments(data):
        if marker == _APP1:
            orientation = _exif_orientation(body) or orientation
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker in _FRAMES and len(body) >= 6:
            bits, height_px, width_px, count = struct.unpack_from(">BHHB", body)
            if count and width_px and height_px and len(body) >= 6 + 3 * count:
                names, factors = body[6 : 6 + 3 * count : 3], body[7 : 6 + 3 * count : 3]
                sampling = tuple((factor >> 4, factor & 15) for factor in factors)
                return JpegHeader(
                    width_px=width_px,
                    height_px=height_px,
                    coding=marker - 0xC0,
                    bits=bits,
                    sampling=sampling,
                    orientation=orientation,
                    # Adobe's marker tells where it is present, the components' names elsewhere.
                    is_rgb=count == 3 and (adobe == 0 or (adobe is None and names == b"RGB")),
                )
    raise SourceError(
        "the JPEG picture is damaged",
        where=where,
        why="it ends, or its pixels begin, before its size is told",
        fix="copy it again",
    )


def _segments(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """The markers in front of the first scan, each with its body."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _BARE:  # fill bytes may stand before a marker
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in (_SCAN, _END) or length < 2:
            return
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + length


def _exif_orientation(body: bytes) -> Optional[int]:
    """The orientation in an APP1 segment (EXIF 2.3, section 4.6.4), None where it has none."""
    if body[:6] != b"Exif\0\0" or body[6:8] not in (b"II", b"MM"):
        return None
    tiff, order = body[6:], "<" if body[6:8] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for index in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * index)
            if (tag, kind) == (_ORIENTATION_TAG, 3) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        # A damaged EXIF block says nothing; the picture itself may be whole.
        return None
    return None
