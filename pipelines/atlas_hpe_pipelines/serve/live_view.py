"""The newest frame of a pipeline, for everybody who watches, and the last seconds of it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Callable, Deque, List, Optional, Sequence, Tuple, Type

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.sinks.jsonl import encode_frame

if TYPE_CHECKING:
    from types import TracebackType

    from atlas_hpe.poses import Frame, HandPose

__all__ = ["LiveView", "Shot"]

JPEG_QUALITY = 80
RING_S = 10.0
RING_BYTES = 32 << 20
#: So long after somebody asked for a picture the next ones are still made and kept.
_WATCHED_S = 10.0
#: frames/s is the mean over this time.
_RATE_S = 2.0


@dataclass(frozen=True)
class Shot:
    """One picture as the page gets it.

    Attributes:
        number: Counts the frames that came, from 1, over all runs.
        frame_index: Index of the frame in its source.
        time_s: Presentation time of the frame in its source.
        clock_s: The same on a clock that goes on when a clip begins again.
        size_px: Width and height.
        jpeg: The picture with the hands drawn.
    """

    number: int
    frame_index: int
    time_s: float
    clock_s: float
    size_px: Tuple[int, int]
    jpeg: bytes


@dataclass
class _Newest:
    """The newest frame; what nobody has asked for yet is not made yet."""

    number: int
    frame_index: int
    time_s: float
    clock_s: float
    size_px: Tuple[int, int]
    hands: Tuple[HandPose, ...]
    jpeg: Optional[bytes] = None
    record: Optional[str] = None


class LiveView:
    """A ``Sink`` that keeps the newest frame only, and the last seconds as JPEG.

    Writing never waits for a viewer. Each frame is encoded once, however many watch, and only while
    somebody does: the ring of the last seconds is empty at first and fills while pictures are asked
    for. It goes on through as many runs as one likes.

    Args:
        ring_s: How much the ring holds, in seconds.
        ring_bytes: Most bytes in the ring.
        heard: Called after each frame, from the thread that wrote it.
    """

    wants_picture = True
    dropped = 0

    def __init__(
        self,
        *,
        ring_s: float = RING_S,
        ring_bytes: int = RING_BYTES,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._ring_s = ring_s
        self._ring_bytes = ring_bytes
        self._heard = heard
        self._lock = threading.Lock()
        self._newest: Optional[_Newest] = None
        self._picture = np.zeros((0, 0, 3), np.uint8)
        self._watched_until_s = 0.0
        self._ring: Deque[Shot] = deque()
        self._held_bytes = 0
        self._step_s = 0.0
        self._came_s: Deque[float] = deque(maxlen=1000)

    @property
    def number(self) -> int:
        """Number of the newest frame, 0 before the first."""
        newest = self._newest
        return 0 if newest is None else newest.number

    def write(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        """Take a frame in the place of the one before.

        Raises:
            OutputError: There is no picture.
        """
        if picture is None:
            raise OutputError("the live view needs a picture for each frame, and none came")
        now_s = monotonic()
        jpeg = _encode_jpeg(picture) if now_s < self._watched_until_s else None
        size_px = (int(picture.shape[1]), int(picture.shape[0]))
        with self._lock:
            clock_s = self._advance(frame.time_s)
            number = 1 if self._newest is None else self._newest.number + 1
            newest = _Newest(
                number, frame.index, frame.time_s, clock_s, size_px, tuple(hands), jpeg
            )
            if jpeg is None:
                self._keep(picture)
            else:
                self._add_to_ring(newest, jpeg)
            self._newest = newest
            self._came_s.append(now_s)
        self._heard()

    def shot(self) -> Optional[Shot]:
        """The newest frame, None before the first; whoever calls this is watching."""
        with self._lock:
            self._watched_until_s = monotonic() + _WATCHED_S
            newest = self._newest
            if newest is None:
                return None
            if newest.jpeg is None:
                newest.jpeg = _encode_jpeg(self._picture)
                self._add_to_ring(newest, newest.jpeg)
            return _to_shot(newest, newest.jpeg)

    def record(self) -> Tuple[int, Optional[str]]:
        """Number and hands of the newest frame, as a line of ``frames.schema.json``."""
        newest = self._newest
        if newest is None:
            return 0, None
        if newest.record is None:
            newest.record = encode_frame(newest.frame_index, newest.time_s, newest.hands)
        return newest.number, newest.record

    def recent(self, seconds: float) -> List[Shot]:
        """The shots of the last seconds, all of the size of the newest; whoever asks watches."""
        with self._lock:
            self._watched_until_s = monotonic() + _WATCHED_S
            shots: List[Shot] = []
            for shot in reversed(self._ring):
                last = self._ring[-1]
                if shot.clock_s < last.clock_s - seconds or shot.size_px != last.size_px:
                    break
                shots.append(shot)
        return shots[::-1]

    def forget_recent(self) -> None:
        """Empty the ring: what comes now does not follow on what came before."""
        with self._lock:
            self._ring.clear()
            self._held_bytes = 0
            self._came_s.clear()

    def frames_per_s(self) -> float:
        """How fast frames come at present, 0 when none came for a while."""
        with self._lock:
            since_s = monotonic() - _RATE_S
            came_s = [came_s for came_s in self._came_s if came_s >= since_s]
        if len(came_s) < 2 or came_s[-1] <= came_s[0]:
            return 0.0
        return (len(came_s) - 1) / (came_s[-1] - came_s[0])

    def finish(self) -> None:
        """A run has ended; the newest frame stays."""

    def abort(self) -> None:
        """A run has ended early; the newest frame stays."""

    def __enter__(self) -> LiveView:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Nothing to release."""

    def _advance(self, time_s: float) -> float:
        """The clock of the view; where a clip begins again it takes a step like the last one."""
        if self._newest is None:
            return 0.0
        step_s = time_s - self._newest.time_s
        if step_s >= 0:
            self._step_s = step_s
        return self._newest.clock_s + self._step_s

    def _keep(self, picture: np.ndarray) -> None:
        """Copy it: the one who draws may use his array for the next frame."""
        if self._picture.shape != picture.shape:
            self._picture = np.empty_like(picture)
        np.copyto(self._picture, picture)

    def _add_to_ring(self, newest: _Newest, jpeg: bytes) -> None:
        self._ring.append(_to_shot(newest, jpeg))
        self._held_bytes += len(jpeg)
        while self._ring and (
            self._held_bytes > self._ring_bytes
            or self._ring[0].clock_s < newest.clock_s - self._ring_s
        ):
            self._held_bytes -= len(self._ring.popleft().jpeg)


def _to_shot(newest: _Newest, jpeg: bytes) -> Shot:
    return Shot(
        newest.number, newest.frame_index, newest.time_s, newest.clock_s, newest.size_px, jpeg
    )


def _encode_jpeg(picture: np.ndarray) -> bytes:
    import cv2

    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise OutputError(
            "a picture can't be written as JPEG",
            why=f"it is {picture.shape[1]}x{picture.shape[0]} pixels",
            fix="shrink the pictures with --max-width-px",
        )
    return bytes(data)
