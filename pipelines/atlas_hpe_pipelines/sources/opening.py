"""Which source it is that somebody named."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Optional, Sequence, Union

from atlas_hpe.errors import InputError
from atlas_hpe_pipelines.sources.depth_video import DepthVideo
from atlas_hpe_pipelines.sources.images import ImageSource
from atlas_hpe_pipelines.sources.listing import (
    LIST_SUFFIX,
    PICTURE_SUFFIXES,
    list_folder,
    list_matches,
    list_named,
    read_list,
)
from atlas_hpe_pipelines.sources.piped import PipedSource, redirected_file
from atlas_hpe_pipelines.sources.source import Source, SourceOptions
from atlas_hpe_pipelines.sources.video import VideoSource

__all__ = ["AnySource", "open_source"]

#: What a source can be named by.
AnySource = Union[str, Path, int, Sequence[Union[str, Path]]]

_CAMERA = re.compile(r"(?:camera:)?(\d{1,4})$", re.ASCII)
#: Where device files of cameras are; ``/dev/v4l/by-id`` and ``by-path`` link to them.
_CAMERA_DEVICE = re.compile(r"/dev/(video\d+$|v4l/)", re.ASCII)
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.ASCII | re.IGNORECASE)
_GLOB = re.compile(r"[*?\[]")
_STANDARD_INPUT = ("-", "/dev/stdin")
_READINGS = (
    "a file, a folder, a pattern such as 'frames/*.png', a list in a .txt file, a camera's number, "
    "a URL such as rtsp://, or - for standard input"
)


def open_source(source: AnySource, options: Optional[SourceOptions] = None) -> Source:
    """Open a source by what the user typed.

    What exists under that name is taken before any other reading: a file named ``0`` is a file, and
    ``./0`` always is.

    Args:
        source: File (video, picture, ``.txt`` with one picture per line), folder of pictures,
            pattern with ``*``, ``?`` or ``[``, number of a camera (``0``, ``"camera:0"``) or its
            device file (``"/dev/video0"``, a link to it), URL, ``"-"`` for standard input, or
            pictures by their paths.
        options: How it is read, None for the defaults.

    Returns:
        The source, open: its first frame has been decoded.

    Raises:
        InputError: Nothing is there under that name, or it can't be read.
        SourceError: It is there, and no frame comes out of it.
        MissingExtraError: ``ffmpeg`` is needed and not installed.
    """
    options = SourceOptions() if options is None else options
    if isinstance(source, int):
        return _open_camera(source, options)
    if not isinstance(source, (str, Path)):
        return ImageSource(list_named(source), options)
    name = str(source)
    if _is_camera_device(name):
        return _open_camera(str(Path(name).absolute()), options)
    if isinstance(source, Path) or (_exists(name) and name not in _STANDARD_INPUT[1:]):
        return _open_path(Path(source), options)
    return _open_name(name, options)


def _open_name(source: str, options: SourceOptions) -> Source:
    """A name under which no file exists."""
    if source in _STANDARD_INPUT:
        redirected = redirected_file()
        return PipedSource() if redirected is None else _open_path(redirected, options)
    camera = _CAMERA.match(source)
    if camera is not None:
        return _open_camera(int(camera.group(1)), options)
    if _URL.match(source):
        from atlas_hpe_pipelines.sources.live import open_stream

        return open_stream(source, options)
    if _GLOB.search(source):
        return ImageSource(list_matches(source), options)
    raise _nothing_there(source)


def _open_camera(camera: Union[int, str], options: SourceOptions) -> Source:
    from atlas_hpe_pipelines.sources.live import open_camera

    return open_camera(camera, options)


def _is_camera_device(source: str) -> bool:
    """Whether it is the device file of a camera, there or not, or a link to one."""
    try:
        return _CAMERA_DEVICE.match(os.path.realpath(source)) is not None
    except ValueError:  # a null byte
        return False


def _open_path(path: Path, options: SourceOptions) -> Source:
    if not _exists(str(path)):
        raise _nothing_there(str(path))
    if path.is_dir():
        return ImageSource(list_folder(path), options)
    suffix = path.suffix.lower()
    if suffix == LIST_SUFFIX:
        return ImageSource(read_list(path), options)
    if suffix in PICTURE_SUFFIXES:
        return ImageSource(list_named([path]), options)
    video = VideoSource(path)
    if options.fps is not None:
        video.warnings.append(f"{path}: a video has its own times, {options.fps:g} fps is not used")
    return DepthVideo(video, path, options) if video.is_depth else video


def _exists(source: str) -> bool:
    try:
        return os.path.lexists(source)
    except ValueError:  # a null byte
        return False


def _nothing_there(source: str) -> InputError:
    """The error for a name that means nothing, with the name that may have been meant."""
    path = Path(source)
    near = []
    if source and "\0" not in source and path.parent.is_dir():
        names = [entry.name for entry in os.scandir(str(path.parent))]
        near = difflib.get_close_matches(path.name, names, n=1)
    meant = f"did you mean {path.parent / near[0]}? " if near else ""
    return InputError(
        "the source does not exist",
        where=repr(source) if not source.isprintable() or not source.strip() else source,
        why=f"looked for a file or folder of that name in {Path.cwd()}"
        if not path.is_absolute()
        else "there is no file or folder of that name",
        fix=f"{meant}check the spelling; a source is {_READINGS}",
    )
