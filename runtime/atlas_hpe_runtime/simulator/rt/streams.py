"""Streams and events."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Optional, cast

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM, PARAM_INVALID
from atlas_hpe_runtime.simulator.machine import Context
from atlas_hpe_runtime.simulator.stream import Stream

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "Event",
    "create_event",
    "create_event_with_flag",
    "create_stream",
    "destroy_event",
    "destroy_stream",
    "event_elapsed_time",
    "query_event",
    "query_event_status",
    "record_event",
    "reset_event",
    "stream_wait_event",
    "synchronize_device",
    "synchronize_event",
    "synchronize_stream",
]

# query_event and query_event_status count the other way round (aclrtEventStatus,
# aclrtEventRecordedStatus in acl_rt.h).
_STATUS_COMPLETE, _STATUS_NOT_READY = 0, 1
_RECORDED_NOT_READY, _RECORDED_COMPLETE = 0, 1


class Event:
    """A mark in streams; complete when every record of it was reached."""

    def __init__(self) -> None:
        #: When a record was reached last, of time.perf_counter; None before that.
        self.reached_s: Optional[float] = None
        self._pending = 0
        self._changed = threading.Condition()

    def record(self, stream: Stream) -> None:
        """Put the mark behind what is in the stream."""
        with self._changed:
            stream.submit(self._reach)  # which waits for the lock
            self._pending += 1

    def is_complete(self) -> bool:
        """Whether no record is outstanding."""
        with self._changed:
            return not self._pending

    def wait(self) -> None:
        """Block until no record is outstanding."""
        with self._changed:
            while self._pending:
                self._changed.wait()

    def _reach(self) -> None:
        with self._changed:
            self.reached_s = time.perf_counter()
            self._pending -= 1
            self._changed.notify_all()


@acl_call("acl.rt.create_stream", returns="value+ret", needs="context")
def create_stream(machine: Machine) -> int:
    """A stream of the current context."""
    return machine.handles.add("stream", Stream(machine.context()))


@acl_call("acl.rt.destroy_stream", "k", needs="context")
def destroy_stream(machine: Machine, handle: int) -> None:
    """What is queued is still worked off; 107003 from another context than its own."""
    if not handle:
        raise AclFailure(INVALID_PARAM)
    stream = machine.stream(handle)
    machine.handles.remove("stream", handle)
    stream.close()


@acl_call("acl.rt.synchronize_stream", "k", needs="context")
def synchronize_stream(machine: Machine, handle: int) -> None:
    """Wait for the stream; the first failure of its tasks comes out here."""
    machine.stream(handle).synchronize()


@acl_call("acl.rt.synchronize_device", needs="context")
def synchronize_device(machine: Machine) -> None:
    """Wait for all streams of the current context's device."""
    device = machine.context().device
    streams = [cast(Stream, stream) for _, stream in machine.handles.all_of("stream")]
    contexts = [cast(Context, context) for _, context in machine.handles.all_of("context")]
    streams += [context.default_stream for context in contexts]
    failure = 0
    for stream in streams:
        if cast(Context, stream.context).device != device:
            continue
        try:
            stream.synchronize()
        except AclFailure as found:
            failure = failure or found.code
    if failure:
        raise AclFailure(failure)


@acl_call("acl.rt.create_event", returns="value+ret", needs="context")
def create_event(machine: Machine) -> int:
    """An event that was not recorded yet."""
    return machine.handles.add("event", Event())


@acl_call("acl.rt.create_event_with_flag", "I", returns="value+ret", needs="context")
def create_event_with_flag(machine: Machine, flag: int) -> int:
    """As ``create_event``: a simulated event can do all that the flags ask for."""
    return machine.handles.add("event", Event())


@acl_call("acl.rt.destroy_event", "k", needs="context")
def destroy_event(machine: Machine, handle: int) -> None:
    """Take an event back."""
    machine.handles.remove("event", handle)


@acl_call("acl.rt.record_event", "kk", needs="context")
def record_event(machine: Machine, handle: int, stream: int) -> None:
    """Mark the point that the stream has come to."""
    _event(machine, handle).record(machine.stream(stream))


@acl_call("acl.rt.reset_event", "kk", needs="context")
def reset_event(machine: Machine, handle: int, stream: int) -> None:
    """Forget, in the order of the stream, when the event was reached."""
    event = _event(machine, handle)

    def forget() -> None:
        event.reached_s = None

    machine.stream(stream).submit(forget)


@acl_call("acl.rt.synchronize_event", "k", needs="context")
def synchronize_event(machine: Machine, handle: int) -> None:
    """Wait until the event is reached."""
    _event(machine, handle).wait()


@acl_call("acl.rt.stream_wait_event", "kk", needs="context")
def stream_wait_event(machine: Machine, stream: int, handle: int) -> None:
    """What is put into the stream later waits until the event is reached."""
    machine.stream(stream).submit(_event(machine, handle).wait)


@acl_call("acl.rt.query_event", "k", returns="value+ret", needs="context")
def query_event(machine: Machine, handle: int) -> int:
    """0 complete, 1 not ready."""
    complete = _event(machine, handle).is_complete()
    return _STATUS_COMPLETE if complete else _STATUS_NOT_READY


@acl_call("acl.rt.query_event_status", "k", returns="value+ret", needs="context", since="6.0")
def query_event_status(machine: Machine, handle: int) -> int:
    """0 not ready, 1 complete."""
    complete = _event(machine, handle).is_complete()
    return _RECORDED_COMPLETE if complete else _RECORDED_NOT_READY


@acl_call("acl.rt.event_elapsed_time", "kk", returns="value+ret", default=0.0, needs="context")
def event_elapsed_time(machine: Machine, start: int, end: int) -> float:
    """Milliseconds on this machine, which say nothing about a board."""
    first, last = _event(machine, start).reached_s, _event(machine, end).reached_s
    if first is None or last is None:
        raise AclFailure(PARAM_INVALID)
    return (last - first) * 1e3


def _event(machine: Machine, handle: int) -> Event:
    return cast(Event, machine.handles.get("event", handle))
