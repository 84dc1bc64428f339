"""Playing pipelines one after the other: start, stop, begin again, and what went wrong."""

from __future__ import annotations

import threading
from contextlib import closing
from time import monotonic
from typing import Callable, Generator, Mapping, Optional, Tuple

from typing_extensions import Protocol

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.run_report import RunReport
from atlas_hpe_pipelines.serve.live_view import LiveView
from atlas_hpe_pipelines.sinks import Sink

__all__ = ["MakePipeline", "Playable", "Runner"]

#: A clip shorter than this begins again only when so much time has passed: a picture is a clip of
#: one frame, and each round opens the model.
_LEAST_ROUND_S = 1.0
#: Frames later than this are not caught up with: the clip goes on at its pace from there.
_MOST_LATE_S = 0.25
_MOST_CLOSING_S = 10.0


class Playable(Protocol):
    """What the runner needs of a ``Pipeline``."""

    @property
    def live(self) -> bool:
        """Frames come when they come, and nobody has to pace them."""
        ...

    def __iter__(self) -> Generator[Tuple[Frame, Tuple[HandPose, ...]], None, None]: ...

    def stop(self) -> None:
        """Let the iteration end soon; from any thread."""

    def report(self) -> RunReport:
        """What has happened so far."""
        ...

    def close(self) -> None:
        """Release everything."""


#: Opens a pipeline with outputs that are open already, by the name of their stage.
MakePipeline = Callable[[Mapping[str, Sink]], Playable]


class Runner:
    """Plays a pipeline into a view until it is told to stop.

    Recorded sources are played at their own pace and begin again at their end; live ones run as
    they come. An error ends the playing, not the runner: ``start`` tries again.

    Args:
        make_pipeline: Opens the pipeline; called in the runner's thread for each round.
        view: Where frames go.
        once: Play a recorded source once.
        changed: Called after each change of ``state``, from any thread.
        tell: Called with the text of an error.
    """

    def __init__(
        self,
        make_pipeline: MakePipeline,
        view: LiveView,
        *,
        once: bool = False,
        changed: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._make = make_pipeline
        self._view = view
        self._once = once
        self._changed = changed
        self._tell = tell
        self._turn = threading.Condition()
        self._wanted = False
        self._stops = 0  # a round that is stopped must not go on because of a later start
        self._closed = False
        self._first: Optional[Playable] = None
        self._state = "stopped"
        self._error: Optional[str] = None
        self._pipeline: Optional[Playable] = None
        self._thread: Optional[threading.Thread] = None

    @property
    def state(self) -> str:
        """``"starting"``, ``"running"``, ``"stopped"``, ``"ended"`` or ``"failed"``."""
        return self._state

    @property
    def error(self) -> Optional[str]:
        """Why it failed, None in every other state."""
        return self._error

    def start(self, first: Optional[Playable] = None) -> None:
        """Play, unless it does already.

        Args:
            first: A pipeline that is open already, for the first round.
        """
        with self._turn:
            if self._closed or self._wanted:
                return
            self._wanted = True
            self._view.forget_recent()
            self._set("starting")
            if first is not None:
                self._first = first
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, name="atlas-hpe-runner", daemon=True
                )
                self._thread.start()
            self._turn.notify_all()

    def stop(self) -> None:
        """End the playing soon; the newest frame stays in the view."""
        with self._turn:
            if not self._wanted:
                return
            self._wanted = False
            self._stops += 1
            pipeline = self._pipeline
            self._set("stopped")
            self._turn.notify_all()
        if pipeline is not None:
            pipeline.stop()

    def close(self) -> None:
        """Stop, and wait until everything is released.

        A source that is being opened can't be interrupted; it is not waited for much longer.
        """
        self.stop()
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(_MOST_CLOSING_S)
        first, self._first = self._first, None
        if first is not None:
            first.close()

    def report(self) -> Optional[RunReport]:
        """What the present round has done so far, or the last one; None before the first."""
        pipeline = self._pipeline
        return None if pipeline is None else pipeline.report()

    def _work(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                stops = self._stops
            finished = False
            try:
                self._play(stops)
                finished = True
            except (AtlasHpeError, OSError) as error:
                finished = True
                self._fail(str(error), stops)
            finally:
                if not finished:  # a fault of the program; its traceback goes to the terminal
                    with self._turn:
                        self._thread = None  # this one ends here; a start needs another
                    self._fail("the program has a fault; the terminal shows where", stops)

    def _play(self, stops: int) -> None:
        """One round; it ends early once the runner has been stopped more often than ``stops``."""
        started_s = monotonic()
        first, self._first = self._first, None
        pipeline = self._make({"page": self._view}) if first is None else first
        with closing(pipeline), closing(iter(pipeline)) as frames:
            with self._turn:
                self._pipeline = pipeline
                if self._stops != stops:  # while it was opened
                    return
                self._set("running")
            clock_s = monotonic()
            for frame, _ in frames:
                if not pipeline.live:
                    clock_s = self._wait_until(clock_s + frame.time_s, stops) - frame.time_s
                if self._stops != stops:
                    return
        if self._once or pipeline.live:
            self._end("ended", None, stops)
        else:
            self._wait_until(started_s + _LEAST_ROUND_S, stops)

    def _wait_until(self, due_s: float, stops: int) -> float:
        """Wait for a time or for a stop; the time to count on from: what is late stays late."""
        now_s = monotonic()
        if now_s >= due_s:
            return max(due_s, now_s - _MOST_LATE_S)
        with self._turn:
            self._turn.wait_for(lambda: self._stops != stops, due_s - now_s)
        return due_s

    def _fail(self, error: str, stops: int) -> None:
        self._tell(error)
        self._end("failed", error, stops)

    def _end(self, state: str, error: Optional[str], stops: int) -> None:
        with self._turn:
            if self._stops == stops:
                self._wanted = False
                self._set(state, error)

    def _set(self, state: str, error: Optional[str] = None) -> None:
        self._state = state
        self._error = error
        self._changed()
