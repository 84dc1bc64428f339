"""What every sink offers, and what sinks have in common."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence, Tuple, Type, TypeVar

import numpy as np
from typing_extensions import Protocol

from atlas_hpe.errors import OutputError
from atlas_hpe.outfile import AtomicFile, disk_error

if TYPE_CHECKING:
    from types import TracebackType

    from atlas_hpe.poses import Frame, HandPose

__all__ = [
    "BaseSink",
    "FileSink",
    "Sink",
    "require_picture",
    "require_time_s",
]

_SinkT = TypeVar("_SinkT", bound="BaseSink")


class Sink(Protocol):
    """Take the frames of a run one by one and make one output of them.

    As a context manager it finishes on a normal exit and aborts on any exception, Ctrl-C included.

    """

    @property
    def wants_picture(self) -> bool:
        """Whether ``write`` needs the drawn picture; when no sink does, drawing can be left out."""
        ...

    @property
    def dropped(self) -> int:
        """How many frames were left out because the format can't show them so fast."""
        ...

    def write(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        """Add one frame; ``picture`` is (H, W, 3) uint8 BGR and may be reused by the caller."""

    def finish(self) -> None:
        """Complete the output and make it visible under its name; later calls do nothing."""

    def abort(self) -> None:
        """Remove everything written so far; later calls do nothing."""

    def __enter__(self) -> Sink: ...

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None: ...


class BaseSink:
    """What sinks have in common: their life cycle, and the disk's errors as ``OutputError``.

    A subclass implements ``_add``, and of ``_complete``, ``_release``, ``_publish`` and
    ``_discard`` what it has to do.

    Args:
        path: The name the output gets when it is whole.
    """

    wants_picture = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._whole = False

    def write(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        """Add one frame.

        Raises:
            OutputError: The sink is closed, the picture is missing or of the wrong form, the time
                is no number, or the disk refuses.
        """
        if self._closed or self._whole:
            raise OutputError(
                "a frame was written to an output that is already closed",
                where=self.path,
                fix="write all frames before finish() or abort()",
            )
        try:
            self._add(frame, picture, hands)
        except BrokenPipeError:
            # Only standard output is a pipe; what to do when its reader is gone, the caller knows.
            raise
        except OSError as cause:
            raise disk_error(self.path, cause) from cause

    def complete(self) -> None:
        """Write and close all that the output needs, still without its name; finish() names it.

        Outputs that belong together are all completed first: what takes time, or fails, comes
        before any of them is seen.

        Raises:
            OutputError: No frame came, or the disk or the encoder refuses. Nothing is left behind
                then.
        """
        if self._closed or self._whole:
            return
        try:
            self._complete()
            self._release()
            self._whole = True
        except OSError as cause:
            raise disk_error(self.path, cause) from cause
        finally:
            if not self._whole:
                self.abort()

    def finish(self) -> None:
        """Complete the output and give it its name; do nothing on a closed sink.

        Raises:
            OutputError: As ``complete``, or the name is taken meanwhile.
        """
        self.complete()
        if self._closed:
            return
        try:
            self._publish()
        except OSError as cause:
            raise disk_error(self.path, cause) from cause
        finally:
            # After a successful publish there is nothing left to remove and this is a no-op.
            self.abort()

    def abort(self) -> None:
        """Remove what was written; do nothing on a closed sink."""
        if self._closed:
            return
        self._closed = True
        try:
            self._release()
        finally:
            self._discard()

    @property
    def dropped(self) -> int:
        """How many frames were left out; none, unless a subclass says so."""
        return 0

    def __enter__(self: _SinkT) -> _SinkT:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        raise NotImplementedError

    def _complete(self) -> None:
        """Write what comes after the last frame."""

    def _release(self) -> None:
        """Free what is held beside the output; called more than once."""

    def _publish(self) -> None:
        """Give the whole output its name."""

    def _discard(self) -> None:
        """Remove what has no final name."""


class FileSink(BaseSink):
    """Base of the sinks that write one file.

    Args:
        path: The name the file gets when it is whole.
        force: Replace a file that exists.

    Raises:
        OutputError: The temporary file can't be created.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        super().__init__(path)
        self._file = AtomicFile(path, force=force)

    def _publish(self) -> None:
        self._file.publish()

    def _discard(self) -> None:
        self._file.discard()


def require_picture(
    picture: Optional[np.ndarray], size_px: Tuple[int, int], path: Path
) -> np.ndarray:
    """The picture itself, after a check of its form.

    Args:
        picture: What the caller passed.
        size_px: Width and height that all pictures of this output have.
        path: The output, for the error.

    Raises:
        OutputError: There is no picture, or it is not (H, W, 3) uint8 of that size.
    """
    width, height = size_px
    if picture is None:
        raise OutputError(
            "this kind of output needs a picture for each frame, and none came",
            where=path,
            fix="pass the drawn picture to write()",
        )
    if picture.shape != (height, width, 3) or picture.dtype != np.uint8:
        raise OutputError(
            "a picture does not have the form of this output",
            where=path,
            why=f"it is {picture.shape} {picture.dtype}, expected {(height, width, 3)} uint8",
            fix="give all pictures of one output the size named when it was opened",
        )
    return picture


def require_time_s(frame: Frame, path: Path) -> float:
    """The presentation time of a frame in seconds.

    Raises:
        OutputError: It is NaN or infinite.
    """
    if not math.isfinite(frame.time_s):
        raise OutputError(
            f"frame {frame.index} has no presentation time",
            where=path,
            why=f"its time_s is {frame.time_s}",
            fix="the source has to give every frame a finite time in seconds",
        )
    return float(frame.time_s)
