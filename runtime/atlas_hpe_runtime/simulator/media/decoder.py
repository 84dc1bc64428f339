"""FFmpeg in the place of the VDEC unit: a process that takes a stream and gives pictures."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from typing import BinaryIO, Callable, List, Optional, Tuple, cast

import numpy as np

from atlas_hpe_runtime.simulator.media.annexb import end_marker
from atlas_hpe_runtime.simulator.media.codes import NOT_SUPPORTED, Refusal
from atlas_hpe_runtime.simulator.media.planes import Planes

__all__ = ["VideoDecoder", "find_ffmpeg", "read_y4m"]

_SPARE_BITS = {"C420": 0, "C420jpeg": 0, "C420mpeg2": 0, "C420paldv": 0, "C420p10": 2}


def find_ffmpeg() -> Tuple[str, str]:
    """FFmpeg's program and its version.

    Raises:
        Refusal: 200006, there is none.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe, get_ffmpeg_version

        return str(get_ffmpeg_exe()), str(get_ffmpeg_version())
    except (ImportError, RuntimeError) as error:
        why = "simulated video needs the Python package imageio-ffmpeg"
        raise Refusal(why, NOT_SUPPORTED) from error


class VideoDecoder:
    """Decodes one stream; its pictures come in a thread of its own, in order of display.

    Args:
        codec: ``"h264"`` or ``"hevc"``.
        on_picture: Called with each picture, in 4:2:0.
        on_end: Called when no more pictures come: after ``finish``, or when FFmpeg gives up.

    Raises:
        Refusal: 200006, there is no FFmpeg.
    """

    def __init__(
        self,
        codec: str,
        on_picture: Callable[[Planes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._marker = end_marker(codec)
        self._on_picture = on_picture
        self._on_end = on_end
        self._process = subprocess.Popen(  # noqa: S603 - the program is imageio-ffmpeg's
            _command(codec),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, name="vdec", daemon=True)
        self._reader.start()

    def feed(self, data: bytes) -> None:
        """Hand in one picture's data; what FFmpeg no longer takes is lost, and ``on_end`` comes."""
        pipe = cast(BinaryIO, self._process.stdin)
        try:
            pipe.write(data + self._marker)
            pipe.flush()
        except (OSError, ValueError):
            return

    def finish(self) -> None:
        """Have all pictures out; returns after ``on_end``."""
        with contextlib.suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()
        self._reader.join()
        self._process.wait()

    def _read(self) -> None:
        pipe = cast(BinaryIO, self._process.stdout)
        try:
            read_y4m(pipe, self._on_picture)
        finally:
            pipe.close()
            self._on_end()


def _command(codec: str) -> List[str]:
    program, version = find_ffmpeg()
    # The option was renamed in FFmpeg 5.1; boards with Python 3.7 have 4.2.
    passthrough = "-vsync" if version.startswith("4.") else "-fps_mode"
    command = [program, "-loglevel", "quiet", "-probesize", "32", "-analyzeduration", "0"]
    command += ["-threads", "1", "-f", codec, "-i", "pipe:0"]
    # Y4M says how large the pictures are, and takes them in the range that they have.
    command += [passthrough, "passthrough", "-flush_packets", "1", "-strict", "-1"]
    return [*command, "-f", "yuv4mpegpipe", "pipe:1"]


def read_y4m(pipe: BinaryIO, on_picture: Callable[[Planes], None]) -> None:
    """Read pictures until the stream ends, or is no 4:2:0 (yuv4mpeg(5) of mjpegtools).

    Args:
        pipe: What FFmpeg writes.
        on_picture: Called with each picture; 10 bit becomes 8 bit by dropping the lowest two.
    """
    head = [item.decode() for item in pipe.readline().split()]
    shift = _spare_bits(head)
    if head[:1] != ["YUV4MPEG2"] or shift is None:
        return
    width, height = (_number(head, name) for name in "WH")
    columns, rows = -(-width // 2), -(-height // 2)
    area, count = width * height, width * height + 2 * columns * rows
    kind = "<u2" if shift else "u1"
    while pipe.readline().startswith(b"FRAME"):
        data = pipe.read(count * np.dtype(kind).itemsize)
        if len(data) < count * np.dtype(kind).itemsize:
            return
        values = (np.frombuffer(data, kind).astype(np.uint16) >> shift).astype(np.uint8)
        chroma = values[area:].reshape(2, rows, columns)
        on_picture(Planes(values[:area].reshape(height, width), np.moveaxis(chroma, 0, 2)))


def _number(head: List[str], name: str) -> int:
    return next(int(item[1:]) for item in head[1:] if item.startswith(name))


def _spare_bits(head: List[str]) -> Optional[int]:
    """Bits of a sample above 8, None if the pictures are no 4:2:0 that the chip knows."""
    sampling = next((item for item in head[1:] if item.startswith("C")), "C420")
    return _SPARE_BITS.get(sampling)
