"""What the head of a JPEG file says, read without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Optional, Tuple

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.media.codes import FAILURE

__all__ = ["JpegHead", "read_jpeg_head"]

_SOI, _EOI, _SOS, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE1, 0xEE
# Start of frame: 0xC0 to 0xCF without the tables that share the range (DHT, JPG, DAC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Baseline, and sequential with more tables: the two that a Huffman decoder of 8 bit reads.
_SEQUENTIAL = (0xC0, 0xC1)
_ORIENTATION_TAG = 0x0112
#: Sampling factors of Y against those of Cb and Cr -> acldvppJpegFormat.
_SAMPLINGS = {(1, 1): 0, (2, 1): 1, (2, 2): 2, (1, 2): 4, (4, 1): 5}
_GREY = 3
_UNKNOWN = 1000


@dataclass(frozen=True)
class JpegHead:
    """The head of a JPEG file.

    Attributes:
        stored_width: Width in pixels, as stored.
        stored_height: Height in pixels, as stored.
        components: 1 grey, 3 colour, 4 with black.
        frame: Second byte of the start-of-frame marker.
        precision: Bits of a sample.
        sampling: acldvppJpegFormat: 0 4:4:4, 1 4:2:2, 2 4:2:0, 3 grey, 4 4:4:0, 5 4:1:1, 1000 any
            other.
        is_ycc: Its colours are Y, Cb, Cr (or grey).
        orientation: EXIF orientation, 1 to 8.
    """

    stored_width: int
    stored_height: int
    components: int
    frame: int
    precision: int
    sampling: int
    is_ycc: bool
    orientation: int = 1

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height after the rotation that EXIF asks for."""
        if self.orientation >= 5:
            return self.stored_height, self.stored_width
        return self.stored_width, self.stored_height

    @property
    def is_supported(self) -> bool:
        """JPEGD decodes it: Huffman coded, not progressive, 8 bit, a sampling that it knows."""
        if self.frame not in _SEQUENTIAL or self.precision != 8 or not self.is_ycc:
            return False
        return self.components in (1, 3) and self.sampling <= 4


def read_jpeg_head(data: bytes) -> JpegHead:
    """Read everything before the first scan.

    Raises:
        AclFailure: 500001, the bytes are no JPEG file or end too early.
    """
    if data[:2] != bytes([0xFF, _SOI]):
        raise AclFailure(FAILURE)
    place, orientation, transform = 2, 1, None
    frame: Optional[Tuple[int, bytes]] = None
    while True:
        marker, segment, place = _next_segment(data, place)
        if marker == _APP1 and segment[:6] == b"Exif\0\0":
            orientation = _read_orientation(segment[6:])
        elif marker == _APP14 and segment[:5] == b"Adobe" and len(segment) >= 12:
            transform = segment[11]
        elif marker in _FRAMES:
            frame = (marker, segment)
        elif marker in (_SOS, _EOI):
            break
    if frame is None:
        raise AclFailure(FAILURE)
    return _describe(frame[0], frame[1], orientation, transform)


def _next_segment(data: bytes, place: int) -> Tuple[int, bytes, int]:
    """Marker, content and the place after it; fill bytes before a marker are passed over."""
    while place + 1 < len(data) and data[place] == 0xFF and data[place + 1] == 0xFF:
        place += 1
    if place + 2 <= len(data) and data[place] == 0xFF and data[place + 1] == _EOI:
        return _EOI, b"", place + 2
    if place + 4 > len(data) or data[place] != 0xFF:
        raise AclFailure(FAILURE)
    length = struct.unpack(">H", data[place + 2 : place + 4])[0]
    end = place + 2 + length
    if length < 2 or end > len(data):
        raise AclFailure(FAILURE)
    return data[place + 1], data[place + 4 : end], end


def _describe(frame: int, segment: bytes, orientation: int, transform: Optional[int]) -> JpegHead:
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        raise AclFailure(FAILURE)
    precision, height, width, components = struct.unpack(">BHHB", segment[:6])
    if not width or not height or not components:
        raise AclFailure(FAILURE)
    names = bytes(segment[6 + 3 * index] for index in range(components))
    factors = [divmod(segment[7 + 3 * index], 16) for index in range(components)]
    # libjpeg takes three components named R, G and B for RGB, unless Adobe's marker says more.
    is_rgb = transform == 0 or (transform is None and names == b"RGB")
    return JpegHead(
        width,
        height,
        components,
        frame,
        precision,
        _sampling(factors),
        components == 1 or (components == 3 and not is_rgb),
        orientation,
    )


def _sampling(factors: List[Tuple[int, int]]) -> int:
    if len(factors) == 1:
        return _GREY
    luma, chroma = factors[0], factors[1:]
    if len(set(chroma)) != 1 or 0 in chroma[0] or luma[0] % chroma[0][0] or luma[1] % chroma[0][1]:
        return _UNKNOWN
    return _SAMPLINGS.get((luma[0] // chroma[0][0], luma[1] // chroma[0][1]), _UNKNOWN)


def _read_orientation(tiff: bytes) -> int:
    """The orientation in EXIF's first directory; 1 where there is none or it makes no sense."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    start = struct.unpack(order + "I", tiff[4:8])[0]
    if start + 2 > len(tiff):
        return 1
    count = struct.unpack(order + "H", tiff[start : start + 2])[0]
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if place + 12 > len(tiff):
            break
        tag, _, _, value = struct.unpack(order + "HHIH", tiff[place : place + 10])
        if tag == _ORIENTATION_TAG:
            return value if 1 <= value <= 8 else 1
    return 1
