"""Arrays that are used again: never while anybody can still reach them."""

from __future__ import annotations

import threading
from typing import List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe_pipelines import buffers as module
from atlas_hpe_pipelines.buffers import PictureBuffers

SHAPE = (48, 64, 3)


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_an_array_that_nobody_refers_to_is_used_again() -> None:
    buffers = PictureBuffers()
    first = address(buffers.take(SHAPE))
    assert {address(buffers.take(SHAPE)) for _ in range(10)} == {first}


def test_an_array_is_what_was_asked_for() -> None:
    array = PictureBuffers().take([2, 3], np.float32)
    assert (array.shape, array.dtype) == ((2, 3), np.float32)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.flags.owndata
    assert PictureBuffers().take((1,)).dtype == np.uint8


def test_an_array_that_is_kept_is_never_given_out_again() -> None:
    buffers = PictureBuffers(most=2)
    kept = [buffers.take(SHAPE) for _ in range(6)]
    assert len({address(array) for array in kept}) == 6


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[1:],
        lambda array: array[1:][::-1, ::2].T,
        lambda array: array.view(np.int8),
        lambda array: array.reshape(-1)[5:6],
        lambda array: memoryview(array),
        lambda array: np.asarray(memoryview(array))[3:],
        lambda array: array.view(np.recarray)[2:],
        lambda array: np.broadcast_to(array, (4, *SHAPE)),
    ],
)
def test_a_view_alone_keeps_its_array(view: object) -> None:
    buffers = PictureBuffers()
    array = buffers.take(SHAPE)
    place = address(array)
    kept = view(array)  # type: ignore[operator]
    del array
    assert address(buffers.take(SHAPE)) != place
    del kept
    assert place in {address(item) for item in [buffers.take(SHAPE) for _ in range(3)]}


def test_another_shape_or_type_gets_another_array() -> None:
    buffers = PictureBuffers()
    assert buffers.take(SHAPE).shape == SHAPE
    assert buffers.take(SHAPE[:2]).shape == SHAPE[:2]
    assert buffers.take(SHAPE[:2], np.int8).dtype == np.int8


def test_unused_arrays_of_an_old_size_are_forgotten() -> None:
    buffers = PictureBuffers()
    used = buffers.take(SHAPE)
    del [buffers.take(SHAPE) for _ in range(5)][:]
    other = buffers.take(SHAPE[:2])
    assert len(buffers._kept) == 2
    assert any(array is used for array in buffers._kept)
    assert any(array is other for array in buffers._kept)


def test_a_protected_array_comes_back_writeable() -> None:
    buffers = PictureBuffers()
    buffers.take(SHAPE).setflags(write=False)
    buffers.take(SHAPE)[:] = 1


def test_without_exact_counts_every_array_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_counts_are_exact", lambda: False)
    buffers = PictureBuffers()
    kept = [buffers.take(SHAPE) for _ in range(3)]
    assert len({address(array) for array in kept}) == 3
    assert not buffers._kept


@settings(max_examples=60)
@given(
    most=st.integers(1, 5),
    steps=st.lists(
        st.tuples(st.sampled_from(["take", "view", "drop"]), st.integers(0, 7)), max_size=60
    ),
)
def test_what_somebody_holds_is_never_overwritten(most: int, steps: List[tuple]) -> None:
    buffers = PictureBuffers(most)
    held: List[np.ndarray] = []
    marks: List[int] = []
    for number, (action, place) in enumerate(steps):
        if action == "take":
            array = buffers.take((4 + place % 2, 8), np.int64)
            array[:] = number
            held.append(array)
            marks.append(number)
            del array
        elif held:
            place %= len(held)
            if action == "drop":
                del held[place], marks[place]
            else:
                held[place] = held[place][place % 3 : place % 3 + 1]
        assert all((array == mark).all() for array, mark in zip(held, marks))
        assert len(buffers._kept) <= most


def test_threads_never_get_the_same_array() -> None:
    buffers = PictureBuffers()
    wrong: List[int] = []

    def work(mark: int) -> None:
        for _ in range(2000):
            array = buffers.take((64,), np.int64)
            array[:] = mark
            if (array != mark).any():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(buffers._kept) <= 8
