"""What the tests of live sources share: short time-outs, and captures that play a script."""

from __future__ import annotations

import threading
import time
from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import pytest

from atlas_hpe_pipelines.sources.live.patience import Patience

__all__ = ["QUICK", "ScriptedCapture", "no_thread_is_left", "numbers", "readers"]

QUICK = Patience(open_s=1.0, read_s=0.8, first_pause_s=0.05, most_pause_s=0.2, close_s=0.3)


class ScriptedCapture:
    """A capture that gives grey pictures, then ends.

    Args:
        levels: How bright each is.
        every_s: Seconds that each takes.
        size_px: Width and height.
        opens: Whether it can be opened.
        fps: The rate that it declares.
        count: The number of frames that it declares.
    """

    def __init__(
        self,
        levels: Sequence[int],
        *,
        every_s: float = 0.0,
        size_px: Tuple[int, int] = (64, 48),
        opens: bool = True,
        fps: float = 25.0,
        count: int = -1,
    ) -> None:
        self._levels = iter(levels)
        self._every_s = every_s
        self._shape = (size_px[1], size_px[0], 3)
        self._opens = opens
        self._declared = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: float(count)}
        self.is_released = False

    def isOpened(self) -> bool:
        return self._opens

    def read(self, image: Optional[np.ndarray] = None) -> Tuple[bool, np.ndarray]:
        assert not self.is_released
        time.sleep(self._every_s)
        level = next(self._levels, None)
        if level is None:
            return False, np.empty(0)
        return True, np.full(self._shape, level, np.uint8)

    def get(self, propId: int) -> float:
        return self._declared.get(propId, -1.0)

    def release(self) -> None:
        self.is_released = True


def numbers(images: Sequence[np.ndarray]) -> List[int]:
    """The numbers of pictures that tell them by 2 steps of brightness."""
    return [round(float(image.mean()) / 2) for image in images]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """After each test the threads that read have ended: at once, or at their time-out."""
    yield
    limit_s = time.monotonic() + 2 * QUICK.open_s
    while readers() and time.monotonic() < limit_s:
        time.sleep(0.02)
    assert not readers()


def readers() -> List[threading.Thread]:
    """The threads that read live sources."""
    return [item for item in threading.enumerate() if item.name == "atlas-hpe-live"]
