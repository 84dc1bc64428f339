"""The thread in which the device runs callbacks."""

from __future__ import annotations

import threading
import time
from typing import Callable, List

import pytest

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_runtime.acl.dvpp.callbacks import CallbackThread
from dvpp_device import machine_of, simulated_device


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def test_the_thread_sets_its_context_and_ends_when_it_is_closed() -> None:
    before = set(threading.enumerate())
    with simulated_device() as owner:
        counts = machine_of(owner).faults.counts
        contexts = counts().get("acl.rt.set_context", 0)
        errors: List[AtlasHpeError] = []
        thread = CallbackThread(owner, errors.append)
        wait_until(lambda: counts().get("acl.rt.process_report", 0) > 2)
        assert counts()["acl.rt.set_context"] == contexts + 1
        thread.close()
        # Nothing came, and nobody used the thread: neither is an error.
        assert errors == []
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("call", ["acl.rt.process_report", "acl.rt.set_context"])
def test_an_error_is_told_and_the_thread_goes_on(call: str) -> None:
    with simulated_device() as owner:
        number = machine_of(owner).faults.counts().get(call, 0) + 1
    with simulated_device(fail=f"{call}@{number}=507899") as owner:
        errors: List[AtlasHpeError] = []
        thread = CallbackThread(owner, errors.append)
        counts = machine_of(owner).faults.counts
        wait_until(lambda: counts().get("acl.rt.process_report", 0) > 2)
        thread.close()
    (error,) = errors
    assert call[4:] in error.what
    assert "507899" in str(error.why)
