"""H.264 video in an MP4 file, encoded by the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.errors import MissingExtraError, OutputError
from atlas_hpe_pipelines.sinks.clock import FrameClock
from atlas_hpe_pipelines.sinks.picture import fit_width, shrink
from atlas_hpe_pipelines.sinks.sink import (
    FileSink,
    SinkOptions,
    require_picture,
    require_time_s,
)

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["Mp4Sink", "build_command"]

_MAX_RATE_DENOMINATOR = 1001
# The last words of ffmpeg are the cause; what comes before is context.
_STDERR_LINES = 4


class Mp4Sink(FileSink):
    """Write constant-rate H.264, yuv420p, index at the front: every browser plays it.

    The frame rate is ``options.fps``. Each frame stands at its presentation time rounded to the
    nearest slot: a frame is repeated where the source paused and left out where two fall into one
    slot, so the clip keeps its length. yuv420p needs even sides: an odd one grows by one pixel, a
    copy of the last row or column.

    imageio-ffmpeg's own ``write_frames`` is not used, because it lets ffmpeg write to the terminal
    and does not tell when ffmpeg fails.

    Args:
        path: The final name.
        options: Size, rate and ``max_width_px``.

    Raises:
        MissingExtraError: imageio-ffmpeg is not installed.
        OutputError: The file can't be created, or there is no ffmpeg to start.
    """

    def __init__(self, path: Path, options: SinkOptions) -> None:
        executable = _find_ffmpeg(path)
        super().__init__(path, force=options.force)
        self._source_size_px = options.size_px
        self._size_px = fit_width(options.size_px, options.max_width_px)
        width, height = self._size_px
        even_size_px = (width + width % 2, height + height % 2)
        self._clock = FrameClock(options.fps, min_ticks=1, fps=options.fps)
        # The picture whose length is not known yet; a copy, the caller reuses its own. (h, w, 3)
        self._held = np.zeros((even_size_px[1], even_size_px[0], 3), np.uint8)
        self._frames = 0
        self._encoder: Optional[_Encoder] = None
        try:
            self._encoder = _Encoder(
                build_command(executable, self._file.temporary, even_size_px, options.fps), path
            )
        except BaseException:
            # The caller gets no object that it could close.
            self.abort()
            raise

    @property
    def dropped(self) -> int:
        """How many frames were left out because another had their slot."""
        return self._clock.dropped

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        image = require_picture(picture, self._source_size_px, self.path)
        slots = self._clock.advance(require_time_s(frame, self.path))
        if slots is None:
            return
        self._encode_held(slots)
        self._hold(shrink(image, self._size_px))
        self._frames += 1

    def _complete(self) -> None:
        if not self._frames:
            raise OutputError(
                "no frame came, so there is no video to write",
                where=self.path,
                fix="check that the source holds frames in the range you asked for",
            )
        slots = self._clock.remaining_ticks()
        if not slots and self._frames == 1:
            slots = 1
        elif not slots:
            self._clock.dropped += 1
        self._encode_held(slots)
        if self._encoder is not None:
            self._encoder.finish()

    def _release(self) -> None:
        if self._encoder is not None:
            self._encoder.kill()

    def _encode_held(self, times: int) -> None:
        if self._encoder is None:
            return
        for _ in range(times):
            self._encoder.write(self._held)

    def _hold(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        self._held[:height, :width] = image
        self._held[height:, :width] = image[-1:]
        self._held[:, width:] = self._held[:, width - 1 : width]


class _Encoder:
    """An ffmpeg process that reads raw pictures from its standard input."""

    def __init__(self, command: List[str], path: Path) -> None:
        self._path = path
        # A file and not a pipe: nobody has to read it for ffmpeg to go on. kill() closes it.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, our own arguments
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                # Ctrl-C reaches every process of the terminal's group; in its own session ffmpeg
                # does not die first and turn an interruption into a false error.
                start_new_session=True,
            )
        except OSError as cause:
            self._stderr.close()
            raise OutputError(
                "ffmpeg can't be started",
                where=command[0],
                why=cause.strerror or str(cause),
                fix="set IMAGEIO_FFMPEG_EXE to a working ffmpeg",
            ) from cause

    def write(self, picture: np.ndarray) -> None:
        """Hand over one picture, (h, w, 3) uint8 BGR, C-contiguous."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(picture.data.cast("B"))
        except OSError as cause:
            raise self._failure() from cause

    def finish(self) -> None:
        """End the stream and wait until the file is whole.

        Raises:
            OutputError: ffmpeg failed, now or before.
        """
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError as cause:
            raise self._failure() from cause
        if self._process.wait() != 0:
            raise self._failure()

    def kill(self) -> None:
        """End the process if it still runs, and reap it; may be called again."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                # The last bytes in the buffer have nobody to go to any more.
                self._process.stdin = None
        self._stderr.close()

    def _failure(self) -> OutputError:
        """The error for a process that has failed or is about to."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        said = "; ".join(line.strip() for line in lines[-_STDERR_LINES:])
        return OutputError(
            "ffmpeg could not encode the video",
            where=self._path,
            why=said or f"it ended with code {code} and said nothing",
            fix="check the free space, or write a .gif",
        )


def build_command(executable: str, path: Path, size_px: Tuple[int, int], fps: float) -> List[str]:
    """The ffmpeg command that turns raw BGR pictures on standard input into an MP4 file.

    Args:
        executable: The ffmpeg to run.
        path: The file it writes.
        size_px: Width and height, both even.
        fps: Constant frame rate.
    """
    rate = Fraction(fps).limit_denominator(_MAX_RATE_DENOMINATOR)
    source = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-video_size", f"{size_px[0]}x{size_px[1]}"]
    # The matrix is named both to the converter and in the file; without it players guess by size.
    colour = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p"]
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-movflags", "+faststart"]
    return [
        executable,
        *("-hide_banner", "-loglevel", "error", "-y"),
        *(*source, "-framerate", str(rate), "-i", "pipe:0", "-an"),
        *(*codec, *colour, *tags, "-color_range", "tv"),
        # "file:" keeps a colon in the name from being read as a protocol.
        f"file:{path}",
    ]


def _find_ffmpeg(path: Path) -> str:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError as cause:
        raise MissingExtraError(
            "writing an .mp4 needs the Python package 'imageio_ffmpeg', which is not installed",
            where=path,
            fix="pip install imageio-ffmpeg, or write a .gif",
        ) from cause
    try:
        return str(get_ffmpeg_exe())
    except RuntimeError as cause:
        raise OutputError(
            "there is no ffmpeg to write an .mp4 with",
            where=path,
            why=str(cause),
            fix="set IMAGEIO_FFMPEG_EXE to an ffmpeg, or write a .gif",
        ) from cause
