"""The contract of a source: frames with their time, and what went wrong on the way."""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple

from typing_extensions import Protocol

from atlas_hpe.poses import Frame

__all__ = ["Source"]


class Source(Protocol):
    """Something that yields frames once, from its start.

    Attributes:
        name: What the user called it.
        size_px: Width and height of its frames.
        fps: Frames per second, as declared or, where that is nonsense, assumed (see ``warnings``).
        frame_count: Number of frames it says it has, None when it does not say.
        warnings: What the user has to know; complete once the frames are used up.
    """

    name: str
    size_px: Tuple[int, int]
    fps: float
    frame_count: Optional[int]
    warnings: List[str]

    def frames(self) -> Iterator[Frame]:
        """The frames in order; times never decrease."""

    def close(self) -> None:
        """Release the file or device; calling it again does nothing."""
