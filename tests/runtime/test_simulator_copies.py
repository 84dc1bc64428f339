"""Copying and setting memory through the calls (ascend.md sections 1.2 and 1.8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import good, started

MODES = ["rc", "ep"]


def pointers(acl: Any) -> Any:
    """8 bytes of device memory and 8 of host memory, set to 1 and 2."""
    device, host = good(acl.rt.malloc(8, 2)), good(acl.rt.malloc_host(8))
    assert acl.rt.memset(device, 8, 1, 8) == 0
    assert acl.rt.memset(host, 8, 2, 8) == 0
    return device, host


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("cann", ["5.0", "6.0", "7.0"])
@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("mode", MODES)
def test_copies_by_kind(mode: str, cann: str, kind: int, asynchronous: bool) -> None:
    acl, _ = started(mode=mode, cann=cann)
    memory = {"device": pointers(acl)[0], "host": pointers(acl)[1]}
    stream = good(acl.rt.create_stream())
    sides = {0: "host host", 1: "host device", 2: "device host", 3: "device device"}
    for source in memory:
        for target in memory:
            arguments = (memory[target], 8, memory[source], 8, kind)
            if asynchronous:
                assert acl.rt.memcpy_async(*arguments, stream) == 0
                ret = acl.rt.synchronize_stream(stream)
            else:
                ret = acl.rt.memcpy(*arguments)
            fits = mode == "rc" or cann != "5.0" or sides[kind] == f"{source} {target}"
            if asynchronous and kind == 0:
                assert ret == 507013
            else:
                assert ret == (0 if fits else 107000)


@pytest.mark.parametrize("mode", MODES)
@given(data=st.binary(min_size=1, max_size=64), start=st.integers(0, 8))
def test_bytes_go_there_and_back(mode: str, data: bytes, start: int) -> None:
    acl, _ = started(mode=mode)
    there, back = (3, 3) if mode == "rc" else (1, 2)
    pointer = good(acl.rt.malloc(72, 2))
    source, result = acl.util.bytes_to_ptr(data), np.zeros(len(data), np.uint8)
    target = acl.util.numpy_to_ptr(result)
    assert acl.rt.memcpy(pointer + start, 72 - start, source, len(data), there) == 0
    assert acl.rt.memcpy(target, len(data), pointer + start, len(data), back) == 0
    assert result.tobytes() == data


def test_a_copy_looks_at_its_arguments() -> None:
    acl, _ = started()
    device, host = pointers(acl)
    assert acl.rt.memcpy(0, 8, host, 8, 3) == 100000
    assert acl.rt.memcpy(device, 8, 0, 8, 3) == 100000
    assert acl.rt.memcpy(device, 8, host, 8, 4) == 100000
    assert acl.rt.memcpy(device, 8, host, 8, -1) == 100000
    assert acl.rt.memcpy(device, 7, host, 8, 3) == 107000
    assert acl.rt.memcpy(device, 8, host, 0, 3) == 107000
    assert acl.rt.memcpy(device, 9, host, 9, 3) == 107000
    assert acl.rt.memcpy(device, 8, -1, 8, 3) == 107000
    stream = good(acl.rt.create_stream())
    assert acl.rt.memcpy_async(device, 7, host, 8, 3, stream) == 107000
    assert acl.rt.memcpy_async(device, 8, host, 8, 3, 77) == 107003


def test_set_looks_at_its_arguments() -> None:
    acl, _ = started()
    device, _ = pointers(acl)
    assert acl.rt.memset(0, 8, 0, 8) == 100000
    assert acl.rt.memset(device, 7, 0, 8) == 107000
    assert acl.rt.memset(device, 9, 0, 9) == 107000
    assert acl.rt.memset(device, 8, 0x1FE, 4) == 0
    assert acl.util.ptr_to_bytes(device, 8) == b"\xfe" * 4 + b"\1" * 4
    stream = good(acl.rt.create_stream())
    assert acl.rt.memset_async(device, 8, 5, 8, stream) == 0
    assert acl.rt.memset_async(device, 7, 5, 8, stream) == 107000
    assert acl.rt.synchronize_stream(stream) == 0
    assert acl.util.ptr_to_bytes(device, 8) == b"\5" * 8


def test_overlapping_bytes_are_copied_as_one_expects() -> None:
    acl, _ = started()
    device, _ = pointers(acl)
    acl.util.ptr_to_numpy(device, (8,), 2)[:] = range(8)
    assert acl.rt.memcpy(device + 2, 6, device, 6, 3) == 0
    assert acl.util.ptr_to_bytes(device, 8) == bytes([0, 1, 0, 1, 2, 3, 4, 5])


def test_memory_is_given_back_with_the_right_call() -> None:
    acl, _ = started()
    device, host = pointers(acl)
    assert acl.rt.free_host(device) == 107000
    assert acl.rt.free(host) == 107000
    assert acl.rt.free(device) == 0
    assert acl.rt.free_host(host) == 0
    assert acl.rt.free(device) == 107000
    assert acl.rt.free(0) == 100000
    assert acl.rt.malloc(0, 2) == (0, 100000)
    assert acl.rt.malloc_host(0) == (0, 100000)


def test_a_policy_that_is_not_known_is_the_usual_one() -> None:
    acl, _ = started()
    assert all(acl.rt.malloc(8, policy)[1] == 0 for policy in (*range(6), 77))
