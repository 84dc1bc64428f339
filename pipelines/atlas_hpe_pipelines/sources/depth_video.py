"""Depth video: one channel of 16 bits, of which OpenCV gives 8 in most versions.

So ffmpeg decodes it into raw pixels, and tells the time of each frame in a second pipe, a line of
its ``framecrc`` format for each.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe.text import printable
from atlas_hpe_pipelines.buffers import PictureBuffers
from atlas_hpe_pipelines.sources.depth import DepthView
from atlas_hpe_pipelines.sources.source import RecordedSource, SourceOptions
from atlas_hpe_pipelines.sources.video import VideoSource
from atlas_hpe_runtime.ffmpeg import IndexedFfmpeg, find_ffmpeg, seconds_per_tick

__all__ = ["DepthVideo"]

_SIZE = re.compile(rb"#dimensions 0: (\d+)x(\d+)")
_LINE_LENGTH = 200
_VERSION = re.compile(r"n?(\d+)\.(\d+)")


class DepthVideo(RecordedSource):
    """A depth video as a ``Source``; see ``DepthView`` for its frames.

    Args:
        video: The file as OpenCV sees it: its name, size and rate. It is closed.
        path: The file.
        options: ``depth_unit_mm`` counts.

    Raises:
        MissingExtraError: There is no ffmpeg.
        SourceError: ffmpeg can't be started.
    """

    depth = True

    def __init__(self, video: VideoSource, path: Path, options: SourceOptions) -> None:
        video.close()
        self.name, self.warnings = video.name, video.warnings
        self.size_px, self.fps, self.frame_count = video.size_px, video.fps, video.frame_count
        self._view = DepthView(options.depth_unit_mm)
        self._reader = _RawReader(path)

    def frames(self) -> Iterator[Frame]:
        """All frames in order; what could not be read leaves a warning with the counts.

        Raises:
            SourceError: ffmpeg decodes nothing of it.
        """
        index, last_s, began_s = 0, 0.0, 0.0
        for time_s, raw in self._reader.pictures():
            if index == 0:
                began_s = time_s
            is_later = time_s - began_s > last_s
            if index:
                last_s = time_s - began_s if is_later else last_s + 1 / self.fps
            yield self._view.frame(index, last_s, raw)
            index += 1
        failure = self._reader.failure()
        if failure is not None and not index:
            raise SourceError("the depth video can't be decoded", where=self.name, why=failure)
        if failure is not None:
            self.warnings.append(f"{self.name}: ffmpeg failed behind {index} frames: {failure}")
        self._compare_counts(index)

    def close(self) -> None:
        """End ffmpeg; calling it again does nothing."""
        self._reader.close()


class _RawReader:
    """An ffmpeg process that decodes 16-bit grey video."""

    def __init__(self, path: Path) -> None:
        self._closed = False
        self._buffers = PictureBuffers()
        executable = find_ffmpeg()
        self._ffmpeg = IndexedFfmpeg(
            executable, lambda pipe: _build_command(executable, path, pipe)
        )

    def pictures(self) -> Iterator[Tuple[float, np.ndarray]]:
        """Time in the file and raw picture, (H, W) uint16, one after the other."""
        seconds = 0.0
        shape: Optional[Tuple[int, int]] = None
        for line in self._ffmpeg.index():
            seconds = seconds_per_tick(line) or seconds
            size = _SIZE.match(line)
            if size is not None:
                shape = (int(size.group(2)), int(size.group(1)))
            if line.startswith(b"#") or shape is None:
                continue
            raw = self._buffers.take(shape, np.dtype("<u2"))
            if not self._ffmpeg.read_into(raw.data.cast("B")):
                return
            yield int(line.split(b",")[2]) * seconds, raw

    def failure(self) -> Optional[str]:
        """Why ffmpeg failed, None where it did not; call it when there are no more pictures."""
        code = self._ffmpeg.wait()
        if code == 0 or self._closed:
            return None
        lines = self._ffmpeg.said().split("\n")
        said = [printable(line.strip(), _LINE_LENGTH) for line in lines if line.strip()]
        return "; ".join(said[-2:]) or f"it ended with code {code}"

    def close(self) -> None:
        """End ffmpeg, which is no failure then."""
        self._closed = True
        self._ffmpeg.close()


def _build_command(executable: str, path: Path, index_pipe: int) -> List[str]:
    from imageio_ffmpeg import get_ffmpeg_version

    version = _VERSION.match(str(get_ffmpeg_version()))
    is_old = version is not None and (int(version.group(1)), int(version.group(2))) < (5, 1)
    # Every frame once, at its own time; the option was renamed in FFmpeg 5.1.
    timing = ["-vsync" if is_old else "-fps_mode", "passthrough", "-enc_time_base", "1/1000000"]
    raw = ["-map", "0:V:0", *timing, "-c:v", "rawvideo", "-pix_fmt", "gray16le"]
    return [
        executable,
        *("-hide_banner", "-nostats", "-nostdin", "-y", "-loglevel", "error"),
        # "file:" keeps a colon in the name from being read as a protocol.
        *("-i", f"file:{path}"),
        # The index first: whoever reads it waits for the pixels next.
        *(*raw, "-flush_packets", "1", "-f", "framecrc", f"pipe:{index_pipe}"),
        *(*raw, "-flush_packets", "1", "-f", "rawvideo", "pipe:1"),
    ]
