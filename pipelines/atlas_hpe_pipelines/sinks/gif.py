"""Animated GIF, written frame by frame: memory does not grow with the length of the clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.sinks import gif_format
from atlas_hpe_pipelines.sinks.clock import FrameClock
from atlas_hpe_pipelines.sinks.palette import PaletteTracker
from atlas_hpe_pipelines.sinks.picture import fit_width, shrink
from atlas_hpe_pipelines.sinks.sink import (
    FileSink,
    SinkOptions,
    require_picture,
    require_time_s,
)

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["GifSink", "split_delay"]

_TICKS_PER_S = 100
# Browsers show a frame with a delay below 2/100 s for 10/100 s, so shorter ones can't be had.
_MIN_DELAY_CS = 2
_MAX_SIDE_PX = 0xFFFF
_MAX_LOOP = 0xFFFF


class GifSink(FileSink):
    """Write a GIF whose frames stand as long as they did in the source.

    A source above 50 frames/s loses frames, never time (see ``FrameClock``).

    Args:
        path: The final name.
        options: Size, rate, ``loop`` and ``max_width_px``.

    Raises:
        OutputError: The file can't be created, or an option is out of the format's range.
    """

    def __init__(self, path: Path, options: SinkOptions) -> None:
        self._source_size_px = options.size_px
        self._size_px = fit_width(options.size_px, options.max_width_px)
        _check_range(path, self._size_px, options.loop)
        super().__init__(path, force=options.force)
        self._loop = options.loop
        self._clock = FrameClock(_TICKS_PER_S, min_ticks=_MIN_DELAY_CS, fps=options.fps)
        self._palettes = PaletteTracker()
        self._encoder = gif_format.PictureEncoder(path.resolve().parent)
        # Encoded frames whose delay is not settled: the last one, and the one before it, which
        # takes over the time of the last one if that turns out too short to stand alone.
        self._last: Optional[bytes] = None
        self._before: Optional[bytes] = None
        self._before_cs = 0

    @property
    def dropped(self) -> int:
        """How many frames were left out because they came within 2/100 s of another."""
        return self._clock.dropped

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        image = require_picture(picture, self._source_size_px, self.path)
        ticks = self._clock.advance(require_time_s(frame, self.path))
        if ticks is None:
            return
        if self._last is None:
            self._file.write(gif_format.encode_header(self._size_px, self._loop))
        else:
            self._write_before()
            self._before, self._before_cs = self._last, ticks
        self._last = self._encoder.encode(*self._palettes.index(shrink(image, self._size_px)))

    def _complete(self) -> None:
        if self._last is None:
            raise OutputError(
                "no frame came, so there is no GIF to write",
                where=self.path,
                fix="check that the source holds frames in the range you asked for",
            )
        remaining_cs = self._clock.remaining_ticks()
        if remaining_cs < _MIN_DELAY_CS and self._before is not None:
            self._before_cs += remaining_cs
            self._clock.dropped += 1
            self._write_before()
        else:
            self._write_before()
            self._before, self._before_cs = self._last, max(remaining_cs, _MIN_DELAY_CS)
            self._write_before()
        self._file.write(gif_format.TRAILER)

    def _release(self) -> None:
        self._encoder.close()

    def _write_before(self) -> None:
        if self._before is None:
            return
        for delay_cs in split_delay(self._before_cs):
            self._file.write(gif_format.encode_delay(delay_cs))
            self._file.write(self._before)


def split_delay(delay_cs: int) -> List[int]:
    """Cut a delay into parts that the format can hold (655.35 s), none too short for a browser.

    The frame is repeated for each part, so that the clip keeps its length.
    """
    parts = []
    while delay_cs > gif_format.MAX_DELAY_CS:
        part = min(gif_format.MAX_DELAY_CS, delay_cs - _MIN_DELAY_CS)
        parts.append(part)
        delay_cs -= part
    return [*parts, delay_cs]


def _check_range(path: Path, size_px: Sequence[int], loop: Optional[int]) -> None:
    if max(size_px) > _MAX_SIDE_PX:
        raise OutputError(
            "the picture is too large for a GIF",
            where=path,
            why=f"it is {size_px[0]}x{size_px[1]}, a side has at most {_MAX_SIDE_PX} pixels",
            fix="limit the width, or write an .mp4",
        )
    if loop is not None and not 0 <= loop <= _MAX_LOOP:
        raise OutputError(
            "the loop count does not fit a GIF",
            where=path,
            why=f"it is {loop}, allowed is 0 (for ever) to {_MAX_LOOP}",
            fix="use 0 to repeat for ever",
        )
