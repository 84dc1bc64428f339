"""Frames of whatever OpenCV's FFmpeg opens, with their times."""

from __future__ import annotations

import math
import threading
from typing import Iterator, List, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.buffers import PictureBuffers
from atlas_hpe_pipelines.sources.silence import silent_opencv
from atlas_hpe_pipelines.sources.source import RecordedSource, usable_fps

__all__ = ["CaptureSource"]

#: So many frames in a row that can't be decoded are taken for the end.
_MAX_FAILED_READS = 30
#: OpenCV gives up what is silent for 30 s, as a pipe may well be. Old versions take 0 as no time.
_NEVER_MS = (1 << 31) - 1
_PATIENT = [
    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _NEVER_MS),
    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _NEVER_MS),
]
#: FFmpeg's tag of a pixel format with one channel of 16 bits, low byte first or high byte first.
_GREY_16 = (b"Y1\x00\x10", b"\x10\x001Y")


class CaptureSource(RecordedSource):
    """Video as a ``Source``.

    Frame times are the container's presentation times, so a variable frame rate is kept. Rotation
    metadata is applied by OpenCV. A damaged frame is left out and the frames behind it are read.

    Where the video changes its size on the way, OpenCV 5 fits all frames into one size, and older
    versions give them as they are.

    Args:
        location: What OpenCV opens.
        name: What the user called it.
        counts_frames: The container counts its frames; for the others OpenCV guesses.

    Attributes:
        codec: The container's four letters for it, empty where it has none.
        rotation_deg: How far the frames were turned.
        is_depth: Its pixels have one channel of 16 bits; the frames are cut down to 8.

    Raises:
        SourceError: No frame can be decoded.
    """

    def __init__(self, location: str, name: str, *, counts_frames: bool = False) -> None:
        self.name = name
        self.warnings: List[str] = []
        self._buffers = PictureBuffers()
        self._shape: Optional[Tuple[int, ...]] = None
        # Reading and releasing at the same time crashes OpenCV; Ctrl-C may ask for both.
        self._lock = threading.Lock()
        with silent_opencv():
            self._capture = cv2.VideoCapture(location, cv2.CAP_FFMPEG, _PATIENT)
        image, self._lost = self._read()
        if image is None:
            self._capture.release()
            raise SourceError("no frame can be decoded", where=name)
        self.codec = _four_letters(self._capture.get(cv2.CAP_PROP_FOURCC)).strip("\0 ")
        self.rotation_deg = int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META))
        pixel_format = self._capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)
        self.is_depth = _four_bytes(pixel_format) in _GREY_16
        self._first: Optional[np.ndarray] = image
        self._first_time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        self.size_px: Tuple[int, int] = (int(image.shape[1]), int(image.shape[0]))
        declared_fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = usable_fps(declared_fps, name, self.warnings)
        self.frame_count = self._declared_count() if counts_frames else None

    def frames(self) -> Iterator[Frame]:
        """All frames in order; what could not be read leaves a warning with the counts."""
        image, self._first = self._first, None  # so its memory is free again once the frame is
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
        self._compare_counts(read, self._lost)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._capture.release()

    def _read(self) -> Tuple[Optional[np.ndarray], int]:
        """The next frame that can be decoded and how many before it could not; None at the end."""
        for lost in range(_MAX_FAILED_READS):
            buffer = None if self._shape is None else self._buffers.take(self._shape)
            try:
                with self._lock:
                    read, image = self._capture.read(buffer)
            except cv2.error:  # of a size that changes, before OpenCV 4.13
                continue
            if read and image is not None:
                self._shape = image.shape
                return image, lost
        return None, 0

    def _next_time_s(self, previous_s: float, steps: int) -> float:
        """The frame's own time; ``steps`` frames after the previous where the file gives none."""
        time_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000 - self._first_time_s
        if math.isfinite(time_s) and time_s > previous_s:
            return time_s
        return previous_s + steps / self.fps

    def _declared_count(self) -> Optional[int]:
        count = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return int(count) if math.isfinite(count) and count >= 1 else None


def _four_bytes(number: float) -> bytes:
    """What OpenCV packs into one number, first byte lowest."""
    return int(number).to_bytes(4, "little") if 0 <= number < 1 << 32 else b""


def _four_letters(number: float) -> str:
    """The container's name of a codec."""
    return _four_bytes(number).decode("ascii", "replace")
