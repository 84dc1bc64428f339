"""Frames in flight: each started on one slot, waited for once, by whoever needs it first."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import perf_counter
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.slots import Slot
from atlas_hpe_runtime.session import RunTimes

__all__ = ["Clock", "Frame", "Ring"]

Shape = Tuple[int, ...]


@dataclass
class Clock:
    """Moments of a frame, in seconds of ``perf_counter``."""

    begun: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    ended: float = 0.0

    def times(self) -> RunTimes:
        """The spans between them."""
        return RunTimes(
            copy_in_ms=1e3 * (self.started - self.begun),
            execute_ms=1e3 * (self.finished - self.started),
            copy_out_ms=1e3 * (self.ended - self.finished),
        )


class Frame:
    """One run of a model.

    Attributes:
        slot: The slot that it runs on.
        number: Its handle.
        shapes: Shapes of the outputs.
        generation: The slot's count with this frame.
        clock: When what happened; complete when the frame is done.
        done: Whether it has been waited for.

    Args:
        owner: The device.
        slot: The slot that it runs on.
        number: How many frames the session had begun before.
        shapes: Shapes of the outputs, after padding was taken off.
        resident: Whether the outputs stay on the device.
    """

    def __init__(
        self,
        owner: DeviceOwner,
        slot: Slot,
        number: int,
        shapes: Sequence[Shape],
        resident: bool,
    ) -> None:
        self.slot = slot
        self.number = number
        self.shapes = shapes
        self.generation = slot.generation + 1
        self.clock = Clock()
        self.done = False
        self._owner = owner
        self._resident = resident
        self._lock = threading.Lock()
        self._outputs: Dict[str, np.ndarray] = {}
        self._error: Optional[AtlasHpeError] = None

    def finish(self) -> None:
        """Wait for the device and take the outputs; calling it again does nothing.

        The wait gives other Python threads the processor (ascend.md section 1.1). A failure is
        kept for ``outputs``.
        """
        with self._lock:
            if self.done:
                return
            try:
                with self._owner:
                    # A failure is told after a second try: the inputs may belong to others, who
                    # free them when they hear of it.
                    self._owner.acl.release("rt.synchronize_stream", self.slot.stream)
                    self.clock.finished = perf_counter()
                    if not self._resident:
                        self._outputs = self.slot.take(self.shapes)
            except AtlasHpeError as error:
                self._error = error
            self.clock.ended = perf_counter()
            self.done = True

    def outputs(self) -> Dict[str, np.ndarray]:
        """Wait, and give the outputs away; none when they stay on the device.

        Raises:
            DeviceError: The frame failed.
        """
        self.finish()
        if self._error is not None:
            raise self._error
        outputs, self._outputs = self._outputs, {}
        return outputs


class Ring:
    """Slots that frames take in turn.

    Not for several threads at once; the session's lock guards it.

    Args:
        slots: The slots.
    """

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots
        self._frames: List[Optional[Frame]] = [None] * len(slots)
        self._turn = 0

    def next(self) -> Slot:
        """The slot whose turn it is, free: the frame on it, the oldest of all, has finished."""
        last = self._frames[self._turn]
        if last is not None:
            last.finish()
        return self._slots[self._turn]

    def put(self, frame: Frame) -> None:
        """Note that a frame was started on the slot that ``next`` gave, and go on to the next."""
        self._frames[self._turn] = frame
        self._turn = (self._turn + 1) % len(self._slots)

    def drain(self) -> None:
        """Wait for all frames."""
        for frame in self._frames:
            if frame is not None:
                frame.finish()
