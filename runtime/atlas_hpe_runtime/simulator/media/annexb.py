"""Pieces of an H.264 or H.265 stream in annex-B form, looked at from outside.

Sources: ITU-T H.264 and H.265, annex B (start codes), sections 7.3 and 7.4 (NAL unit headers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional

__all__ = ["AccessUnit", "end_marker", "read_access_unit"]

_START_CODE = b"\0\0\1"
_H264_SLICES, _H264_ENTRIES = (1, 2, 5), (5, 7)
_H265_LAST_SLICE = 31
_H265_ENTRIES = (*range(16, 24), 33)
# Access unit delimiters: with one behind a picture a decoder need not wait for the next picture.
_END_MARKERS = {"h264": b"\0\0\0\1\x09\xf0", "hevc": b"\0\0\0\1\x46\x01\x50"}


@dataclass(frozen=True)
class AccessUnit:
    """What a piece of a stream holds.

    Attributes:
        pictures: How many pictures begin in it.
        is_entry: Decoding can begin with it: a picture that needs no other, or new parameters.
    """

    pictures: int
    is_entry: bool


def end_marker(codec: str) -> bytes:
    """An access unit delimiter for ``"h264"`` or ``"hevc"``."""
    return _END_MARKERS[codec]


def read_access_unit(data: bytes, codec: str) -> Optional[AccessUnit]:
    """Look at a piece of a stream.

    Args:
        data: The piece.
        codec: ``"h264"`` or ``"hevc"``.

    Returns:
        None if the piece does not begin with a start code, as in .mp4 files (avcC, hvcC).
    """
    start = data.find(_START_CODE)
    if start < 0 or data[:start].strip(b"\0"):
        return None
    pictures, is_entry = 0, False
    for place in _nal_units(data):
        if codec == "h264":
            kind = data[place] & 0x1F
            begins = kind in _H264_SLICES and _first_bit(data, place + 1)
            is_entry = is_entry or kind in _H264_ENTRIES
        else:
            kind = (data[place] >> 1) & 0x3F
            begins = kind <= _H265_LAST_SLICE and _first_bit(data, place + 2)
            is_entry = is_entry or kind in _H265_ENTRIES
        pictures += begins
    return AccessUnit(pictures, is_entry)


def _nal_units(data: bytes) -> Iterator[int]:
    """Where each NAL unit's header stands."""
    place = data.find(_START_CODE)
    while place >= 0 and place + len(_START_CODE) < len(data):
        yield place + len(_START_CODE)
        place = data.find(_START_CODE, place + len(_START_CODE))


def _first_bit(data: bytes, place: int) -> bool:
    """First bit of a slice: it is the first slice of its picture."""
    return place < len(data) and bool(data[place] & 0x80)
