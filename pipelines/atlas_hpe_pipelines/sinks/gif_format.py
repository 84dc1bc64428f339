"""The bytes of a GIF89a file (CompuServe, "Graphics Interchange Format, Version 89a", 1990).

Pillow's C code does the LZW compression. What stands around it is written here, because Pillow's
own writer keeps every frame in memory until the end.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Optional, Tuple

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MAX_DELAY_CS", "TRAILER", "PictureEncoder", "encode_delay", "encode_header"]

# The delay is an unsigned 16-bit field (section 23).
MAX_DELAY_CS = 0xFFFF
TRAILER = b";"

# Width of an uncompressed code; Pillow's encoder always writes 8-bit codes.
_CODE_BITS = b"\x08"
# A colour table follows the image descriptor, with 2 ** (7 + 1) entries (section 20).
_LOCAL_TABLE_FLAGS = 0x87
# Leave the picture in place: each frame covers the whole one before it (section 23).
_KEEP_PICTURE_FLAGS = 0x04


def encode_header(size_px: Tuple[int, int], loop: Optional[int]) -> bytes:
    """Everything before the first frame.

    Args:
        size_px: Width and height, each up to 65535.
        loop: Repetitions, 0 for ever, None to leave the extension out (play once).
    """
    # No global colour table: each frame brings its own. 0x70: 8 bits per primary colour.
    header = b"GIF89a" + struct.pack("<HHBBB", size_px[0], size_px[1], 0x70, 0, 0)
    if loop is not None:
        header += b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\x00"
    return header


def encode_delay(delay_cs: int) -> bytes:
    """The graphic control extension in front of a picture that stands ``delay_cs`` / 100 s."""
    return b"!\xf9\x04" + struct.pack("<BHB", _KEEP_PICTURE_FLAGS, delay_cs, 0) + b"\x00"


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

    def encode(self, indexed: Image, palette: bytes) -> bytes:
        """One picture with its own colours.

        Args:
            indexed: Pillow image of mode P; only its indices are used.
            palette: 256 RGB colours, 768 bytes.

        Returns:
            Image descriptor, colour table and LZW data.
        """
        from PIL import ImageFile

        descriptor = b"," + struct.pack("<HHHHB", 0, 0, *indexed.size, _LOCAL_TABLE_FLAGS)
        if self._scratch is None:
            self._scratch = tempfile.TemporaryFile(dir=str(self._folder))  # noqa: SIM115
        self._scratch.seek(0)
        self._scratch.truncate()
        tile = ("gif", (0, 0, *indexed.size), 0, "P")
        ImageFile._save(indexed, self._scratch, [tile])  # type: ignore[list-item]
        self._scratch.seek(0)
        # The encoder's output is cut into the sub-blocks of section 15 already; 0 ends them.
        return descriptor + palette + _CODE_BITS + self._scratch.read() + b"\x00"

    def close(self) -> None:
        """Remove the scratch file."""
        if self._scratch is not None:
            self._scratch.close()
