"""Arguments, answers and failures of simulated calls (ascend.md sections 1.1 to 1.5)."""

from __future__ import annotations

import operator
import sys
from types import ModuleType
from typing import Any, Dict, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import fresh, started

from atlas_hpe_runtime.simulator import AclFailure, Machine, SimulatorSettings, acl_call
from atlas_hpe_runtime.simulator.calls import bind

# Call -> one valid list of arguments, each of the kind that its format character stands for.
ARGUMENTS: Dict[str, Tuple[Any, ...]] = {
    "init": ("",),
    "finalize": (),
    "app_log": (0, "text"),
    "get_soc_name": (),
    "rt.set_device": (0,),
    "rt.reset_device": (0,),
    "rt.get_device": (),
    "rt.get_device_count": (),
    "rt.get_run_mode": (),
    "rt.create_context": (0,),
    "rt.set_context": (1,),
    "rt.get_context": (),
    "rt.destroy_context": (1,),
    "rt.create_stream": (),
    "rt.synchronize_stream": (1,),
    "rt.synchronize_device": (),
    "rt.destroy_stream": (1,),
    "rt.malloc": (8, 2),
    "rt.free": (1,),
    "rt.malloc_host": (8,),
    "rt.free_host": (1,),
    "rt.memcpy": (1, 8, 1, 8, 3),
    "rt.memcpy_async": (1, 8, 1, 8, 3, 1),
    "rt.memset": (1, 8, 0, 8),
    "rt.memset_async": (1, 8, 0, 8, 1),
    "rt.get_mem_info": (0,),
    "rt.create_event": (),
    "rt.create_event_with_flag": (8,),
    "rt.destroy_event": (1,),
    "rt.record_event": (1, 1),
    "rt.reset_event": (1, 1),
    "rt.query_event": (1,),
    "rt.query_event_status": (1,),
    "rt.synchronize_event": (1,),
    "rt.stream_wait_event": (1, 1),
    "rt.event_elapsed_time": (1, 1),
    "rt.subscribe_report": (1, 1),
    "rt.unsubscribe_report": (1, 1),
    "rt.launch_callback": (print, [], 1, 1),
    "rt.process_report": (0,),
    "util.numpy_to_ptr": (np.zeros(1),),
    "util.numpy_contiguous_to_ptr": (np.zeros(1),),
    "util.ptr_to_numpy": (1, (1,), 2),
    "util.bytes_to_ptr": (b"1",),
    "util.ptr_to_bytes": (1, 1),
    "util.start_thread": (print, []),
    "util.stop_thread": (1,),
}
# Calls that give a value without a return code, and those with more than one value.
VALUE_ONLY = {name for name in ARGUMENTS if name.startswith("util.") and "thread" not in name}
VALUE_ONLY |= {"app_log", "get_soc_name"}
PAIRS = {
    "rt.get_device",
    "rt.get_device_count",
    "rt.get_run_mode",
    "rt.create_context",
    "rt.get_context",
    "rt.create_stream",
    "rt.malloc",
    "rt.malloc_host",
    "rt.create_event",
    "rt.create_event_with_flag",
    "rt.query_event",
    "rt.query_event_status",
    "rt.event_elapsed_time",
    "util.start_thread",
}


def named(acl: Any, name: str) -> Any:
    return operator.attrgetter(name)(acl)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_a_call_takes_so_many_arguments_and_no_keywords(name: str) -> None:
    acl, _ = fresh()
    arguments = ARGUMENTS[name]
    message = f"^acl.{name} args parse failed$"
    if arguments:
        for wrong in ((*arguments, 0), () if name != "init" else ("", "")):
            with pytest.raises(TypeError, match=message):
                named(acl, name)(*wrong)
    with pytest.raises(TypeError, match=message):
        named(acl, name)(*arguments, spare=1)


def test_a_call_without_arguments_does_not_look_at_them() -> None:
    acl, _ = started()
    assert acl.rt.get_context(0) == acl.rt.get_context()


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_argument_is_checked(name: str) -> None:
    acl, _ = fresh()
    arguments = list(ARGUMENTS[name])
    for place, value in enumerate(arguments):
        if not isinstance(value, (int, str)):
            continue
        wrong = arguments.copy()
        for other in (None, 1.5, b"1", [1]):
            wrong[place] = other
            with pytest.raises(TypeError, match=f"^acl.{name} args parse failed$"):
                named(acl, name)(*wrong)


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - VALUE_ONLY))
def test_a_fault_on_order_comes_in_the_shape_of_the_call(name: str) -> None:
    acl, machine = fresh(fail=f"acl.{name}=507899")
    answer = named(acl, name)(*ARGUMENTS[name])
    if name == "rt.get_mem_info":
        assert answer == (0, 0, 507899)
    elif name in PAIRS:
        assert answer == (0, 507899)
    else:
        assert answer == 507899
    assert machine.faults.counts() == {f"acl.{name}": 1}
    assert machine.ledger.live() == ()


@pytest.mark.parametrize("name", sorted(VALUE_ONLY))
def test_a_fault_of_a_call_without_code_gives_a_null(name: str) -> None:
    acl, _ = fresh(fail=f"acl.{name}=507899")
    assert not named(acl, name)(*ARGUMENTS[name])


def test_only_the_nth_call_fails() -> None:
    acl, _ = started(fail="acl.rt.malloc@2=207001")
    answers = [acl.rt.malloc(8, 2)[1] for _ in range(4)]
    assert answers == [0, 207001, 0, 0]


def test_a_call_with_wrong_arguments_is_not_counted() -> None:
    acl, machine = started()
    with pytest.raises(TypeError):
        acl.rt.malloc()
    assert "acl.rt.malloc" not in machine.faults.counts()


@pytest.mark.parametrize("size", [np.int64(8), np.uint64(8), 8.0, "8"])
def test_a_size_has_to_be_an_int_of_python(size: Any) -> None:
    acl, _ = started()
    with pytest.raises(TypeError, match=r"acl\.rt\.malloc args parse failed"):
        acl.rt.malloc(size, 2)
    assert acl.rt.malloc(8, np.int64(2))[1] == 0  # an enum may come from NumPy


def echo(arguments: str) -> Any:
    """A call that gives back what it was given, bound to a machine."""
    module = ModuleType("echoes")

    @acl_call("acl.echo", arguments, returns="value")
    def given_back(machine: Machine, *values: object) -> object:
        return values[0]

    given_back.__module__ = "echoes"
    module.__dict__["given_back"] = given_back
    return bind(Machine(), [module])["acl.echo"]


@given(st.integers(-(1 << 70), 1 << 70))
def test_integers_wrap_or_are_refused_as_in_c(value: int) -> None:
    assert echo("k")(value) == echo("K")(value) == value % (1 << 64)
    assert echo("I")(value) == value % (1 << 32)
    assert echo("H")(value) == value % (1 << 16)
    for kind, bits in (("i", 31), ("h", 15)):
        if -(1 << bits) <= value < 1 << bits:
            assert echo(kind)(value) == value
        else:
            with pytest.raises(TypeError):
                echo(kind)(value)


@given(st.floats(allow_nan=False) | st.integers(-1000, 1000))
def test_a_float_is_rounded_to_32_bits(value: Any) -> None:
    with np.errstate(over="ignore"):
        assert echo("f")(value) == np.float32(value)


@pytest.mark.parametrize("value", ["1", b"1", None, [1.0]])
def test_a_float_is_no_text(value: Any) -> None:
    with pytest.raises(TypeError):
        echo("f")(value)


@pytest.mark.parametrize("value", [b"x", "a\0b", "\ud800", 1])
def test_a_text_is_what_c_can_hold(value: Any) -> None:
    assert echo("s")("ü") == "ü"
    with pytest.raises(TypeError):
        echo("s")(value)


def test_optional_arguments_may_be_left_out() -> None:
    call = echo("i|sO")
    assert call(1) == call(1, "x") == call(1, "x", None) == 1
    for wrong in ((), (1, "x", None, 2)):
        with pytest.raises(TypeError):
            call(*wrong)


def bound(**options: Any) -> Any:
    module = ModuleType("made")
    value = options.pop("value", None)

    @acl_call("acl.made", **options)
    def made(machine: Machine) -> object:
        if isinstance(value, int) and value < 0:
            raise AclFailure(-value)
        return value

    made.__module__ = "made"
    module.__dict__["made"] = made
    return bind(Machine(), [module])["acl.made"]


def test_a_fresh_default_is_made_for_each_failure() -> None:
    call = bound(returns="value+ret", default=dict, value=-5)
    first, ret = call()
    assert (first, ret) == ({}, 5)
    assert call()[0] is not first


def test_several_values_are_flattened() -> None:
    assert bound(returns="values+ret", default=(0, 0), value=(3, 4))() == (3, 4, 0)
    assert bound(returns="values+ret", default=(0, 0), value=-9)() == (0, 0, 9)
    assert bound(returns="value+ret", value=(3, 4))() == ((3, 4), 0)


def test_what_a_call_needs_is_checked_before_it_runs() -> None:
    assert bound(needs="init")() == 100001
    assert bound(needs="context")() == 107002
    assert bound()() == 0


@pytest.mark.parametrize(
    "bad", [{"arguments": "z"}, {"returns": "values"}, {"needs": "stream"}, {"arguments": "i|z"}]
)
def test_a_call_that_can_not_be_is_refused_where_it_is_written(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"acl\.made"):
        bound(**bad)


def test_two_functions_can_not_be_one_call() -> None:
    module = ModuleType("twice")
    for name in ("one", "two"):

        @acl_call("acl.same")
        def same(machine: Machine) -> None:
            return None

        same.__module__ = "twice"
        module.__dict__[name] = same
    with pytest.raises(ValueError, match="two functions"):
        bind(Machine(), [module])


@pytest.mark.parametrize("cann", ["5.0", "6.0", "7.0"])
def test_generations_have_their_calls(cann: str) -> None:
    acl, _ = fresh(cann=cann)
    old = cann != "7.0" or sys.version_info >= (3, 8)
    assert ("bytes_to_ptr" in dir(acl.util)) == (cann != "5.0")
    assert ("ptr_to_bytes" in dir(acl.util)) == (cann != "5.0")
    for name in ("numpy_to_ptr", "numpy_contiguous_to_ptr", "ptr_to_numpy"):
        assert (name in dir(acl.util)) == old
    assert ("query_event_status" in dir(acl.rt)) == (cann != "5.0")


def test_numpy_forms_of_the_newest_generation_need_python_3_8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for version, expected in (((3, 7, 16), False), ((3, 8, 0), True)):
        monkeypatch.setattr(sys, "version_info", version)
        acl, _ = fresh(cann="7.0")
        assert ("numpy_to_ptr" in dir(acl.util)) == expected
        acl, _ = fresh(cann="6.0")
        assert "numpy_to_ptr" in dir(acl.util)


def test_all_calls_are_covered_here() -> None:
    acl, machine = fresh()
    mine = {name for name in vars(acl) if callable(getattr(acl, name))}
    mine &= {"init", "finalize", "app_log", "get_soc_name"}
    mine |= {f"rt.{name}" for name in dir(acl.rt) if not name.startswith("__")}
    mine |= {f"util.{name}" for name in dir(acl.util) if not name.startswith("__")}
    assert mine == set(ARGUMENTS)
    assert machine.settings == SimulatorSettings()
