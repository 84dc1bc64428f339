"""What the pipeline sees of a camera or stream."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, List, Tuple

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sources.live.grabber import Grabber
from atlas_hpe_pipelines.sources.live.mailbox import Mailbox
from atlas_hpe_pipelines.sources.live.opencv import Capture
from atlas_hpe_pipelines.sources.live.patience import Patience
from atlas_hpe_pipelines.sources.source import SourceOptions, usable_fps

__all__ = ["LiveSource"]


class LiveSource:
    """A camera or stream as a ``Source``.

    Frame times are those of arrival, index and time count from the first frame that is taken. What
    is dropped leaves a gap in the index. A file behind an address (``live`` is False then) has all
    its frames and its own times instead.

    Args:
        name: The source, without credentials.
        connect: Opens it; called in another thread, also after a loss.
        options: How it is read.
        patience: How long it is waited for.
        may_be_recorded: Whether one that declares how many frames it has is read as a file.

    Raises:
        SourceError: It can't be opened, or gives no frame.
    """

    depth = False
    paths: Tuple[Path, ...] = ()

    def __init__(
        self,
        name: str,
        connect: Callable[[], Capture],
        options: SourceOptions,
        *,
        patience: Patience,
        may_be_recorded: bool = False,
    ) -> None:
        self.name = name
        self.dropped = 0
        self.warnings: List[str] = []
        self._mailbox = Mailbox(keeps_all=options.drop == "never")
        self._grabber = Grabber(
            name,
            connect,
            self._mailbox,
            self.warnings,
            patience=patience,
            reconnect_s=options.reconnect_s,
            may_be_recorded=may_be_recorded,
        )
        self.size_px: Tuple[int, int] = self._begin().size_px
        self.frame_count = self._grabber.frame_count
        self.live = self.frame_count is None
        self.fps = usable_fps(self._grabber.fps, name, self.warnings)

    def _begin(self) -> Frame:
        """Start the thread and wait for its first frame."""
        self._grabber.start()
        first = None
        try:
            first = self._mailbox.first()
        finally:
            if first is None:  # an error, or Ctrl-C
                self.close()
        if first is None:
            raise SourceError("there is no frame", where=self.name)
        return first

    def frames(self) -> Iterator[Frame]:
        """The frames as they come, until ``stop``.

        Raises:
            SourceError: The source was lost and did not come back in time.
        """
        frame = self._mailbox.take()
        if frame is not None:
            first_index, first_s = frame.index, frame.time_s
        while frame is not None:
            self.dropped = self._mailbox.dropped
            yield Frame(frame.index - first_index, frame.time_s - first_s, frame.image)
            frame = self._mailbox.take()

    def stop(self) -> None:
        """Let ``frames`` end soon, also while it waits; also from a signal handler."""
        self._mailbox.stop()

    def close(self) -> None:
        """End the reading; calling it again does nothing."""
        self.stop()
        self._grabber.close()
