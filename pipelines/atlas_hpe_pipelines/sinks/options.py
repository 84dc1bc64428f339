"""How outputs are written: what a user chooses, and what the source decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

__all__ = ["PALETTES", "OutputOptions", "SinkOptions"]

#: How a .gif chooses its 256 colours, see docs/outputs.md.
PALETTES: Tuple[str, ...] = ("tracked", "octree", "shared")


@dataclass(frozen=True)
class OutputOptions:
    """What a user can choose about outputs.

    Attributes:
        loop: .gif only. How often a viewer repeats the clip: 0 for ever, n for n repetitions, None
            to play it once.
        max_fps: .gif, .mp4 and .webm. Frames that come sooner after another are left out; time is
            kept. None for no limit.
        palette: .gif only, one of ``PALETTES``.
    """

    loop: Optional[int] = 0
    max_fps: Optional[float] = None
    palette: str = "tracked"


@dataclass(frozen=True)
class SinkOptions:
    """How one output is written.

    Attributes:
        fps: Nominal rate of the frames that will come, in frames per second.
        size_px: Width and height of the pictures that will come.
        force: Replace an output that exists.
        output: What the user chose.
    """

    fps: float
    size_px: Tuple[int, int]
    force: bool = False
    output: OutputOptions = field(default_factory=OutputOptions)
