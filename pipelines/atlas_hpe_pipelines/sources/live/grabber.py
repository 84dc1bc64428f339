"""The thread that reads a live source, and connects again when it is lost."""

from __future__ import annotations

import threading
from time import monotonic, sleep
from typing import Callable, List, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe.text import printable
from atlas_hpe_pipelines.buffers import PictureBuffers
from atlas_hpe_pipelines.sources.live.credentials import hide_credentials
from atlas_hpe_pipelines.sources.live.losses import Losses
from atlas_hpe_pipelines.sources.live.mailbox import Mailbox
from atlas_hpe_pipelines.sources.live.opencv import Capture
from atlas_hpe_pipelines.sources.live.patience import Patience
from atlas_hpe_pipelines.sources.silence import silent_opencv
from atlas_hpe_pipelines.sources.source import ASSUMED_FPS

__all__ = ["Grabber"]

#: How often a pause looks whether anybody still waits for the end of it, in seconds.
_LOOK_S = 0.05


class Grabber:
    """Reads a camera or stream in a thread of its own and puts the frames into a mailbox.

    The thread is a daemon: when it is stuck in the network, the program does not wait for it. It
    ends by itself at OpenCV's time-out, and it alone releases what it opened.

    Args:
        name: The source, without credentials.
        connect: Opens it.
        mailbox: Where frames go.
        warnings: Where lines about losses go.
        patience: How long it is waited for.
        reconnect_s: How long after the last frame a lost source is given up.
        may_be_recorded: Whether one that declares how many frames it has is a file: read to its
            end, with its own times, nothing dropped.

    Attributes:
        fps: The declared rate, any number; known once the first frame is in the mailbox.
        frame_count: Frames that a recorded one declares.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Capture],
        mailbox: Mailbox,
        warnings: List[str],
        *,
        patience: Patience,
        reconnect_s: float,
        may_be_recorded: bool,
    ) -> None:
        self.fps = 0.0
        self.frame_count: Optional[int] = None
        self._name = name
        self._connect_to = connect
        self._mailbox = mailbox
        self._warnings = warnings
        self._losses = Losses(name, warnings)
        self._patience = patience
        self._reconnect_s = reconnect_s
        self._may_be_recorded = may_be_recorded
        self._buffers = PictureBuffers()
        self._arrived = 0
        self._last_s = 0.0
        self._thread = threading.Thread(target=self._run, name="atlas-hpe-live", daemon=True)

    def start(self) -> None:
        """Begin to connect and to read."""
        self._thread.start()

    def close(self) -> None:
        """Wait a little for the thread, whose mailbox is stopped."""
        if self._thread.ident is not None:
            self._thread.join(self._patience.close_s)

    def _run(self) -> None:
        error: Optional[Exception] = None
        try:
            with silent_opencv():
                self._grab()
        except cv2.error as caught:
            error = SourceError(
                "OpenCV can't read the source",
                where=self._name,
                why=printable(hide_credentials(str(caught))),
                fix="look whether other programs show it",
            )
        except Exception as caught:  # noqa: BLE001 - raised again by Mailbox.take
            error = caught
        finally:
            self._mailbox.end(error)

    def _grab(self) -> None:
        capture, image = self._connect()
        started_s = monotonic()
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        count = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if self._may_be_recorded and 1 <= count < 2**31:
            self.frame_count = int(count)
            self._mailbox.keeps_all = True
            self._read_file(capture, image)
            return
        found: Optional[Tuple[Capture, np.ndarray]] = (capture, image)
        while found is not None:
            why = self._read_stream(*found, started_s)
            found = None if self._mailbox.is_stopped else self._connect_again(why, started_s)

    def _connect(self) -> Tuple[Capture, np.ndarray]:
        """A capture and its first picture."""
        capture = self._connect_to()
        read, image = capture.read()
        if read:
            return capture, image
        capture.release()
        raise SourceError(
            "no picture comes",
            where=self._name,
            why=f"it can be opened, but sent none within {self._patience.read_s:g} s",
            fix="look whether other programs show it",
        )

    def _connect_again(self, why: str, started_s: float) -> Optional[Tuple[Capture, np.ndarray]]:
        """As ``_connect``, as often as the time allows; None once nobody waits any more."""
        self._losses.lost(self._last_s, why)
        end_s = started_s + self._last_s + self._reconnect_s
        attempts = 0
        for pause_s in self._patience.pauses_s():
            left_s = end_s - monotonic()
            if left_s <= 0 and (attempts or not self._reconnect_s):
                break
            if not self._pause(min(pause_s, left_s)):
                return None
            attempts += 1
            try:
                found = self._connect()
            except SourceError as error:
                why = error.what if error.why is None else f"{error.what}: {error.why}"
            else:
                self._losses.back(monotonic() - started_s - self._last_s, attempts)
                return found
        raise SourceError(
            "the source was lost and did not come back",
            where=self._name,
            why=f"{attempts} attempts in {monotonic() - started_s - self._last_s:.1f} s, "
            f"at last: {why}",
            fix="check the camera and the network, or try longer (--reconnect-s)",
        )

    def _pause(self, pause_s: float) -> bool:
        """Wait; False when the mailbox was stopped meanwhile."""
        end_s = monotonic() + pause_s
        while monotonic() < end_s and not self._mailbox.is_stopped:
            sleep(min(_LOOK_S, max(0.0, end_s - monotonic())))
        return not self._mailbox.is_stopped

    def _read(self, capture: Capture, shape: Tuple[int, ...]) -> Tuple[bool, np.ndarray]:
        """The next picture, in memory that is used again when nobody has it any more."""
        return capture.read(self._buffers.take(shape))

    def _read_stream(self, capture: Capture, image: np.ndarray, started_s: float) -> str:
        """Pass on what comes, with the time when it came; returns why it has ended."""
        try:
            read, waited_s = True, 0.0
            while read and not self._mailbox.is_stopped:
                self._last_s = monotonic() - started_s
                self._mailbox.put(Frame(self._arrived, self._last_s, image))
                self._arrived += 1
                asked_s = monotonic()
                read, image = self._read(capture, image.shape)
                waited_s = monotonic() - asked_s
        finally:
            capture.release()
        if waited_s >= 0.9 * self._patience.read_s:
            return f"no picture for {waited_s:.0f} s"
        return "it ended or sent what is no picture"

    def _read_file(self, capture: Capture, image: np.ndarray) -> None:
        """Pass on every frame with its own time."""
        try:
            first_ms = float(capture.get(cv2.CAP_PROP_POS_MSEC))
            read = True
            while read and not self._mailbox.is_stopped:
                time_s = (float(capture.get(cv2.CAP_PROP_POS_MSEC)) - first_ms) / 1000
                if self._arrived and not time_s > self._last_s:
                    time_s = self._last_s + 1 / (self.fps if self.fps > 0 else ASSUMED_FPS)
                self._last_s = time_s
                self._mailbox.put(Frame(self._arrived, time_s, image))
                self._arrived += 1
                read, image = self._read(capture, image.shape)
        finally:
            capture.release()
        if self.frame_count is not None and self._arrived < self.frame_count:
            self._warnings.append(
                f"{self._name}: read {self._arrived} of the {self.frame_count} frames it declares; "
                "the connection was lost, or the file is truncated or damaged"
            )
