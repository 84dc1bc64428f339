"""An ffmpeg process that writes a stream, and in a second pipe an index of it.

The index is ffmpeg's ``framecrc`` format: a line for each packet or picture with its time and size.
So nothing has to be looked for in the stream, and nothing is read ahead of what is used.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import ExitStack
from typing import BinaryIO, Callable, Iterator, List, Optional

from atlas_hpe.errors import MissingExtraError, SourceError

__all__ = ["IndexedFfmpeg", "find_ffmpeg", "seconds_per_tick"]

_TIME_BASE = re.compile(rb"#tb 0: (\d+)/(\d+)")


class IndexedFfmpeg:
    """One run of ffmpeg; close it.

    Args:
        executable: The ffmpeg to run.
        build_command: Number of the pipe for the index -> the command line, program first.

    Raises:
        SourceError: It can't be started.
    """

    def __init__(self, executable: str, build_command: Callable[[int], List[str]]) -> None:
        with ExitStack() as stack:
            # A file and not a pipe: nobody has to read it for ffmpeg to go on.
            self._stderr = stack.enter_context(tempfile.TemporaryFile())
            reading, writing = os.pipe()
            self._index: BinaryIO = stack.enter_context(os.fdopen(reading, "rb"))
            try:
                self._process = subprocess.Popen(  # noqa: S603 - no shell, our own arguments
                    build_command(writing),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr,
                    pass_fds=(writing,),
                    start_new_session=True,  # Ctrl-C is for us to handle
                )
            except OSError as cause:
                raise SourceError(
                    "ffmpeg can't be started",
                    where=executable,
                    why=cause.strerror or str(cause),
                    fix="set IMAGEIO_FFMPEG_EXE to a working ffmpeg",
                ) from cause
            finally:
                os.close(writing)
            stack.callback(self._end)
            self._resources = stack.pop_all()

    def index(self) -> Iterator[bytes]:
        """The lines of the index as they come, comments (``#``) included; none once closed."""
        return iter(()) if self._index.closed else iter(self._index)

    def read(self, size: int) -> bytes:
        """The next bytes of the stream; fewer where it ended."""
        return b"" if self._process.stdout is None else self._process.stdout.read(size)

    def read_into(self, buffer: memoryview) -> bool:
        """Fill a buffer from the stream; False where it ended before."""
        pipe = self._process.stdout
        # A buffered reader reads on until it has all, or the other end closes.
        return pipe is not None and pipe.readinto(buffer) == len(buffer)  # type: ignore[attr-defined]

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait()

    def said(self) -> str:
        """What it has written to standard error so far; empty once closed."""
        if self._stderr.closed:
            return ""
        # Its own position: ffmpeg writes on behind what was read here.
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "replace")

    def close(self) -> None:
        """End it and release the pipes; calling it again does nothing."""
        self._resources.close()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def seconds_per_tick(line: bytes) -> Optional[float]:
    """The unit of times, from the line of an index that tells it; None from any other."""
    base = _TIME_BASE.match(line)
    return None if base is None else int(base.group(1)) / int(base.group(2))


def find_ffmpeg() -> str:
    """The ffmpeg that imageio-ffmpeg brings, or the one that IMAGEIO_FFMPEG_EXE names.

    Raises:
        MissingExtraError: There is none.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as cause:
        raise MissingExtraError(
            "reading this video needs an ffmpeg, and there is none",
            why=str(cause),
            fix="pip install imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to an ffmpeg",
        ) from cause
