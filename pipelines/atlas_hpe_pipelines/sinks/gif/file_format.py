"""The bytes of a GIF89a file (CompuServe, "Graphics Interchange Format, Version 89a", 1990).

Pillow's C code does the LZW compression. What stands around it is written here, because Pillow's
own writer keeps every frame in memory until the end.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import IO, Optional, Tuple

import numpy as np

__all__ = [
    "MAX_DELAY_CS",
    "TRAILER",
    "TRANSPARENT",
    "PictureEncoder",
    "encode_delay",
    "encode_header",
]

# The delay is an unsigned 16-bit field (section 23).
MAX_DELAY_CS = 0xFFFF
TRAILER = b";"
#: The index of a pixel that stays as it is; the last one, so that 255 colours stand before it.
TRANSPARENT = 255

# Width of an uncompressed code; Pillow's encoder always writes 8-bit codes.
_CODE_BITS = b"\x08"
# A colour table of 2 ** (7 + 1) entries, of all pictures (section 18) or of one (section 20). 0x70
# in the former: 8 bits per primary colour.
_GLOBAL_TABLE_FLAGS = 0xF7
_NO_GLOBAL_TABLE_FLAGS = 0x70
_LOCAL_TABLE_FLAGS = 0x87
# Leave the picture in place: the next one is drawn over it; one index is transparent (section 23).
_KEEP_PICTURE_FLAGS = 0x05


def encode_header(
    size_px: Tuple[int, int], loop: Optional[int], colours: Optional[bytes] = None
) -> bytes:
    """Everything before the first frame.

    Args:
        size_px: Width and height, each up to 65535.
        loop: Repetitions, 0 for ever, None to leave the extension out (play once).
        colours: 256 RGB colours of the pictures that bring none, 768 bytes; None when all do.
    """
    flags = _NO_GLOBAL_TABLE_FLAGS if colours is None else _GLOBAL_TABLE_FLAGS
    header = b"GIF89a" + struct.pack("<HHBBB", size_px[0], size_px[1], flags, 0, 0)
    header += colours or b""
    if loop is not None:
        header += b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\x00"
    return header


def encode_delay(delay_cs: int) -> bytes:
    """The graphic control extension in front of a picture that stands ``delay_cs`` / 100 s."""
    fields = struct.pack("<BHB", _KEEP_PICTURE_FLAGS, delay_cs, TRANSPARENT)
    return b"!\xf9\x04" + fields + b"\x00"


class PictureEncoder:
    """Turns pictures into GIF images, without holding the interpreter lock for the LZW.

    Pillow releases the lock only when its encoder writes to a real file, so the codes go through a
    scratch file; it stays in the page cache. The other stages of a pipeline work meanwhile.

    Args:
        folder: Where the scratch file may be; it has no name there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scratch: Optional[IO[bytes]] = None

    def encode(
        self, indices: np.ndarray, place: Tuple[int, int], colours: Optional[bytes]
    ) -> bytes:
        """One picture.

        Args:
            indices: (h, w) uint8, C-contiguous.
            place: Left and top of the rectangle it fills.
            colours: 256 RGB colours of its own, 768 bytes; None for those of the header.

        Returns:
            Image descriptor, colour table if any, and LZW data.
        """
        from PIL import Image, ImageFile

        height, width = indices.shape
        flags = 0 if colours is None else _LOCAL_TABLE_FLAGS
        descriptor = b"," + struct.pack("<HHHHB", *place, width, height, flags)
        if self._scratch is None:
            self._scratch = tempfile.TemporaryFile(dir=str(self._folder))  # noqa: SIM115
        self._scratch.seek(0)
        self._scratch.truncate()
        image = Image.frombuffer("P", (width, height), indices, "raw", "P", 0, 1)
        tile = ("gif", (0, 0, width, height), 0, "P")
        ImageFile._save(image, self._scratch, [tile])  # type: ignore[list-item]
        self._scratch.seek(0)
        # The encoder's output is cut into the sub-blocks of section 15 already; 0 ends them.
        parts = (descriptor, colours or b"", _CODE_BITS, self._scratch.read(), b"\x00")
        return b"".join(parts)

    def close(self) -> None:
        """Remove the scratch file."""
        if self._scratch is not None:
            self._scratch.close()
