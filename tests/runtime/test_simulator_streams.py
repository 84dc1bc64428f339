"""Streams, events and callbacks (ascend.md section 1.5)."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, List

import pytest
from simulated import good, live_kinds, started

from atlas_hpe_runtime.simulator import AclFailure
from atlas_hpe_runtime.simulator.rt.streams import Event

# Streams and events


def test_a_stream_keeps_the_order_of_its_tasks() -> None:
    acl, machine = started()
    found = machine.stream(good(acl.rt.create_stream()))
    seen: List[int] = []
    for number in range(200):
        found.submit(lambda number=number: seen.append(number))  # type: ignore[misc]
    found.synchronize()
    assert seen == list(range(200))


def test_the_first_failure_of_a_stream_comes_out_once() -> None:
    acl, machine = started()
    stream = good(acl.rt.create_stream())

    def fail(code: int) -> Callable[[], None]:
        def task() -> None:
            raise AclFailure(code)

        return task

    for code in (507011, 507015):
        machine.stream(stream).submit(fail(code))
    assert acl.rt.synchronize_stream(stream) == 507011
    assert acl.rt.synchronize_stream(stream) == 0
    machine.stream(stream).submit(fail(507011))
    machine.stream(0).submit(fail(507013))
    assert acl.rt.synchronize_device() == 507011
    assert acl.rt.synchronize_device() == 0


def test_a_fault_of_the_simulator_is_shown_and_does_not_hang_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acl, machine = started()
    gate = threading.Event()

    def broken() -> None:
        gate.wait(10)
        raise ZeroDivisionError

    seen: List[int] = []
    machine.stream(0).submit(broken)
    machine.stream(0).submit(lambda: seen.append(1))
    gate.set()
    assert acl.rt.synchronize_stream(0) == 507000
    assert "ZeroDivisionError" in capsys.readouterr().err
    machine.stream(0).submit(lambda: seen.append(2))
    assert acl.rt.synchronize_stream(0) == 0
    assert seen == [1, 2]


def test_any_failure_leaves_the_order_as_it_was() -> None:
    acl, machine = started()
    stream = machine.stream(good(acl.rt.create_stream()))
    seen: List[str] = []

    def fail() -> None:
        raise AclFailure(507000)

    def slow() -> None:
        time.sleep(0.02)
        seen.append("slow")

    stream.submit(fail)
    stream.submit(slow)
    time.sleep(0.005)
    stream.submit(lambda: seen.append("last"))
    with pytest.raises(AclFailure):
        stream.synchronize()
    assert seen == ["slow", "last"]


def test_a_closed_stream_takes_no_task() -> None:
    acl, machine = started()
    stream = machine.context().default_stream
    assert acl.rt.reset_device(0) == 0
    with pytest.raises(AclFailure) as caught:
        stream.submit(lambda: None)
    failure: AclFailure = caught.value
    assert failure.code == 107003


def test_a_destroyed_stream_works_off_what_is_queued() -> None:
    acl, machine = started()
    stream = good(acl.rt.create_stream())
    gate, done = threading.Event(), threading.Event()
    machine.stream(stream).submit(lambda: gate.wait(10) and None)
    machine.stream(stream).submit(done.set)
    assert acl.rt.destroy_stream(stream) == 0
    gate.set()
    assert done.wait(10)


def test_the_threads_of_a_machine_end_with_it() -> None:
    acl, machine = started()
    before = set(threading.enumerate())  # some of them may be other tests', and end meanwhile
    machine.stream(good(acl.rt.create_stream())).submit(lambda: None)
    machine.stream(0).submit(lambda: None)
    assert acl.rt.synchronize_device() == 0
    assert len(set(threading.enumerate()) - before) == 2
    machine.close()
    for _ in range(200):
        if set(threading.enumerate()) <= before:
            break
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before


def test_an_event_is_complete_when_the_stream_has_come_to_it() -> None:
    acl, machine = started()
    stream, event = good(acl.rt.create_stream()), good(acl.rt.create_event())
    assert acl.rt.query_event(event) == (0, 0)
    gate = threading.Event()
    machine.stream(stream).submit(lambda: gate.wait(10) and None)
    assert acl.rt.record_event(event, stream) == 0
    assert acl.rt.query_event(event) == (1, 0)
    assert acl.rt.query_event_status(event) == (0, 0)
    gate.set()
    assert acl.rt.synchronize_event(event) == 0
    assert acl.rt.query_event(event) == (0, 0)
    assert acl.rt.query_event_status(event) == (1, 0)
    assert acl.rt.destroy_event(event) == 0
    assert acl.rt.destroy_event(event) == 100000
    assert acl.rt.record_event(event, stream) == 100000


def test_a_record_that_fails_is_not_waited_for() -> None:
    _, machine = started()
    stream, event = machine.stream(0), Event()
    stream.close()
    with pytest.raises(AclFailure):
        event.record(stream)
    assert event.is_complete()


def test_one_stream_waits_for_the_event_of_another() -> None:
    acl, machine = started()
    first, second = good(acl.rt.create_stream()), good(acl.rt.create_stream())
    event = good(acl.rt.create_event())
    gate, seen = threading.Event(), []  # type: ignore[var-annotated]
    machine.stream(first).submit(lambda: gate.wait(10) and seen.append("first"))
    acl.rt.record_event(event, first)
    assert acl.rt.stream_wait_event(second, event) == 0
    machine.stream(second).submit(lambda: seen.append("second"))
    time.sleep(0.02)
    gate.set()
    assert acl.rt.synchronize_device() == 0
    assert seen == ["first", "second"]


def test_events_measure_the_time_between_them() -> None:
    acl, machine = started()
    start, end = good(acl.rt.create_event_with_flag(8)), good(acl.rt.create_event())
    assert acl.rt.event_elapsed_time(start, end) == (0.0, 107000)
    acl.rt.record_event(start, 0)
    machine.stream(0).submit(lambda: time.sleep(0.02))
    acl.rt.record_event(end, 0)
    acl.rt.synchronize_stream(0)
    assert 15 < good(acl.rt.event_elapsed_time(start, end)) < 5000
    assert acl.rt.reset_event(start, 0) == 0
    acl.rt.synchronize_stream(0)
    assert acl.rt.event_elapsed_time(start, end)[1] == 107000


# Callbacks


class Loop:
    """A thread as programs write it: it serves callbacks until it is told to leave."""

    def __init__(self, acl: Any) -> None:
        self.acl = acl
        self.leave = False
        self.codes: List[int] = []
        self.thread = good(acl.util.start_thread(self.serve, [good(acl.rt.get_context()), 20]))

    def serve(self, arguments: List[int]) -> None:
        context, timeout_ms = arguments
        assert self.acl.rt.set_context(context) == 0
        while not self.leave:
            self.codes.append(self.acl.rt.process_report(timeout_ms))

    def stop(self) -> None:
        self.leave = True
        assert self.acl.util.stop_thread(self.thread) == 0


def test_a_callback_runs_in_the_thread_that_subscribed() -> None:
    acl, machine = started()
    stream, loop, seen = good(acl.rt.create_stream()), Loop(acl), []  # type: ignore[var-annotated]
    assert "thread" in live_kinds(machine)

    def callback(data: Any) -> None:
        seen.append((data, threading.get_ident()))

    assert acl.rt.subscribe_report(loop.thread, stream) == 0
    for number in range(5):
        assert acl.rt.launch_callback(callback, [number], 1, stream) == 0
    assert acl.rt.synchronize_stream(stream) == 0
    assert seen == [([number], loop.thread) for number in range(5)]
    assert acl.rt.unsubscribe_report(loop.thread, stream) == 0
    loop.stop()
    assert "thread" not in live_kinds(machine)
    assert set(loop.codes) <= {0, 507012, 107011}


def test_a_stream_waits_for_a_callback_only_if_it_is_told_to() -> None:
    acl, _ = started()
    stream, loop = good(acl.rt.create_stream()), Loop(acl)
    acl.rt.subscribe_report(loop.thread, stream)
    gate = threading.Event()
    assert acl.rt.launch_callback(gate.wait, 10, 0, stream) == 0
    assert acl.rt.synchronize_stream(stream) == 0
    gate.set()
    done: List[bool] = []
    assert (
        acl.rt.launch_callback(lambda _: time.sleep(0.02) or done.append(True), 0, 1, stream) == 0
    )
    assert acl.rt.synchronize_stream(stream) == 0
    assert done == [True]
    loop.stop()
    assert acl.rt.unsubscribe_report(loop.thread, stream) == 0


def test_the_default_stream_can_have_callbacks() -> None:
    acl, _ = started()
    loop, seen = Loop(acl), []  # type: ignore[var-annotated]
    assert acl.rt.subscribe_report(loop.thread, 0) == 0
    assert acl.rt.launch_callback(seen.append, 1, 1, 0) == 0
    assert acl.rt.synchronize_stream(0) == 0
    assert seen == [1]
    loop.stop()


def test_callbacks_need_a_subscription() -> None:
    acl, _ = started()
    stream = good(acl.rt.create_stream())
    me = threading.get_ident()
    assert acl.rt.launch_callback(print, [], 1, stream) == 107015
    assert acl.rt.process_report(0) == 107011
    assert acl.rt.unsubscribe_report(me, stream) == 107012
    assert acl.rt.subscribe_report(me, stream) == 0
    assert acl.rt.subscribe_report(me, stream) == 100033
    assert acl.rt.process_report(1) == 507012
    assert acl.rt.unsubscribe_report(me + 1, stream) == 107012
    assert acl.rt.launch_callback(print, [], 2, stream) == 100000
    with pytest.raises(TypeError, match="must be callable"):
        acl.rt.launch_callback("print", [], 1, stream)
    assert acl.rt.unsubscribe_report(me, stream) == 0
    assert acl.rt.process_report(1) == 107011


def test_a_thread_serves_several_streams_until_the_last_is_unsubscribed() -> None:
    acl, _ = started()
    one, two = good(acl.rt.create_stream()), good(acl.rt.create_stream())
    me, seen = threading.get_ident(), []  # type: ignore[var-annotated]
    for stream in (one, two):
        assert acl.rt.subscribe_report(me, stream) == 0
    assert acl.rt.unsubscribe_report(me, one) == 0
    assert acl.rt.launch_callback(seen.append, 2, 1, two) == 0
    assert acl.rt.process_report(-1) == 0
    assert acl.rt.synchronize_stream(two) == 0
    assert seen == [2]


def test_an_exception_of_a_callback_comes_out_of_process_report() -> None:
    acl, _ = started()
    stream = good(acl.rt.create_stream())
    acl.rt.subscribe_report(threading.get_ident(), stream)
    acl.rt.launch_callback(lambda _: 1 // 0, 0, 1, stream)
    with pytest.raises(ZeroDivisionError):
        acl.rt.process_report(5000)
    assert acl.rt.synchronize_stream(stream) == 0
