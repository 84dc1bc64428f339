"""Runs in the background: in order, taken once, finished before the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, get_ident
from time import sleep
from typing import Dict, List

import numpy as np
import pytest

from atlas_hpe.errors import DeviceError, SessionError
from atlas_hpe_runtime import background
from atlas_hpe_runtime.background import BackgroundRuns


def test_runs_follow_one_another_on_one_thread_that_is_not_the_callers() -> None:
    threads: List[int] = []
    runs = BackgroundRuns("test")

    def run(number: int) -> Dict[str, np.ndarray]:
        threads.append(get_ident())
        return {"y": np.array(number)}

    handles = [runs.submit(lambda number=number: run(number)) for number in range(5)]
    assert [int(runs.result(handle)["y"]) for handle in reversed(handles)] == [4, 3, 2, 1, 0]
    assert len(set(threads)) == 1 and get_ident() not in threads
    runs.close()


def test_a_handle_is_taken_once_and_carries_the_error_of_its_run() -> None:
    def fail() -> Dict[str, np.ndarray]:
        raise DeviceError("no device")

    runs = BackgroundRuns("test")
    handle = runs.submit(fail)
    with pytest.raises(DeviceError, match="no device"):
        runs.result(handle)
    for taken in (handle, 99):
        with pytest.raises(SessionError, match=f"handle {taken}"):
            runs.result(taken)
    runs.close()


def test_threads_that_submit_together_share_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    made: List[ThreadPoolExecutor] = []

    def slow(**settings: object) -> ThreadPoolExecutor:
        sleep(0.05)
        made.append(ThreadPoolExecutor(1))
        return made[-1]

    monkeypatch.setattr(background, "ThreadPoolExecutor", slow)
    runs = BackgroundRuns("test")
    with ThreadPoolExecutor(4) as threads:
        handles = set(threads.map(lambda _: runs.submit(dict), range(4)))
    assert len(handles) == 4
    for handle in handles:
        runs.result(handle)
    runs.close()
    assert len(made) == 1


def test_after_close_nothing_starts() -> None:
    runs = BackgroundRuns("test")
    runs.close()
    with pytest.raises(SessionError, match="closed"):
        runs.submit(lambda: {})


def test_close_waits_for_what_was_started_and_may_come_twice() -> None:
    done = Event()

    def slow() -> Dict[str, np.ndarray]:
        sleep(0.05)
        done.set()
        return {}

    runs = BackgroundRuns("test")
    runs.submit(slow)
    runs.close()
    assert done.is_set()
    runs.close()
