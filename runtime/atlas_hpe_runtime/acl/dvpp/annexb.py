"""A video file as the annex-B access units that the video decoder takes, one after the other.

MP4 and its like store lengths instead of start codes and keep the parameter sets elsewhere; a
bitstream filter of ffmpeg (``h264_mp4toannexb``, ``hevc_mp4toannexb``) mends both without decoding.
One ffmpeg writes two pipes: the stream, and for each access unit a line of its ``framecrc`` format
with time and size. So units need not be found by looking for start codes, and nothing is read
ahead of what is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from atlas_hpe.errors import SourceError
from atlas_hpe.files import check_readable
from atlas_hpe_runtime.ffmpeg import IndexedFfmpeg, find_ffmpeg, seconds_per_tick

__all__ = ["AccessUnit", "AnnexBStream", "build_command"]

#: Codec -> name of ffmpeg's filter and of its raw format.
_FORMATS: Dict[str, str] = {"h264": "h264", "h265": "hevc"}
#: Flags of a packet in ffmpeg: decodable alone; to be decoded and not shown.
_KEY, _DISCARD = 1, 4
#: ffmpeg's number for "no time" is the smallest of 64 bits.
_NO_TIME = -(1 << 62)
_FULL_RANGE = re.compile(r"Video: .*(yuvj420p|yuv420p\(pc)")
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
        self._ffmpeg = IndexedFfmpeg(
            executable, lambda pipe: build_command(executable, self._path, codec, pipe)
        )

    def __iter__(self) -> Iterator[AccessUnit]:
        """The access units in the order of decoding.

        Raises:
            SourceError: ffmpeg failed, or it ended in the middle of a unit.
        """
        seconds = 0.0
        for line in self._ffmpeg.index():
            seconds = seconds_per_tick(line) or seconds
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
        if self._ffmpeg.wait() != 0:
            raise self._failure()

    def is_full_range(self) -> bool:
        """Whether luma uses 0..255 instead of 16..235; known once the first unit was read."""
        return _FULL_RANGE.search(self._ffmpeg.said()) is not None

    def close(self) -> None:
        """End ffmpeg and release the pipes; calling it again does nothing."""
        self._ffmpeg.close()

    def _read(self, size: int) -> bytes:
        data = self._ffmpeg.read(size)
        if len(data) < size:
            raise self._failure()
        return data

    def _failure(self) -> SourceError:
        code = self._ffmpeg.wait()
        marked = [line for line in self._ffmpeg.said().splitlines() if _is_error(line)]
        said = [_MARKS.sub("", line).strip() for line in marked]
        lines: List[str] = [line for line in said if line][-_ERROR_LINES:]
        return SourceError(
            "the video stream can't be taken out of the file",
            where=self._path,
            why="; ".join(lines) or f"ffmpeg ended with code {code}",
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
