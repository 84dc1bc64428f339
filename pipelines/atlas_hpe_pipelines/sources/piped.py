"""Standard input as a source.

OpenCV's FFmpeg reads it in this process, so frames and times are those of a file. One thread passes
the bytes on (see ``pump.py``), another decodes: so whoever waits for a frame can be interrupted.
"""

from __future__ import annotations

import os
import queue
import stat
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Iterator, Optional, Tuple, Union

from atlas_hpe.errors import InputError, SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sources.capture import CaptureSource
from atlas_hpe_pipelines.sources.containers import has_index_behind
from atlas_hpe_pipelines.sources.pump import Pump
from atlas_hpe_pipelines.sources.source import RecordedSource

__all__ = ["PipedSource", "redirected_file"]

_NAME = "standard input"
#: What one thread hands to the other: first the video, then frames; None or an error at the end.
_Item = Union[CaptureSource, Frame, BaseException, None]
#: Bytes looked at before FFmpeg gets them.
_HEAD_SIZE = 4096
#: How often a thread that waits looks whether it is to end.
_LOOK_S = 0.2
_EXAMPLE = "cat clip.mkv | atlas-hpe run - --out hands.gif"
#: Formats that need no jump to another place of the file.
_STREAMABLE = "Matroska (.mkv), MPEG-TS (.ts), raw H.264, MJPEG, or pictures one after the other"


def redirected_file(descriptor: int = 0) -> Optional[Path]:
    """The file that standard input is redirected from (``< clip.mp4``), None for a pipe.

    Raises:
        InputError: It is closed, or a terminal.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        is_closed = descriptor == 0 and sys.__stdin__ is None  # its number may be another file's
    except OSError:
        is_closed, mode = True, 0
    if is_closed:
        raise InputError("standard input is closed", fix=f"pipe a clip into it: {_EXAMPLE}")
    if os.isatty(descriptor):
        raise InputError(
            "standard input is a terminal, no video comes from it",
            fix=f"pipe a clip into it: {_EXAMPLE}",
        )
    return Path(os.path.realpath(f"/dev/fd/{descriptor}")) if stat.S_ISREG(mode) else None


class PipedSource(RecordedSource):
    """Video from a pipe as a ``Source``: whatever FFmpeg can read without jumping about.

    Args:
        descriptor: The file descriptor to read from; it stays open.

    Raises:
        SourceError: No data comes, or no frame comes out of it.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self.name = _NAME
        self.frame_count: Optional[int] = None
        self._pump = Pump(descriptor)
        self._stopped = threading.Event()
        self._ready: queue.Queue[_Item] = queue.Queue(1)
        self._thread = threading.Thread(target=self._decode, name="atlas-hpe piped", daemon=True)
        try:
            self._thread.start()
            video = self._wait_for_video()
        except BaseException:
            self.close()
            raise
        self.size_px: Tuple[int, int] = video.size_px
        self.fps, self.warnings = video.fps, video.warnings

    def frames(self) -> Iterator[Frame]:
        """All frames in order, until the pipe is closed at its other end."""
        item = self._next()
        while isinstance(item, Frame):
            yield item
            item = self._next()
        if isinstance(item, BaseException):
            raise item

    def stop(self) -> None:
        """End ``frames`` soon, also while it waits for data."""
        self._stopped.set()
        self._pump.stop()

    def close(self) -> None:
        """Stop, and end the threads; calling it again does nothing."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()
        self._pump.close()

    def _wait_for_video(self) -> CaptureSource:
        opened = self._next()
        if isinstance(opened, BaseException):
            raise opened
        if not isinstance(opened, CaptureSource):
            raise SourceError("nothing was read from standard input", where=_NAME)
        return opened

    def _next(self) -> _Item:
        """What the thread has got next; None at the end."""
        while not self._stopped.is_set():
            try:
                return self._ready.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
        return None

    def _decode(self) -> None:
        try:
            with closing(_open(self._pump)) as video:
                self._put(video)
                for frame in video.frames():
                    if not self._put(frame):
                        return
                self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever reads
            self._put(error)

    def _put(self, item: _Item) -> bool:
        """Hand over; false where nobody wants it any more."""
        while not self._stopped.is_set():
            try:
                self._ready.put(item, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False


def _open(pump: Pump) -> CaptureSource:
    """Look at the beginning, then let FFmpeg read.

    Raises:
        SourceError: No frame will come.
    """
    head = pump.read_head(_HEAD_SIZE)
    if not head:
        raise SourceError(
            "no data came from standard input",
            where=_NAME,
            why="it was closed at once; the program in front may have failed",
            fix=f"look at what that program says; {_EXAMPLE}",
        )
    if has_index_behind(head):
        raise SourceError(
            "this MP4 can't be read from a pipe",
            where=_NAME,
            why="its index stands behind the pictures, and a pipe can't be read backwards",
            fix="give the file by its name or with '<'; or move the index to the front first: "
            "ffmpeg -i clip.mp4 -c copy -movflags +faststart front.mp4",
        )
    pump.start(head)
    try:
        video = CaptureSource(pump.location, _NAME)
    except SourceError as error:
        raise SourceError(
            "no frame can be decoded from standard input",
            where=_NAME,
            why="it is no video, it holds no pictures, or it can't be read as a stream",
            fix=f"send {_STREAMABLE}, or save it to a file and give its name",
        ) from error
    if video.is_depth:
        video.close()
        raise SourceError(
            "depth video can't be read from a pipe",
            where=_NAME,
            fix="save it to a file and give its name",
        )
    return video
