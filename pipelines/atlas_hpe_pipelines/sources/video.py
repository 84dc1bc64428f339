"""Video files, read through OpenCV's FFmpeg."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import cv2

from atlas_hpe.errors import SourceError
from atlas_hpe.files import check_readable
from atlas_hpe.poses import Frame

__all__ = ["VideoSource"]

#: Used when a file declares no usable frame rate and its frames carry no time either.
ASSUMED_FPS = 30.0
#: Containers with a variable frame rate declare their clock instead, often 1000 frames/s.
_MAX_FPS = 240.0
_FFMPEG_QUIET = "-8"


class VideoSource:
    """A video file as a ``Source``.

    Frame times are the container's presentation times, so a variable frame rate is kept. Rotation
    metadata is applied by OpenCV.

    Raises:
        InputError: The file is missing, a folder, or not readable.
        SourceError: It is not a video, or no frame of it can be decoded.
    """

    def __init__(self, path: Path) -> None:
        check_readable(path)
        self.name = str(path)
        self.warnings: List[str] = []
        self._capture = _open_capture(path)
        read, image = self._capture.read()
        if not read or image is None or not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                "no frame can be decoded from the file",
                where=path,
                why="it is not a video, it is damaged at its start, or it has no frames",
                fix="play it with another program, or copy it again",
            )
        self._first = image
        self._first_time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        self.size_px: Tuple[int, int] = (int(image.shape[1]), int(image.shape[0]))
        self.fps = self._declared_fps()
        self.frame_count = self._declared_count()

    def frames(self) -> Iterator[Frame]:
        """All frames in order; a file that ends early leaves a warning with the counts."""
        image, time_s, index = self._first, 0.0, 0
        while True:
            yield Frame(index=index, time_s=time_s, image=image)
            index += 1
            read, image = self._capture.read()
            if not read or image is None:
                break
            time_s = self._next_time_s(time_s)
        if self.frame_count is not None and index < self.frame_count:
            self.warnings.append(
                f"{self.name}: read {index} of the {self.frame_count} frames it declares; "
                "it was trimmed, or it is truncated or damaged"
            )

    def close(self) -> None:
        """Release the file."""
        self._capture.release()

    def _next_time_s(self, previous_s: float) -> float:
        """The frame's own time; one frame after the previous where the file gives none."""
        time_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000 - self._first_time_s
        if math.isfinite(time_s) and time_s > previous_s:
            return time_s
        return previous_s + 1 / self.fps

    def _declared_fps(self) -> float:
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        if math.isfinite(fps) and 0 < fps <= _MAX_FPS:
            return fps
        self.warnings.append(f"{self.name}: no usable frame rate, {ASSUMED_FPS:g} frames/s assumed")
        return ASSUMED_FPS

    def _declared_count(self) -> Optional[int]:
        """The count in the container; None where OpenCV could only guess it from the rate."""
        if self.fps != self._capture.get(cv2.CAP_PROP_FPS):
            return None
        count = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return int(count) if math.isfinite(count) and count >= 1 else None


def _open_capture(path: Path) -> cv2.VideoCapture:
    # FFmpeg and OpenCV complain on stderr by themselves; our error says it in one sentence.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    finally:
        logging.setLogLevel(level)
