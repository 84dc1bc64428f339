"""Where the frames of a run go: GIF, MP4, JSON lines.

A new kind of output is one file with a ``Sink`` in it and one line in ``SINKS``.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple, Union

from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe_pipelines.sinks.atomic import exists_error
from atlas_hpe_pipelines.sinks.gif import GifSink
from atlas_hpe_pipelines.sinks.jsonl import FrameRecord, JsonlSink, load_schema, read_jsonl
from atlas_hpe_pipelines.sinks.mp4 import Mp4Sink
from atlas_hpe_pipelines.sinks.sink import Sink, SinkOptions

__all__ = [
    "SINKS",
    "FrameRecord",
    "Sink",
    "SinkOptions",
    "check_out",
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


def check_out(path: Union[str, Path], force: bool = False) -> Path:
    """Tells before any work whether an output can be written.

    Args:
        path: Where it should go; the suffix chooses the kind, in any case.
        force: Replace a file that exists.

    Returns:
        The path, as a Path.

    Raises:
        OutputError: Unknown suffix; the path is a folder; its folder is missing, is no folder or
            is not writable; the file exists and ``force`` is false.
    """
    path = Path(path)
    folder = path.parent
    if path.is_dir():
        raise OutputError(
            "the output is a folder, not a file",
            where=path,
            fix=f"name a file in it, for example {path / 'hands.gif'}",
        )
    if path.suffix.lower() not in SINKS:
        raise OutputError(
            "the kind of output is not known",
            where=path,
            why=f"its suffix is '{path.suffix}', known are {', '.join(sorted(SINKS))}",
            fix="end the name with one of the known suffixes",
        )
    if not folder.exists():
        raise OutputError(
            "the folder of the output does not exist", where=folder, fix=f"mkdir -p '{folder}'"
        )
    if not folder.is_dir():
        raise OutputError(
            "the output lies in something that is not a folder",
            where=folder,
            fix="choose another path with --out",
        )
    if not os.access(str(folder), os.W_OK | os.X_OK):
        raise OutputError(
            "the folder of the output is not writable",
            where=folder,
            fix="choose another folder with --out, or change its permissions",
        )
    if path.exists() and not force:
        raise exists_error(path)
    return path


def open_sink(
    path: Union[str, Path],
    *,
    fps: float,
    size_px: Tuple[int, int],
    force: bool = False,
    loop: Optional[int] = 0,
    max_width_px: Optional[int] = None,
) -> Sink:
    """Opens an output; the suffix of the path chooses the kind.

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
        OutputError: As ``check_out``, or the file can't be created.
        UsageError: A rate or size that is not positive.
        MissingExtraError: A library for this kind is not installed.
    """
    path = check_out(path, force)
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
