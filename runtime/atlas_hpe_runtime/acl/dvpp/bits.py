"""Bits of a video header, with the Exp-Golomb numbers of ITU-T H.264 section 9.1."""

from __future__ import annotations

__all__ = ["BitReader", "unescape"]

_MAX_ZEROS = 32


def unescape(nal: bytes) -> bytes:
    """The payload of a NAL unit: without the 3 that keeps 0 0 from looking like a start code."""
    return nal.replace(b"\0\0\3", b"\0\0")


class BitReader:
    """Reads bits from the most significant one on.

    Args:
        data: The payload.

    Raises:
        EOFError: From every method: the data ends before the value does.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def flag(self) -> bool:
        """One bit."""
        if self._at >= 8 * len(self._data):
            raise EOFError
        bit = self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
        self._at += 1
        return bool(bit)

    def number(self, bits: int) -> int:
        """An unsigned number of so many bits."""
        value = 0
        for _ in range(bits):
            value = value << 1 | self.flag()
        return value

    def golomb(self) -> int:
        """ue(v): as many zeros as digits follow the first one bit."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > _MAX_ZEROS:
                raise EOFError
        return (1 << zeros) - 1 + self.number(zeros)

    def signed_golomb(self) -> int:
        """se(v): 0, 1, -1, 2, -2, and so on."""
        value = self.golomb()
        return (value + 1) // 2 if value % 2 else -(value // 2)
