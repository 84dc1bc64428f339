"""Video files with a constant frame rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Optional, Sequence

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe.stopping import stop_requests
from atlas_hpe_pipelines.sinks.clock import FrameClock
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import FileSink, require_picture, require_time_s
from atlas_hpe_pipelines.sinks.video import encoder
from atlas_hpe_pipelines.sinks.video.codecs import H264, VP9, Codec, build_command

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["Mp4Sink", "VideoSink", "WebmSink"]


class VideoSink(FileSink):
    """Write a video of constant rate, yuv420p.

    The frame rate is that of the source, or ``max_fps`` where that is less. Each frame stands at
    its presentation time rounded to the nearest slot: a frame is repeated where the source paused
    and left out where two fall into one slot, so the clip keeps its length. yuv420p needs even
    sides: an odd one grows by one pixel, a copy of the last row or column.

    Args:
        path: The final name.
        options: Size, rate and the user's choices.

    Raises:
        MissingExtraError: imageio-ffmpeg is not installed.
        OutputError: The file can't be created, or there is no ffmpeg to start.
    """

    codec: ClassVar[Codec]

    def __init__(self, path: Path, options: SinkOptions) -> None:
        executable = encoder.find_ffmpeg(path)
        super().__init__(path, force=options.force)
        self._size_px = options.size_px
        width, height = options.size_px
        even_size_px = (width + width % 2, height + height % 2)
        fps = min(options.fps, options.output.max_fps or options.fps)
        self._clock = FrameClock(fps, min_ticks=1, fps=options.fps)
        # The picture whose length is not known yet; a copy, the caller reuses its own. (h, w, 3)
        self._held = np.zeros((even_size_px[1], even_size_px[0], 3), np.uint8)
        self._frames = 0
        self._encoder: Optional[encoder.Encoder] = None
        command = build_command(executable, self._file.temporary, self.codec, even_size_px, fps)
        try:
            # An ffmpeg that is interrupted while it starts is not known here, and would make the
            # temporary file once more after it was removed.
            with stop_requests() as stop_asked:
                self._encoder = encoder.Encoder(command, path)
            if stop_asked():
                raise KeyboardInterrupt  # noqa: TRY301 - as one that comes from outside
        except BaseException:
            # The caller gets no object that it could close.
            self.abort()
            raise

    @property
    def dropped(self) -> int:
        """How many frames were left out because another had their slot."""
        return self._clock.dropped

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        image = require_picture(picture, self._size_px, self.path)
        slots = self._clock.advance(require_time_s(frame, self.path))
        if slots is None:
            return
        self._encode_held(slots)
        self._hold(image)
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


class Mp4Sink(VideoSink):
    """H.264 in MP4: every browser plays it."""

    codec = H264


class WebmSink(VideoSink):
    """VP9 in WebM, for players without H.264."""

    codec = VP9
