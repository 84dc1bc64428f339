"""Addresses of arrays and bytes, and threads (ascend.md section 1.4)."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from typing import Any, List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from simulated import fresh, good, live_kinds, started

TYPES = {
    0: "bool",
    1: "int8",
    2: "uint8",
    3: "int16",
    4: "uint16",
    5: "int32",
    6: "uint32",
    7: "int64",
    8: "uint64",
    9: "int64",
    10: "uint64",
    11: "float32",
    12: "float64",
    23: "float16",
}
FORMS = ["5.0", "6.0"]


@given(npst.arrays(np.float32, npst.array_shapes(max_dims=3)))
def test_an_array_is_found_again_at_its_address(array: Any) -> None:
    acl, _ = fresh()
    pointer = acl.util.numpy_to_ptr(array)
    view = acl.util.ptr_to_numpy(pointer, array.shape, 11)
    assert view.shape == array.shape
    assert view.tobytes() == array.tobytes() == acl.util.ptr_to_bytes(pointer, array.nbytes)
    view[:] = 5
    assert (array == 5).all()


@pytest.mark.parametrize(("number", "name"), sorted(TYPES.items()))
def test_types_have_the_numbers_of_numpy(number: int, name: str) -> None:
    acl, _ = fresh()
    array = np.zeros((2, 3), name)
    view = acl.util.ptr_to_numpy(acl.util.numpy_to_ptr(array), (2, 3), number)
    assert view.dtype == array.dtype
    assert view.shape == (2, 3)


@pytest.mark.parametrize("number", [-1, 13, 24, 99])
def test_a_type_that_has_no_number(number: int) -> None:
    acl, _ = fresh()
    with pytest.raises(ValueError, match="no array of the type"):
        acl.util.ptr_to_numpy(1, (1,), number)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [([1, 2], ValueError), (3, ValueError), ((1.0,), TypeError), ((-1,), ValueError)],
)
def test_a_shape_is_a_tuple_of_ints(shape: Any, kind: Any) -> None:
    acl, _ = fresh()
    with pytest.raises(kind):
        acl.util.ptr_to_numpy(1, shape, 2)


def test_an_array_on_device_memory_shares_it() -> None:
    acl, machine = started()
    pointer = good(acl.rt.malloc(16, 2))
    array = acl.util.ptr_to_numpy(pointer, (4,), 5)
    array[:] = [1, 2, 3, 4]
    assert acl.util.ptr_to_bytes(pointer + 4, 4) == b"\2\0\0\0"
    assert acl.util.numpy_to_ptr(array) == pointer
    assert acl.util.ptr_to_numpy(pointer, (2, 0), 5).shape == (2, 0)
    assert machine.ledger.notes() == ()


def test_an_array_past_the_end_of_its_memory_is_refused() -> None:
    acl, machine = started()
    pointer = good(acl.rt.malloc(16, 2))
    with pytest.raises(RuntimeError, match="can't reach 20 bytes"):
        acl.util.ptr_to_numpy(pointer, (5,), 5)
    with pytest.raises(RuntimeError, match="can't reach 17 bytes"):
        acl.util.ptr_to_bytes(pointer, 17)
    assert len(machine.ledger.notes()) == 2


def test_where_a_card_would_end_the_process_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    acl, _ = started(mode="ep")
    pointer = good(acl.rt.malloc(16, 2))
    with pytest.raises(RuntimeError):
        acl.util.ptr_to_bytes(pointer, 16)
    text = capsys.readouterr().err
    assert "the real call ends the process" in text
    assert __file__ in text
    assert acl.util.ptr_to_bytes(good(acl.rt.malloc_host(4)), 4)


@pytest.mark.parametrize("cann", FORMS)
def test_a_strided_array_gives_a_warning_and_its_first_byte(cann: str) -> None:
    acl, _ = fresh(cann=cann)
    array = np.arange(20, dtype=np.uint8)
    with pytest.warns(Warning, match="discontiguous") as caught:
        pointer = acl.util.numpy_to_ptr(array[4::2])
    assert caught[0].filename == __file__
    assert pointer == array.ctypes.data + 4


@pytest.mark.filterwarnings("ignore:The input ndarray is discontiguous")
def test_a_strided_array_has_no_bounds() -> None:
    acl, machine = started()
    array = np.arange(20, dtype=np.uint8)
    target = good(acl.rt.malloc(16, 2))
    assert acl.rt.memcpy(target, 16, acl.util.numpy_to_ptr(array[4::2]), 16, 3) == 0
    assert acl.util.ptr_to_bytes(target, 16) == array[4:].tobytes()
    assert machine.ledger.notes() == ()


def test_a_contiguous_form_is_given_back_to_be_kept() -> None:
    acl, _ = fresh()
    array = np.arange(20, dtype=np.uint8)[::2]
    pointer, kept = acl.util.numpy_contiguous_to_ptr(array)
    assert kept.tolist() == array.tolist()
    assert acl.util.ptr_to_bytes(pointer, 10) == array.tobytes()
    whole = np.zeros(4)
    pointer, kept = acl.util.numpy_contiguous_to_ptr(whole)
    assert kept is whole
    assert pointer == whole.ctypes.data


def test_writing_at_the_address_of_bytes_changes_them() -> None:
    acl, _ = started()
    source, result = bytes(range(40)), bytes(40)
    there = acl.util.bytes_to_ptr(result)
    assert acl.rt.memcpy(there, 40, acl.util.bytes_to_ptr(source), 40, 3) == 0
    assert result == source


def test_bytes_have_bounds() -> None:
    acl, machine = started()
    result = bytes(40)
    pointer = good(acl.rt.malloc(64, 2))
    assert acl.rt.memcpy(acl.util.bytes_to_ptr(result), 64, pointer, 64, 3) == 107000
    assert "past its array" in machine.ledger.notes()[0]


def test_only_bytes_and_arrays_have_an_address() -> None:
    acl, _ = fresh()
    for wrong in (bytearray(4), memoryview(b"1234"), "1234", None, np.zeros(4)):
        with pytest.raises(ValueError, match="needs an byte"):
            acl.util.bytes_to_ptr(wrong)
    for wrong in (b"1234", [1], 4):
        for call in (acl.util.numpy_to_ptr, acl.util.numpy_contiguous_to_ptr):
            with pytest.raises(ValueError, match="needs an ndarray"):
                call(wrong)


@given(st.binary(max_size=40))
def test_empty_or_not_bytes_come_back(data: bytes) -> None:
    acl, machine = fresh()
    assert acl.util.ptr_to_bytes(acl.util.bytes_to_ptr(data), len(data)) == data
    assert machine.ledger.notes() == ()


def test_a_temporary_array_is_noted() -> None:
    acl, machine = started()
    target = good(acl.rt.malloc(1 << 16, 2))
    pointer = acl.util.numpy_to_ptr(np.zeros(1 << 16, np.uint8))
    gc.collect()
    acl.rt.memcpy(target, 1 << 16, pointer, 1 << 16, 3)
    assert "gone" in machine.ledger.notes()[0]


def test_old_forms_warn_in_the_newest_generation_only() -> None:
    array = np.zeros(4, np.uint8)
    for cann in FORMS:
        acl, _ = fresh(cann=cann)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            acl.util.ptr_to_numpy(acl.util.numpy_to_ptr(array), (4,), 2)
            acl.util.numpy_contiguous_to_ptr(array)
    acl, _ = fresh(cann="7.0")
    if "numpy_to_ptr" not in dir(acl.util):
        return  # Python 3.7
    calls = [
        lambda: acl.util.numpy_to_ptr(array),
        lambda: acl.util.numpy_contiguous_to_ptr(array),
        lambda: acl.util.ptr_to_numpy(array.ctypes.data, (4,), 2),
    ]
    for call in calls:
        with pytest.warns(Warning, match="will be deprecated") as caught:
            call()
        assert [warning.category for warning in caught] == [Warning]
        assert caught[0].filename == __file__


def test_a_thread_gets_its_arguments_and_no_context() -> None:
    acl, machine = started()
    seen = []
    thread = good(
        acl.util.start_thread(lambda data: seen.append((data, acl.rt.get_context())), [1])
    )
    assert live_kinds(machine)[-1] == "thread"
    assert acl.util.stop_thread(thread) == 0
    assert seen == [([1], (0, 107002))]
    assert "thread" not in live_kinds(machine)
    plain = good(acl.util.start_thread(lambda: seen.append(threading.get_ident()), None))
    assert acl.util.stop_thread(plain) == 0
    assert seen[-1] == plain


def test_stopping_a_thread_waits_for_it() -> None:
    acl, _ = started()
    seen: List[int] = []

    def work(_: object) -> None:
        time.sleep(0.05)
        seen.append(1)

    assert acl.util.stop_thread(good(acl.util.start_thread(work, []))) == 0
    assert seen == [1]


def test_a_thread_that_is_not_there_can_not_be_stopped() -> None:
    acl, _ = started()
    assert acl.util.stop_thread(12345) == 3  # ESRCH
    assert acl.util.stop_thread(threading.get_ident()) == 35  # EDEADLK
    with pytest.raises(TypeError, match="must be callable"):
        acl.util.start_thread("name", [])


def test_a_thread_keeps_its_number_until_it_is_stopped() -> None:
    acl, _ = started()
    numbers = []
    for _ in range(3):
        done = threading.Event()
        numbers.append(good(acl.util.start_thread(lambda event: event.set(), done)))
        assert done.wait(10)
        time.sleep(0.01)  # a thread of Python's would be gone by now, and its number free
    assert len(set(numbers)) == 3
    assert [acl.util.stop_thread(number) for number in numbers] == [0, 0, 0]


def test_a_thread_that_nobody_stopped_ends_with_its_machine() -> None:
    acl, machine = started()
    number = good(acl.util.start_thread(lambda: None, None))
    thread = machine.threads[number]
    machine.close()
    thread.join(10)
    assert not thread.is_alive()
    assert live_kinds(machine)[-1] == "thread"


def test_what_a_thread_raised_is_shown_and_comes_out_when_it_is_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    acl, machine = started()
    thread = good(acl.util.start_thread(lambda _: [][0], []))
    for _ in range(500):
        if machine.threads[thread].failure is not None:
            break
        time.sleep(0.01)
    time.sleep(0.05)
    assert "IndexError" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="exception=IndexError,msg=thread call failed"):
        acl.util.stop_thread(thread)
    assert "thread" not in live_kinds(machine)
