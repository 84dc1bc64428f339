"""Where the frames of a run go: GIF, MP4, JSON lines.

A new kind of output is one file with a ``Sink`` in it and one line in ``SINKS``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple, Union

from atlas_hpe.errors import UsageError
from atlas_hpe.outfile import check_out_path
from atlas_hpe_pipelines.sinks.gif import GifSink
from atlas_hpe_pipelines.sinks.jsonl import FrameRecord, JsonlSink, load_schema, read_jsonl
from atlas_hpe_pipelines.sinks.mp4 import Mp4Sink
from atlas_hpe_pipelines.sinks.sink import Sink, SinkOptions

__all__ = [
    "SINKS",
    "FrameRecord",
    "Sink",
    "SinkOptions",
    "load_schema",
    "open_sink",
    "read_jsonl",
]

# Libraries (Pillow, OpenCV, imageio-ffmpeg) are loaded by the sinks when they are first used.
SINKS: Dict[str, Callable[[Path, SinkOptions], Sink]] = {
    ".gif": GifSink,
    ".jsonl": JsonlSink,
    ".mp4": Mp4Sink,
}


def open_sink(
    path: Union[str, Path],
    *,
    fps: float,
    size_px: Tuple[int, int],
    force: bool = False,
    loop: Optional[int] = 0,
    max_width_px: Optional[int] = None,
) -> Sink:
    """Open an output; the suffix of the path chooses the kind.

    Args:
        path: The final name; nothing is seen under it until ``finish``.
        fps: Nominal frame rate. The rate of an .mp4; elsewhere only the length of a clip of one
            frame follows from it, all other times come from the frames.
        size_px: Width and height of the pictures that will come.
        force: Replace a file that exists.
        loop: GIF only. 0 repeats for ever, n repeats n times, None plays once.
        max_width_px: GIF and MP4. Shrink pictures that are wider.

    Returns:
        The sink, to be used as a context manager.

    Raises:
        OutputError: As ``check_out_path``, or the file can't be created.
        UsageError: A rate or size that is not positive.
        MissingExtraError: A library for this kind is not installed.
    """
    path = check_out_path(path, SINKS, force=force)
    if not (math.isfinite(fps) and fps > 0):
        raise UsageError(
            "the frame rate of an output must be positive",
            where=path,
            why=f"it is {fps}",
            fix="name the rate of the source",
        )
    if min(size_px) < 1 or (max_width_px is not None and max_width_px < 1):
        raise UsageError(
            "the size of an output must be positive",
            where=path,
            why=f"size_px is {size_px}, max_width_px is {max_width_px}",
            fix="name a width and height of at least 1",
        )
    options = SinkOptions(
        fps=fps, size_px=size_px, force=force, loop=loop, max_width_px=max_width_px
    )
    return SINKS[path.suffix.lower()](path, options)
