"""Callbacks: queued in a stream, run by the thread that subscribed to it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Callable, cast

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import (
    INVALID_PARAM,
    NO_CALLBACK_REGISTERED,
    REPEAT_SUBSCRIBE,
    REPORT_TIMEOUT,
    STREAM_NOT_SUBSCRIBED,
    THREAD_NOT_SUBSCRIBED,
)
from atlas_hpe_runtime.simulator.reports import Report, ReportQueue

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["launch_callback", "process_report", "subscribe_report", "unsubscribe_report"]

_NO_BLOCK, _BLOCK = 0, 1
# Programs start the loop of their callback thread before they subscribe it.
_UNSUBSCRIBED_WAIT_S = 0.01


@acl_call("acl.rt.subscribe_report", "Kk", needs="context")
def subscribe_report(machine: Machine, thread: int, stream: int) -> None:
    """The callbacks of a stream are run by that thread; 100033 if the stream has one."""
    found = machine.stream(stream)
    with machine.lock:
        if found.subscriber is not None:
            raise AclFailure(REPEAT_SUBSCRIBE)
        found.subscriber = thread
        machine.reports.setdefault(thread, ReportQueue()).streams += 1


@acl_call("acl.rt.unsubscribe_report", "Kk", needs="context")
def unsubscribe_report(machine: Machine, thread: int, stream: int) -> None:
    """Undo ``subscribe_report``; the thread may have ended."""
    found = machine.stream(stream)
    with machine.lock:
        queue = machine.reports.get(thread)
        if found.subscriber != thread or queue is None:
            raise AclFailure(STREAM_NOT_SUBSCRIBED)
        found.subscriber = None
        queue.streams -= 1
        if not queue.streams:
            del machine.reports[thread]


@acl_call("acl.rt.launch_callback", "OOik", needs="context")
def launch_callback(
    machine: Machine, function: object, user_data: object, block: int, stream: int
) -> None:
    """Queue ``function(user_data)`` in a stream.

    With ``block`` 1 what comes later in the stream waits for it.
    """
    if not callable(function):
        raise TypeError("parameter must be callable")
    if block not in (_NO_BLOCK, _BLOCK):
        raise AclFailure(INVALID_PARAM)
    found = machine.stream(stream)
    with machine.lock:
        queue = machine.reports.get(found.subscriber or 0)
    if queue is None:
        raise AclFailure(NO_CALLBACK_REGISTERED)
    report = Report(cast(Callable[[object], object], function), user_data)

    def deliver() -> None:
        queue.put(report)
        if block == _BLOCK:
            report.done.wait()

    found.submit(deliver)


@acl_call("acl.rt.process_report", "i")
def process_report(machine: Machine, timeout_ms: int) -> None:
    """Run the next callback in the calling thread; a negative timeout waits without end.

    An exception of the callback comes out of this call.
    """
    timeout_s = None if timeout_ms < 0 else timeout_ms / 1e3
    with machine.lock:
        queue = machine.reports.get(threading.get_ident())
    if queue is None:
        wait_s = _UNSUBSCRIBED_WAIT_S if timeout_s is None else timeout_s
        time.sleep(min(wait_s, _UNSUBSCRIBED_WAIT_S))
        raise AclFailure(THREAD_NOT_SUBSCRIBED)
    report = queue.take(timeout_s)
    if report is None:
        raise AclFailure(REPORT_TIMEOUT)
    try:
        report.function(report.user_data)
    finally:
        report.done.set()
