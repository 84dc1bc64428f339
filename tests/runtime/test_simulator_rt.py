"""Life cycle, devices, contexts and fork (ascend.md sections 1.2 and 1.5)."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest
from simulated import fresh, good, live_kinds, started


def in_thread(function: Callable[[], Any]) -> Any:
    """What a function gives in another thread."""
    found: List[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return found[0]


# Life cycle


def test_init_works_once_per_process() -> None:
    acl, _ = fresh()
    assert acl.init() == 0
    assert acl.init() == 100002
    assert acl.finalize() == 0
    assert acl.finalize() == 100037
    assert acl.init() == 100002


def test_a_configuration_has_to_be_a_json_file(tmp_path: Path) -> None:
    acl, machine = fresh()
    bad = tmp_path / "acl.json"
    bad.write_text("{")
    assert acl.init(str(tmp_path / "none.json")) == 100003
    assert acl.init(str(tmp_path)) == 100003
    assert acl.init(str(bad)) == 100006
    bad.write_text("[" * 100_000)
    assert acl.init(str(bad)) == 100006
    bad.write_text("{}")
    assert not machine.initialised
    assert acl.init(str(bad)) == 0


def test_finalize_before_everything_is_released_is_noted() -> None:
    acl, machine = started()
    assert acl.finalize() == 0
    assert "acl.finalize before everything was released (1 left)" in machine.ledger.notes()[0]


def test_a_tidy_program_leaves_nothing() -> None:
    acl, machine = started()
    context = good(acl.rt.create_context(0))
    stream = good(acl.rt.create_stream())
    pointer = good(acl.rt.malloc(64, 2))
    event = good(acl.rt.create_event())
    kinds = ("init", "device", "context", "stream", "device memory", "event")
    assert live_kinds(machine) == kinds
    assert acl.rt.destroy_event(event) == 0
    assert acl.rt.free(pointer) == 0
    assert acl.rt.destroy_stream(stream) == 0
    assert acl.rt.destroy_context(context) == 0
    assert acl.rt.reset_device(0) == 0
    assert acl.finalize() == 0
    assert live_kinds(machine) == ()
    assert machine.ledger.notes() == ()
    assert machine.ledger.report() == "everything was released"


def test_the_chip_and_the_run_mode_can_be_asked_before_init() -> None:
    board, _ = fresh(mode="rc")
    card, _ = fresh(mode="ep", soc="Ascend310P3", devices=3)
    assert board.get_soc_name() == "Ascend310"
    assert card.get_soc_name() == "Ascend310P3"
    assert board.rt.get_run_mode() == (0, 0)
    assert card.rt.get_run_mode() == (1, 0)
    assert card.rt.get_device_count() == (3, 0)


def test_warnings_and_errors_of_the_program_reach_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acl, _ = fresh()
    for level in range(4):
        assert acl.app_log(level, f"level {level}") is None
    text = capsys.readouterr().err
    assert "level 2" in text
    assert "level 3" in text
    assert "level 1" not in text


# Devices and contexts


def test_calls_need_a_context() -> None:
    acl, _ = fresh()
    acl.init()
    assert acl.rt.malloc(8, 2) == (0, 107002)
    assert acl.rt.create_stream() == (0, 107002)
    assert acl.rt.get_context() == (0, 107002)
    assert acl.rt.get_device() == (0, 107002)
    assert acl.rt.synchronize_stream(0) == 107002


@pytest.mark.parametrize("device", [-1, 1, 99])
def test_a_device_that_is_not_there(device: int) -> None:
    acl, _ = fresh()
    assert acl.rt.set_device(device) == 107001
    assert acl.rt.create_context(device) == (0, 107001)
    assert acl.rt.reset_device(device) == 107001


def test_set_device_gives_the_thread_the_default_context() -> None:
    acl, machine = started(devices=2)
    default = good(acl.rt.get_context())
    assert acl.rt.set_device(0) == 0
    assert good(acl.rt.get_context()) == default
    assert acl.rt.set_device(1) == 0
    assert good(acl.rt.get_context()) != default
    assert good(acl.rt.get_device()) == 1
    assert live_kinds(machine) == ("init", "device", "device")


def test_another_thread_has_no_context_until_it_sets_one() -> None:
    acl, _ = started()
    context = good(acl.rt.create_context(0))
    assert in_thread(lambda: acl.rt.get_context()) == (0, 107002)
    assert in_thread(lambda: acl.rt.malloc(8, 2)) == (0, 107002)

    def work() -> Any:
        assert acl.rt.set_context(context) == 0
        return acl.rt.get_context()

    assert in_thread(work) == (context, 0)


def test_threads_do_not_share_the_current_context() -> None:
    acl, _ = started()
    mine = good(acl.rt.create_context(0))
    other = in_thread(lambda: good(acl.rt.create_context(0)))
    assert mine != other
    assert good(acl.rt.get_context()) == mine


def test_a_stream_belongs_to_its_context() -> None:
    acl, _ = started()
    stream = good(acl.rt.create_stream())
    acl.rt.create_context(0)
    assert acl.rt.synchronize_stream(stream) == 107003
    assert acl.rt.destroy_stream(stream) == 107003
    assert acl.rt.set_device(0) == 0
    assert acl.rt.destroy_stream(stream) == 0
    assert acl.rt.synchronize_stream(stream) == 107003
    assert acl.rt.destroy_stream(0) == 100000
    assert acl.rt.synchronize_stream(123) == 107003


def test_the_default_context_comes_back_when_the_own_one_goes() -> None:
    acl, _ = started()
    default = good(acl.rt.get_context())
    own = good(acl.rt.create_context(0))
    assert acl.rt.destroy_context(own) == 0
    assert good(acl.rt.get_context()) == default
    assert acl.rt.destroy_context(own) == 107002
    assert acl.rt.set_context(own) == 107002


def test_a_context_that_another_thread_destroyed_is_gone() -> None:
    acl, _ = started()
    own = good(acl.rt.create_context(0))
    assert in_thread(lambda: acl.rt.destroy_context(own)) == 0
    assert acl.rt.get_context() == (0, 107002)


def test_null_and_default_contexts_can_not_be_destroyed() -> None:
    acl, _ = started()
    assert acl.rt.destroy_context(0) == 100000
    assert acl.rt.set_context(0) == 100000
    assert acl.rt.destroy_context(good(acl.rt.get_context())) == 107000


def test_a_reset_ends_the_contexts_of_the_device() -> None:
    acl, machine = started(devices=2)
    own = good(acl.rt.create_context(0))
    acl.rt.set_device(1)
    assert acl.rt.reset_device(0) == 0
    assert good(acl.rt.get_device()) == 1
    assert acl.rt.set_context(own) == 107002
    assert acl.rt.reset_device(0) == 107001
    assert acl.rt.reset_device(1) == 0
    assert acl.rt.get_context() == (0, 107002)
    assert live_kinds(machine) == ("init", "context")
    assert acl.rt.destroy_context(own) == 0


def test_a_context_alone_opens_the_device() -> None:
    acl, machine = fresh()
    acl.init()
    context = good(acl.rt.create_context(0))
    assert good(acl.rt.get_device()) == 0
    assert acl.rt.destroy_context(context) == 0
    assert acl.rt.reset_device(0) == 107001
    assert live_kinds(machine) == ("init",)


def test_memory_of_the_device_can_be_asked() -> None:
    acl, _ = started(memory_mb=2)
    acl.rt.malloc(1 << 20, 2)
    assert acl.rt.get_mem_info(0) == (1 << 20, 2 << 20, 0)
    assert acl.rt.get_mem_info(1) == (0, 0, 0)
    assert acl.rt.get_mem_info(9) == (0, 0, 107000)


# Fork


def run_forked(function: Callable[[Any], None], argument: Any) -> int:
    child = multiprocessing.get_context("fork").Process(target=function, args=(argument,))
    child.start()
    child.join(30)
    code = child.exitcode
    assert code is not None
    return code


def leave_with_code(acl: Any) -> None:
    sys.exit(0 if acl.rt.malloc(8, 2) == (0, 507899) else 1)


def leave_after_a_copy(acl: Any) -> None:
    acl.init()
    acl.rt.set_device(0)
    sys.exit(acl.rt.malloc(8, 2)[1])


@pytest.mark.skipif(sys.platform != "linux", reason="there is fork on Linux only")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_of_a_process_that_uses_the_device_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    acl, _ = started()
    assert run_forked(leave_with_code, acl) == 0
    assert "pyACL does not support fork" in capfd.readouterr().err
    assert acl.rt.malloc(8, 2)[1] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="there is fork on Linux only")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_before_the_first_call_may_use_the_device() -> None:
    acl, _ = fresh()
    assert run_forked(leave_after_a_copy, acl) == 0
