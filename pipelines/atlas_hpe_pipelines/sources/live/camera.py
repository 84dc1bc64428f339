"""Cameras of this machine, by number or device file (Video4Linux)."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Callable, Union

from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.sources.live.opencv import Capture, capture_camera
from atlas_hpe_pipelines.sources.live.patience import Patience
from atlas_hpe_pipelines.sources.live.source import LiveSource
from atlas_hpe_pipelines.sources.source import Source, SourceOptions

__all__ = ["open_camera"]

#: Opens a device file; the default is OpenCV's.
OpenDevice = Callable[[str], Capture]


def open_camera(
    camera: Union[int, str],
    options: SourceOptions,
    *,
    patience: Patience = Patience(),  # noqa: B008 - it can't be changed
    open_device: OpenDevice = capture_camera,
    devices: Path = Path("/dev"),
) -> Source:
    """Open a camera.

    Args:
        camera: Its number, or its device file (``/dev/video0``, ``/dev/v4l/by-id/...``).
        options: How it is read.
        patience: How long it is waited for.
        open_device: What opens the device file.
        devices: The folder of ``videoN``.

    Raises:
        InputError: It is neither.
        SourceError: There is no such camera, it is not for this user, it is in use, or it gives no
            picture.
    """
    text = str(camera)
    if not text.isdigit() and not Path(text).is_absolute():
        raise InputError(
            "this is no camera", where=text, fix="give a number (0) or a device file (/dev/video0)"
        )
    device = devices / f"video{int(text)}" if text.isdigit() else Path(text)

    def connect() -> Capture:
        _check_device(device, devices)
        capture = open_device(str(device))
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                "the camera gives no picture",
                where=device,
                why="another program may be using it, or this is not the one of its device files "
                f"that delivers pictures ({_list_cameras(devices)})",
                fix="close the other program, or give another number",
            )
        return capture

    return LiveSource(str(device), connect, options, patience=patience)


def _check_device(device: Path, devices: Path) -> None:
    """Raise what is wrong with a device file, where that can be told without using it."""
    try:
        os.close(os.open(str(device), os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise SourceError(
                "there is no such camera",
                where=device,
                why=f"cameras here: {_list_cameras(devices)}",
                fix="connect it, or give the number of one that is there",
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise SourceError(
                "the camera is not for this user",
                where=device,
                why=error.strerror,
                fix='sudo usermod -aG video "$USER", then log in again',
            ) from None
        raise SourceError(
            "the camera can't be opened",
            where=device,
            why=error.strerror,
            fix="close the program that uses it, or connect it again",
        ) from None


def _list_cameras(devices: Path) -> str:
    found = [path.name for path in devices.glob("video*") if re.match(r"video\d+$", path.name)]
    ordered = sorted(found, key=lambda name: int(name[5:]))
    return ", ".join(str(devices / name) for name in ordered) or "none"
