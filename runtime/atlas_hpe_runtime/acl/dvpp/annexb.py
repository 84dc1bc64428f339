"""A video file as the annex-B access units that the video decoder takes, one after the other.

MP4 and its like store lengths instead of start codes and keep the parameter sets elsewhere; a
bitstream filter of ffmpeg (``h264_mp4toannexb``, ``hevc_mp4toannexb``) mends both without decoding.
One ffmpeg writes two pipes: the stream, and for each access unit a line of its ``framecrc`` format
with time and size. So units need not be found by looking for start codes, and nothing is read
ahead of what is used.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional

from atlas_hpe.errors import MissingExtraError, SourceError
from atlas_hpe.files import check_readable

__all__ = ["AccessUnit", "AnnexBStream", "build_command", "find_ffmpeg"]

#: Codec -> name of ffmpeg's filter and of its raw format.
_FORMATS: Dict[str, str] = {"h264": "h264", "h265": "hevc"}
#: Flags of a packet in ffmpeg: decodable alone; to be decoded and not shown.
_KEY, _DISCARD = 1, 4
#: ffmpeg's number for "no time" is the smallest of 64 bits.
_NO_TIME = -(1 << 62)
_FULL_RANGE = re.compile(r"Video: .*(yuvj420p|yuv420p\(pc)")
_TIME_BASE = re.compile(rb"#tb 0: (\d+)/(\d+)")
_ERROR_MARKS = ("[error]", "[fatal]", "[panic]")
#: Who says it and how bad it is, in front of a line.
_MARKS = re.compile(r"^(\[[^\]]*\] *)+")
_ERROR_LINES = 4


@dataclass(frozen=True)
class AccessUnit:
    """The coded form of one picture.

    Attributes:
        data: Annex-B bytes, parameter sets included where the picture can be decoded alone.
        time_s: Presentation time on the clock of the file, None where it has none.
        is_key: It can be decoded alone.
        is_shown: False: needed to decode others and not to be shown (cut off by an edit list).
    """

    data: bytes
    time_s: Optional[float]
    is_key: bool
    is_shown: bool


class AnnexBStream:
    """Reads a video file through ffmpeg; iterate once, and close.

    Args:
        path: The file.
        codec: ``"h264"`` or ``"h265"``.

    Raises:
        InputError: The file can't be read.
        MissingExtraError: There is no ffmpeg.
        SourceError: ffmpeg can't be started.
    """

    def __init__(self, path: Path, codec: str) -> None:
        self._path = check_readable(path)
        executable = find_ffmpeg()
        with ExitStack() as stack:
            # A file and not a pipe: nobody has to read it for ffmpeg to go on.
            self._stderr = stack.enter_context(tempfile.TemporaryFile())
            reading, writing = os.pipe()
            self._index: BinaryIO = stack.enter_context(os.fdopen(reading, "rb"))
            try:
                self._process = subprocess.Popen(  # noqa: S603 - no shell, our own arguments
                    build_command(executable, self._path, codec, writing),
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

    def __iter__(self) -> Iterator[AccessUnit]:
        """The access units in the order of decoding.

        Raises:
            SourceError: ffmpeg failed, or it ended in the middle of a unit.
        """
        seconds = 0.0
        for line in self._index:
            base = _TIME_BASE.match(line)
            if base is not None:
                seconds = int(base.group(1)) / int(base.group(2))
            if line.startswith(b"#"):
                continue
            fields = [field.strip() for field in line.split(b",")]
            time, size = int(fields[2]), int(fields[4])
            flags = next((int(item[4:], 16) for item in fields if item[:4] == b"F=0x"), _KEY)
            yield AccessUnit(
                data=self._read(size),
                time_s=None if time < _NO_TIME else time * seconds,
                is_key=bool(flags & _KEY),
                is_shown=not flags & _DISCARD,
            )
        if self._process.wait() != 0:
            raise self._failure()

    def is_full_range(self) -> bool:
        """Whether luma uses 0..255 instead of 16..235; known once the first unit was read."""
        return _FULL_RANGE.search(self._said()) is not None

    def close(self) -> None:
        """End ffmpeg and release the pipes; calling it again does nothing."""
        self._resources.close()

    def _read(self, size: int) -> bytes:
        pipe = self._process.stdout
        data = pipe.read(size) if pipe is not None else b""
        if len(data) < size:
            self._process.wait()
            raise self._failure()
        return data

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _said(self) -> str:
        self._stderr.flush()
        # Its own position: ffmpeg writes on behind what was read here.
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "replace")

    def _failure(self) -> SourceError:
        marked = [line for line in self._said().splitlines() if _is_error(line)]
        said = [_MARKS.sub("", line).strip() for line in marked]
        lines: List[str] = [line for line in said if line][-_ERROR_LINES:]
        return SourceError(
            "the video stream can't be taken out of the file",
            where=self._path,
            why="; ".join(lines) or f"ffmpeg ended with code {self._process.returncode}",
            fix="play it with another program, or copy it again",
        )


def _is_error(line: str) -> bool:
    return any(mark in line for mark in _ERROR_MARKS)


def build_command(executable: str, path: Path, codec: str, index_pipe: int) -> List[str]:
    """The ffmpeg command that writes the stream to standard output and its index to a pipe.

    Args:
        executable: The ffmpeg to run.
        path: The file.
        codec: ``"h264"`` or ``"h265"``.
        index_pipe: Number of the pipe that gets a line for each access unit.
    """
    name = _FORMATS[codec]
    copied = ["-map", "0:V:0", "-c", "copy", "-bsf:v", f"{name}_mp4toannexb"]
    return [
        executable,
        *("-hide_banner", "-nostats", "-nostdin", "-y", "-loglevel", "level+info"),
        # "file:" keeps a colon in the name from being read as a protocol.
        *("-i", f"file:{path}"),
        # The index first: a version of ffmpeg that writes the outputs in turn must not wait for
        # the reader of the stream before it has told the size.
        *(*copied, "-flush_packets", "1", "-f", "framecrc", f"pipe:{index_pipe}"),
        *(*copied, "-flush_packets", "1", "-f", name, "pipe:1"),
    ]


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
            "reading video for the device needs an ffmpeg, and there is none",
            why=str(cause),
            fix="pip install imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to an ffmpeg",
        ) from cause
