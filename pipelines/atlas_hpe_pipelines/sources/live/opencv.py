"""OpenCV's captures, opened with time-outs."""

from __future__ import annotations

from typing import List, Optional, Tuple

import cv2
import numpy as np
from typing_extensions import Protocol

from atlas_hpe_pipelines.sources.live.patience import Patience

__all__ = ["Capture", "capture_camera", "capture_url"]

#: Each thread beyond the first holds back one frame of H.264: with one for each of 8 cores, which
#: is OpenCV's default, a picture came 7 frames late.
_DECODING_THREADS = 2


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool:
        """Whether there is something to read."""

    def read(self, image: Optional[np.ndarray] = None) -> Tuple[bool, np.ndarray]:
        """The next picture, (H, W, 3) uint8, BGR; in ``image`` where it fits."""

    def get(self, propId: int) -> float:
        """A property."""

    def release(self) -> None:
        """Close it."""


def capture_url(url: str, patience: Patience) -> Capture:
    """Connect to a stream, RTSP over TCP (OpenCV's default; UDP loses packets).

    Old OpenCV does not have all of the settings; its own time-outs are 30 s.
    """
    settings: List[int] = []
    for name, value in (
        ("CAP_PROP_OPEN_TIMEOUT_MSEC", round(patience.open_s * 1000)),
        ("CAP_PROP_READ_TIMEOUT_MSEC", round(patience.read_s * 1000)),
        ("CAP_PROP_N_THREADS", _DECODING_THREADS),
    ):
        if hasattr(cv2, name):
            settings += [getattr(cv2, name), value]
    if settings:
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, settings)
    return cv2.VideoCapture(url, cv2.CAP_FFMPEG)


def capture_camera(device: str) -> Capture:
    """Open a camera of Linux by its device file; OpenCV waits 10 s for a picture."""
    return cv2.VideoCapture(device, cv2.CAP_V4L2)
