"""Where the frames of a run go: pictures to look at, numbers to go on with.

A new kind of output is one file with a ``Sink`` in it and one line in ``SINKS``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Callable, Dict, Tuple, Union

from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.outfile import check_out_path
from atlas_hpe_pipelines.sinks.gif import GifSink
from atlas_hpe_pipelines.sinks.jsonl import FrameRecord, JsonlSink, load_schema, read_jsonl
from atlas_hpe_pipelines.sinks.npz import NpzSink
from atlas_hpe_pipelines.sinks.options import PALETTES, OutputOptions, SinkOptions
from atlas_hpe_pipelines.sinks.picture_folder import PictureFolderSink
from atlas_hpe_pipelines.sinks.sink import BaseSink, Sink
from atlas_hpe_pipelines.sinks.stdout import StdoutSink
from atlas_hpe_pipelines.sinks.table import CsvSink
from atlas_hpe_pipelines.sinks.video import Mp4Sink, WebmSink
from atlas_hpe_pipelines.sinks.whole_folder import check_out_folder

__all__ = [
    "FOLDER",
    "PALETTES",
    "SINKS",
    "STDOUT",
    "FrameRecord",
    "OutputOptions",
    "Sink",
    "SinkOptions",
    "check_output",
    "kind_of",
    "load_schema",
    "open_sink",
    "read_jsonl",
]

STDOUT = "-"
FOLDER = "/"

#: Suffix -> sink; ``FOLDER`` stands for a name with a slash at its end, ``STDOUT`` for itself.
#: Libraries (Pillow, OpenCV, imageio-ffmpeg) are loaded by the sinks when they are first used.
SINKS: Dict[str, Callable[[Path, SinkOptions], BaseSink]] = {
    ".csv": CsvSink,
    ".gif": GifSink,
    ".jsonl": JsonlSink,
    ".mp4": Mp4Sink,
    ".npz": NpzSink,
    ".webm": WebmSink,
    FOLDER: PictureFolderSink,
    STDOUT: StdoutSink,
}


def kind_of(path: Union[str, Path]) -> str:
    """The key of ``SINKS`` that an output belongs to, or its unknown suffix.

    A Path can't hold a slash at its end, so that a Path without a suffix is a folder.
    """
    text = str(path)
    if text == STDOUT:
        return STDOUT
    if text.endswith(FOLDER) or (isinstance(path, Path) and not path.suffix):
        return FOLDER
    return Path(path).suffix.lower()


def check_output(path: Union[str, Path], *, force: bool) -> Path:
    """Tell before any work whether an output can be written.

    Args:
        path: A file, its suffix one of ``SINKS``; a folder for pictures, written with a slash at
            its end (``frames/``); or ``"-"`` for JSON lines on standard output.
        force: Replace an output that exists.

    Returns:
        The path, for ``open_sink``.

    Raises:
        OutputError: The kind is not known; otherwise as ``check_out_path`` and
            ``check_out_folder``.
    """
    kind = kind_of(path)
    if kind == FOLDER:
        check_out_folder(Path(path), force=force)
    elif kind not in SINKS:
        files = ", ".join(sorted(name for name in SINKS if name.startswith(".")))
        raise OutputError(
            "the kind of output is not known",
            where=path,
            why=f"its suffix is '{kind}', known are {files}",
            fix=f"name it, for example, {Path(path).stem}.gif, or {Path(path).stem}/ for pictures",
        )
    elif kind != STDOUT:
        check_out_path(path, [kind], force=force)
    return Path(path)


def open_sink(
    path: Union[str, Path],
    *,
    fps: float,
    size_px: Tuple[int, int],
    force: bool = False,
    options: OutputOptions = OutputOptions(),  # noqa: B008 - frozen
) -> BaseSink:
    """Open an output; its name chooses the kind.

    Args:
        path: The final name, as for ``check_output``; nothing is seen under it until ``finish``.
        fps: Nominal frame rate. The rate of a video; elsewhere only the length of a clip of one
            frame follows from it, all other times come from the frames.
        size_px: Width and height of the pictures that will come.
        force: Replace an output that exists.
        options: What the user chose.

    Returns:
        The sink, to be used as a context manager.

    Raises:
        OutputError: As ``check_output``, or the output can't be created.
        UsageError: A rate or size that is not positive, or an unknown palette.
        MissingExtraError: A library for this kind is not installed.
    """
    checked = check_output(path, force=force)
    _check_options(checked, fps, size_px, options)
    sink_options = SinkOptions(fps=fps, size_px=size_px, force=force, output=options)
    return SINKS[kind_of(path)](checked, sink_options)


def _check_options(
    path: Path, fps: float, size_px: Tuple[int, int], options: OutputOptions
) -> None:
    if not 0 < fps < math.inf:
        raise UsageError(
            "the frame rate of an output must be positive",
            where=path,
            why=f"fps is {fps}",
            fix="name a rate in frames per second, such as 15",
        )
    # The last frame of a video stands for a whole slot.
    if options.max_fps is not None and not 1 <= options.max_fps < math.inf:
        raise UsageError(
            "the most frames per second of an output must be 1 or more",
            where=path,
            why=f"max_fps is {options.max_fps}",
            fix="name a rate in frames per second, such as 15",
        )
    if min(size_px) < 1:
        raise UsageError(
            "the size of an output must be positive",
            where=path,
            why=f"size_px is {size_px}",
            fix="name a width and height of at least 1",
        )
    if options.palette not in PALETTES:
        raise UsageError(
            "the palette is not known",
            where=path,
            why=f"it is '{options.palette}', known are {', '.join(PALETTES)}",
            fix="use --palette tracked",
        )
