"""The ways to choose the 255 colours of a picture; the 256th index stands for "as it is"."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np
from typing_extensions import Protocol

from atlas_hpe_pipelines.sinks.gif.changes import Change
from atlas_hpe_pipelines.sinks.gif.colours import COLOURS, TABLE_BYTES, read_indices, to_image
from atlas_hpe_pipelines.sinks.gif.scratch import Scratch
from atlas_hpe_pipelines.sinks.gif.shared import SharedPalette
from atlas_hpe_pipelines.sinks.gif.tracked import TrackedPalette

__all__ = ["PALETTE_KINDS", "OctreePalette", "Palette"]


class Palette(Protocol):
    """Turns the changes of one clip, in their order, into indices and colours.

    Attributes:
        tolerance: How far, in any channel, a pixel may be from what it should be before it is
            written again. Near the palette's own error: less would write pixels in vain.
    """

    tolerance: int

    def index(self, change: Change) -> Tuple[np.ndarray, bytes]:
        """Choose the colours of the next picture.

        Returns:
            (h, w) uint8 indices below 255, C-contiguous, those of pixels that stay meaningless,
            good until the next picture; the RGB colours that they stand for, 768 bytes.
        """
        ...


class OctreePalette:
    """Pillow's octree, for each picture anew."""

    tolerance = 6

    def __init__(self) -> None:
        self._room = Scratch()

    def index(self, change: Change) -> Tuple[np.ndarray, bytes]:
        """As ``Palette.index``."""
        from PIL import Image

        octree = to_image(change.picture).quantize(
            COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
        colours = bytes(octree.getpalette() or ())[:TABLE_BYTES].ljust(TABLE_BYTES, b"\x00")
        return read_indices(octree, self._room), colours


PALETTE_KINDS: Dict[str, Callable[[], Palette]] = {
    "tracked": TrackedPalette,
    "octree": OctreePalette,
    "shared": SharedPalette,
}
