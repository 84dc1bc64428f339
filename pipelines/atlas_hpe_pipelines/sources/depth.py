"""Depth in millimetres, and as a picture in false colours that shows a hand."""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np

from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.buffers import PictureBuffers

__all__ = ["DepthView", "doubt_depth", "is_depth"]

#: The nearest measurements are often single wrong pixels: the range begins behind so many percent.
_NEAR_PERCENT = 1.0
#: A hand and the arm behind it; what lies further than this behind the nearest is all one colour.
_RANGE_MM = 600.0
#: The nearest colour, of 255: those above are too dark to tell apart. And how fast colours change
#: with depth at the near end, where the hand is, compared with an even change.
_WARMEST, _STEEPNESS = 235.0, 1.8
#: How far the range follows each frame: at once it would flicker whenever something comes nearer.
_FOLLOW = 0.2
#: Every so many pixels in both directions are enough to find the range.
_STRIDE = 4
#: Depth cameras don't measure so far, and no hand would be seen there.
_TOO_FAR_MM = 10_000.0


def is_depth(image: np.ndarray) -> bool:
    """Whether a picture, as stored, is taken for depth: one channel of 16 bits."""
    return image.ndim == 2 and image.dtype == np.uint16


def doubt_depth(raw: np.ndarray, unit_mm: float) -> Optional[str]:
    """What speaks against a picture being depth in this unit, None where nothing does.

    Photographs and scans with 16 bits of grey look the same; most of their values are large.

    Args:
        raw: (H, W) uint16, 0 where nothing was measured.
        unit_mm: Millimetres that one step of the 16 bits stands for.
    """
    measured = raw[raw > 0]
    middle_mm = float(np.median(measured)) * unit_mm if measured.size else 0.0
    if middle_mm <= _TOO_FAR_MM:
        return None
    return (
        f"16-bit grey is taken for depth, and half of it would be {middle_mm / 1000:.0f} m away or "
        "more: give its unit (--depth-unit-mm); if it is a photograph, save it with 8 bits"
    )


class DepthView:
    """Makes frames of raw depth.

    False colours go from warm (near) to cold (far) over 600 mm behind the nearest one percent of
    the measurements; black is no measurement. The range follows the clip slowly.

    Args:
        unit_mm: Millimetres that one step of the 16 bits stands for.
    """

    def __init__(self, unit_mm: float) -> None:
        self._unit_mm = unit_mm
        self._near_mm: Optional[float] = None
        self._colours = _make_colours()
        self._buffers = PictureBuffers()

    def frame(self, index: int, time_s: float, raw: np.ndarray) -> Frame:
        """The frame of one raw picture.

        Args:
            index: Position in the source.
            time_s: Presentation time.
            raw: (H, W) uint16, 0 where nothing was measured.
        """
        depth_mm = self._buffers.take(raw.shape, np.float32)
        np.multiply(raw, np.float32(self._unit_mm), out=depth_mm)
        return Frame(index=index, time_s=time_s, image=self._colour(depth_mm), depth_mm=depth_mm)

    def _colour(self, depth_mm: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8, BGR."""
        far_mm = self._follow_near(depth_mm) + _RANGE_MM
        levels = self._buffers.take(depth_mm.shape)
        # 255 at the near end, 1 at the far one.
        within = np.clip(depth_mm, far_mm - _RANGE_MM, far_mm)
        cv2.convertScaleAbs(within, levels, -254 / _RANGE_MM, 254 * far_mm / _RANGE_MM + 1)
        levels[depth_mm == 0] = 0
        image = self._buffers.take((*depth_mm.shape, 3))
        return np.asarray(cv2.applyColorMap(levels, self._colours, image))

    def _follow_near(self, depth_mm: np.ndarray) -> float:
        """Where the range begins, in millimetres."""
        measured = depth_mm[::_STRIDE, ::_STRIDE]
        measured = measured[measured > 0]
        if measured.size:
            near_mm = float(np.percentile(measured, _NEAR_PERCENT))
            last_mm = near_mm if self._near_mm is None else self._near_mm
            self._near_mm = last_mm + _FOLLOW * (near_mm - last_mm)
        return self._near_mm or 0.0


def _make_colours() -> np.ndarray:
    """The colour of each level, (256, 1, 3) uint8, BGR: black, then from cold to warm."""
    behind = np.linspace(1, 0, 256)
    warmth = np.round(_WARMEST * np.exp(-_STEEPNESS * behind)).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(warmth[:, None], cv2.COLORMAP_TURBO))
    colours[0] = 0
    return colours
