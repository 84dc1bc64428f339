"""Animated GIF, written frame by frame: memory does not grow with the length of the clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.sinks.clock import FrameClock
from atlas_hpe_pipelines.sinks.gif import file_format
from atlas_hpe_pipelines.sinks.gif.changes import Change, Screen
from atlas_hpe_pipelines.sinks.gif.palettes import PALETTE_KINDS
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import FileSink, require_picture, require_time_s

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

    A source above 50 frames/s loses frames, never time (see ``FrameClock``). Of each frame only
    what a viewer does not show already is written (see ``Screen``); a frame that brings nothing
    new lets the one before it stand longer.

    Args:
        path: The final name.
        options: Size, rate and the user's choices.

    Raises:
        OutputError: The file can't be created, or an option is out of the format's range.
    """

    def __init__(self, path: Path, options: SinkOptions) -> None:
        chosen = options.output
        _check_range(path, options.size_px, chosen.loop)
        super().__init__(path, force=options.force)
        self._size_px = options.size_px
        self._loop = chosen.loop
        self._clock = FrameClock(
            _TICKS_PER_S, min_ticks=_MIN_DELAY_CS, fps=options.fps, max_fps=chosen.max_fps
        )
        self._palette = PALETTE_KINDS[chosen.palette]()
        self._screen = Screen(self._palette.tolerance)
        self._encoder = file_format.PictureEncoder(path.resolve().parent)
        self._global_colours: Optional[bytes] = None
        # Encoded frames whose delay is not settled: the last one, and the one before it, which
        # takes over the time of the last one if that turns out too short to stand alone.
        self._last: Optional[bytes] = None
        self._last_cs = 0
        self._before: Optional[bytes] = None
        self._before_cs = 0

    @property
    def dropped(self) -> int:
        """How many frames came too soon after another: within 2/100 s, or above ``max_fps``."""
        return self._clock.dropped

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        image = require_picture(picture, self._size_px, self.path)
        ticks = self._clock.advance(require_time_s(frame, self.path))
        if ticks is None:
            return
        self._last_cs += ticks
        change = self._screen.compare(image)
        if change is None:
            return
        encoded = self._encode(change)
        if self._last is not None:
            self._write_before()
            self._before, self._before_cs = self._last, self._last_cs
        self._last, self._last_cs = encoded, 0

    def _encode(self, change: Change) -> bytes:
        """One picture; in front of the first one the header, which may hold its colours."""
        indices, colours = self._palette.index(change)
        if self._last is None:
            self._global_colours = colours
            self._file.write(file_format.encode_header(self._size_px, self._loop, colours))
        self._screen.show(change, indices, colours)
        own_colours = None if colours == self._global_colours else colours
        written = change.leave_out_unchanged(indices)
        return self._encoder.encode(written, (change.left, change.top), own_colours)

    def _complete(self) -> None:
        if self._last is None:
            raise OutputError(
                "no frame came, so there is no GIF to write",
                where=self.path,
                fix="check that the source holds frames in the range you asked for",
            )
        self._last_cs += self._clock.remaining_ticks()
        if self._last_cs < _MIN_DELAY_CS and self._before is not None:
            self._before_cs += self._last_cs
            self._clock.dropped += 1
            self._write_before()
        else:
            self._write_before()
            self._before, self._before_cs = self._last, max(self._last_cs, _MIN_DELAY_CS)
            self._write_before()
        self._file.write(file_format.TRAILER)

    def _release(self) -> None:
        self._encoder.close()

    def _write_before(self) -> None:
        if self._before is None:
            return
        for delay_cs in split_delay(self._before_cs):
            self._file.write(file_format.encode_delay(delay_cs))
            self._file.write(self._before)


def split_delay(delay_cs: int) -> List[int]:
    """Cut a delay into parts that the format can hold (655.35 s), none too short for a browser.

    The frame is repeated for each part, so that the clip keeps its length.
    """
    parts = []
    while delay_cs > file_format.MAX_DELAY_CS:
        part = min(file_format.MAX_DELAY_CS, delay_cs - _MIN_DELAY_CS)
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
