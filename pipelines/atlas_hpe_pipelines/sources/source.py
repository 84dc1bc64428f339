"""The contract of a source: frames with their time, and what went wrong on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from typing_extensions import Protocol

from atlas_hpe.errors import UsageError
from atlas_hpe.poses import Frame

__all__ = ["ASSUMED_FPS", "DROPS", "RecordedSource", "Source", "SourceOptions", "usable_fps"]

#: Used where neither the source nor the user says how many frames make a second.
ASSUMED_FPS = 30.0
#: Containers with a variable frame rate declare their clock instead, often 1000 frames/s, and so
#: do streams, with 90000.
_MAX_FPS = 240.0
#: Values of ``SourceOptions.drop``.
DROPS = ("newest", "never")


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read.

    Attributes:
        fps: Frames per second of pictures, which carry no time; None for the source's own rate.
            Videos and live sources have their own.
        drop: Live sources only. ``"newest"`` goes on with the newest frame and drops those that
            waited longer; ``"never"`` keeps all, as far as the sender allows.
        reconnect_s: Live sources only. How long a lost stream or camera is tried again, in seconds;
            0 gives up at once.
        depth_unit_mm: Depth pictures only. Millimetres that one step of the 16 bits stands for.
    """

    fps: Optional[float] = None
    drop: str = "newest"
    reconnect_s: float = 60.0
    depth_unit_mm: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no source could be read with.

        Raises:
            UsageError: A value is impossible.
        """
        for name, value in (("fps", self.fps), ("depth_unit_mm", self.depth_unit_mm)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} must be a number above 0, not {value:g}")
        if not self.reconnect_s >= 0:
            raise UsageError(f"reconnect_s must be 0 or more, not {self.reconnect_s:g}")
        if self.drop not in DROPS:
            raise UsageError(f"drop must be one of {', '.join(DROPS)}, not {self.drop!r}")


class Source(Protocol):
    """Something that yields frames once, from its start.

    Attributes:
        name: What the user called it, without credentials.
        size_px: Width and height of its first frame.
        fps: Frames per second, as declared or, where that is nonsense, assumed (see ``warnings``).
        frame_count: Number of frames it says it has, None when it does not say.
        depth: Its frames carry ``depth_mm``.
        live: Frames come when they come: whoever is late loses some, and stopping ends it.
        dropped: Frames that a live source left out so far.
        warnings: What the user has to know; complete once the frames are used up.
        paths: The files that one name stands for, as with a folder or a list; empty otherwise.
    """

    name: str
    paths: Tuple[Path, ...]
    size_px: Tuple[int, int]
    fps: float
    frame_count: Optional[int]
    depth: bool
    live: bool
    dropped: int
    warnings: List[str]

    def frames(self) -> Iterator[Frame]:
        """The frames in order; times never decrease. One thread reads them."""

    def stop(self) -> None:
        """Let ``frames`` end soon, also while it waits; from any thread, as often as one likes."""

    def close(self) -> None:
        """Release the file or device; calling it again does nothing."""


class RecordedSource:
    """What sources have in common whose frames wait to be read."""

    depth = False
    live = False
    dropped = 0
    paths: Tuple[Path, ...] = ()

    name: str
    frame_count: Optional[int]
    warnings: List[str]

    def stop(self) -> None:
        """Nothing to do: no frame is waited for, and whoever reads can end by itself."""

    def _compare_counts(self, read: int, lost: int = 0) -> None:
        """Leave a warning where the source ended before all frames that it declares had come."""
        if self.frame_count is not None and read + lost < self.frame_count:
            self.warnings.append(
                f"{self.name}: read {read} of the {self.frame_count} frames it declares; "
                "it was trimmed, or it is truncated or damaged"
            )


def usable_fps(declared: float, name: str, warnings: List[str]) -> float:
    """The frame rate that a video or stream declares; where that is nonsense, the assumed one.

    Args:
        declared: Any number.
        name: The source.
        warnings: Where it is said that a rate was assumed.
    """
    if math.isfinite(declared) and 0 < declared <= _MAX_FPS:
        return declared
    warnings.append(f"{name}: no usable frame rate, {ASSUMED_FPS:g} frames/s assumed")
    return ASSUMED_FPS
