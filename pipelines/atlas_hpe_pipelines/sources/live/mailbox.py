"""Where the frames of a live source wait: one place, or a short queue."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Optional

from atlas_hpe.poses import Frame

__all__ = ["Mailbox"]

#: So many frames wait where none is dropped; then whoever delivers has to wait.
QUEUE_SIZE = 4
#: How often somebody who waits looks for ``stop``, in seconds.
_LOOK_S = 0.05


class Mailbox:
    """Hands frames from the thread that reads them to the one that uses them.

    Args:
        keeps_all: Whether frames wait in a bounded queue, and the thread that delivers has to wait
            while it is full; otherwise a new frame replaces the one that waits.

    Attributes:
        dropped: Frames that were replaced since the first was taken.
    """

    def __init__(self, keeps_all: bool) -> None:
        self.keeps_all = keeps_all
        self.dropped = 0
        self._frames: Deque[Frame] = deque()
        self._is_used = False
        self._is_over = False
        self._is_stopped = False
        self._error: Optional[Exception] = None
        self._changed = threading.Condition()

    @property
    def is_stopped(self) -> bool:
        """Whether nobody wants any more frames."""
        return self._is_stopped

    def put(self, frame: Frame) -> None:
        """Deliver a frame; does not wait any more once the mailbox is stopped."""
        with self._changed:
            while self.keeps_all and len(self._frames) >= QUEUE_SIZE and not self._is_stopped:
                self._changed.wait(_LOOK_S)
            if self._frames and not self.keeps_all:
                self._frames.clear()
                self.dropped += self._is_used
            self._frames.append(frame)
            self._changed.notify_all()

    def end(self, error: Optional[Exception] = None) -> None:
        """Say that no more frames come, and why."""
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify_all()

    def first(self) -> Optional[Frame]:
        """Wait for a frame and leave it where it is.

        Returns:
            None when there is none and none will come.

        Raises:
            Exception: What ``end`` was told, once all frames are taken.
        """
        with self._changed:
            while not self._frames and not self._is_over and not self._is_stopped:
                self._changed.wait(_LOOK_S)
            if self._is_stopped:
                return None
            if not self._frames and self._error is not None:
                raise self._error
            return self._frames[0] if self._frames else None

    def take(self) -> Optional[Frame]:
        """Wait for a frame and take it; as ``first``."""
        with self._changed:
            frame = self.first()
            if frame is not None:
                self._is_used = True
                self._frames.popleft()
                self._changed.notify_all()
            return frame

    def stop(self) -> None:
        """Let everybody who waits go on, and give out no more frames.

        It takes no lock, so a signal handler may call it at any moment.
        """
        self._is_stopped = True
