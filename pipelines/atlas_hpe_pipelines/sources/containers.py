"""What the first bytes of a video say about its container."""

from __future__ import annotations

__all__ = ["counts_frames", "has_index_behind", "is_mp4"]

#: Boxes that a file of the MP4 family may begin with, besides the pictures and the index.
_SMALL_BOXES = (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pnot")
_PICTURES, _INDEX = b"mdat", b"moov"


def is_mp4(head: bytes) -> bool:
    """Whether it is MP4 or MOV (ISO/IEC 14496-12, or QuickTime before it)."""
    return head[4:8] in (*_SMALL_BOXES, _PICTURES, _INDEX)


def counts_frames(head: bytes) -> bool:
    """Whether the container counts its frames (MP4, MOV, AVI); OpenCV guesses for the others."""
    return is_mp4(head) or (head[:4], head[8:12]) == (b"RIFF", b"AVI ")


def has_index_behind(head: bytes) -> bool:
    """Whether an MP4 has its pictures in front of its index.

    A box is 4 bytes of length, 4 letters, content; length 1 puts the length into the 8 bytes behind
    (ISO/IEC 14496-12, 4.2).
    """
    at = 0
    while head[at + 4 : at + 8] in _SMALL_BOXES:
        size = int.from_bytes(head[at : at + 4], "big")
        at += max(int.from_bytes(head[at + 8 : at + 16], "big") if size == 1 else size, 8)
    return head[at + 4 : at + 8] == _PICTURES
