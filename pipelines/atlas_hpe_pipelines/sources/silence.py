"""OpenCV without its lines on stderr."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import Iterator

import cv2

__all__ = ["silent_opencv"]

_FFMPEG_QUIET = "-8"
#: OpenCV's number for it.
_SILENT = 0


class _Silence:
    """How many want OpenCV to be silent, and what its log was before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.level = 0


_silence = _Silence()


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to stderr; for several threads at a time.

    Their lines tell users nothing that our errors and warnings don't, come at every attempt to
    connect, and nobody can promise that no address with a password is among them. FFmpeg's level is
    read when the process opens its first video; one that the user chose stays.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
    with _silence.lock:
        if _silence.users == 0:
            _silence.level = _set_log_level(_SILENT)
        _silence.users += 1
    try:
        yield
    finally:
        with _silence.lock:
            _silence.users -= 1
            if _silence.users == 0:
                _set_log_level(_silence.level)


def _set_log_level(level: int) -> int:
    """Set the level of OpenCV's log and return what it was; OpenCV 4.5 has another name for it."""
    logging = getattr(cv2.utils, "logging", cv2)
    return int(logging.setLogLevel(level))
