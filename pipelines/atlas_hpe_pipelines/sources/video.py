"""Video files, read through OpenCV's FFmpeg."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.errors import InputError, SourceError
from atlas_hpe.files import check_readable
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sources.source import RecordedSource

__all__ = ["VideoSource"]

#: Used when a file declares no usable frame rate and its frames carry no time either.
ASSUMED_FPS = 30.0
#: Containers with a variable frame rate declare their clock instead, often 1000 frames/s.
_MAX_FPS = 240.0
_FFMPEG_QUIET = "-8"
#: So many frames in a row that can't be decoded are taken for the end.
_MAX_FAILED_READS = 30


class VideoSource(RecordedSource):
    """A video file as a ``Source``.

    Frame times are the container's presentation times, so a variable frame rate is kept. Rotation
    metadata is applied by OpenCV. A damaged frame is left out and the frames behind it are read.

    Attributes:
        codec: The container's four letters for it, empty where it has none.
        rotation_deg: How far the frames were turned.

    Raises:
        InputError: The file is missing, a folder, not readable, or has a name that OpenCV can't
            take.
        SourceError: It is not a video, or no frame of it can be decoded.
    """

    def __init__(self, path: Path) -> None:
        check_readable(path)
        self.name = str(path)
        self.warnings: List[str] = []
        # Reading and releasing at the same time crashes OpenCV; Ctrl-C may ask for both.
        self._lock = threading.Lock()
        self._capture = _open_capture(path)
        image, self._lost = self._read()
        if image is None:
            self._capture.release()
            raise SourceError(
                "no frame can be decoded from the file",
                where=path,
                why="it is not a video, it is damaged at its start, or it has no frames",
                fix="play it with another program, or copy it again",
            )
        self.codec = _four_letters(self._capture.get(cv2.CAP_PROP_FOURCC))
        self.rotation_deg = int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META))
        self._first = image
        self._first_time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        self.size_px: Tuple[int, int] = (int(image.shape[1]), int(image.shape[0]))
        self.fps = self._declared_fps()
        self.frame_count = self._declared_count() if _counts_frames(path) else None

    def frames(self) -> Iterator[Frame]:
        """All frames in order; what could not be read leaves a warning with the counts."""
        image: Optional[np.ndarray] = self._first
        time_s, index, read = 0.0, self._lost, 0
        while image is not None:
            yield Frame(index=index, time_s=time_s, image=image)
            read += 1
            image, lost = self._read()
            if image is not None:
                self._lost += lost
                index += 1 + lost
                time_s = self._next_time_s(time_s, 1 + lost)
        if self._lost:
            self.warnings.append(f"{self.name}: damaged frames left out: {self._lost}")
        if self.frame_count is not None and read + self._lost < self.frame_count:
            self.warnings.append(
                f"{self.name}: read {read} of the {self.frame_count} frames it declares; "
                "it was trimmed, or it is truncated or damaged"
            )

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._capture.release()

    def _read(self) -> Tuple[Optional[np.ndarray], int]:
        """The next frame that can be decoded and how many before it could not; None at the end."""
        for lost in range(_MAX_FAILED_READS):
            with self._lock:
                read, image = self._capture.read()
            if read and image is not None:
                return image, lost
        return None, 0

    def _next_time_s(self, previous_s: float, steps: int) -> float:
        """The frame's own time; ``steps`` frames after the previous where the file gives none."""
        time_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000 - self._first_time_s
        if math.isfinite(time_s) and time_s > previous_s:
            return time_s
        return previous_s + steps / self.fps

    def _declared_fps(self) -> float:
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        if math.isfinite(fps) and 0 < fps <= _MAX_FPS:
            return fps
        self.warnings.append(f"{self.name}: no usable frame rate, {ASSUMED_FPS:g} frames/s assumed")
        return ASSUMED_FPS

    def _declared_count(self) -> Optional[int]:
        count = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return int(count) if math.isfinite(count) and count >= 1 else None


def _four_letters(number: float) -> str:
    """The container's name of a codec, as four characters in one number."""
    letters = int(number).to_bytes(4, "little", signed=False) if number >= 0 else b""
    return letters.decode("ascii", "replace").strip("\0 ")


def _counts_frames(path: Path) -> bool:
    """Whether the container counts its frames (MP4, MOV, AVI); OpenCV guesses for the others."""
    with path.open("rb") as stream:
        start = stream.read(12)
    return start[4:8] == b"ftyp" or (start[:4], start[8:]) == (b"RIFF", b"AVI ")


def _open_capture(path: Path) -> cv2.VideoCapture:
    try:
        name = str(path).encode("utf-8").decode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "OpenCV can't open a file whose name is not UTF-8", where=repr(path), fix="rename it"
        ) from error
    # FFmpeg and OpenCV complain on stderr by themselves; our error says it in one sentence.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG)
    finally:
        logging.setLogLevel(level)
