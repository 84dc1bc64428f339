"""Stages in threads: order, errors, prompt stop, nothing left behind."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
import weakref
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe_pipelines.overlap import MOST_ITEMS, Stage, overlap
from atlas_hpe_pipelines.stage_times import StageTimes


def live_threads() -> List[str]:
    return [item.name for item in threading.enumerate() if item.name.startswith("atlas-hpe")]


@settings(max_examples=20)
@given(items=st.lists(st.integers(), max_size=30), stages=st.integers(0, 4))
def test_every_item_comes_out_once_and_in_order(items: List[int], stages: int) -> None:
    times: Dict[str, StageTimes] = {}
    steps = [Stage(f"s{i}", lambda value: value + 1) for i in range(stages)]
    assert list(overlap(items, "source", steps, times)) == [item + stages for item in items]
    assert live_threads() == []


def test_stages_work_at_the_same_time() -> None:
    in_first, in_second = threading.Event(), threading.Event()

    def first(value: int) -> int:
        if value == 1:
            in_first.set()
            assert in_second.wait(10)
        return value

    def second(value: int) -> int:
        if value == 0:
            in_second.set()
            assert in_first.wait(10)
        return value

    done = overlap(range(3), "source", [Stage("first", first), Stage("second", second)], {})
    assert list(done) == [0, 1, 2]


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def fail_at_three(value: int) -> int:
        if value == 3:
            raise ValueError("three")
        return value

    seen = []
    with pytest.raises(ValueError, match="three"):
        for item in overlap(count(), "source", [Stage("s", fail_at_three)], {}):
            seen.append(item)
    assert seen == [0, 1, 2]
    assert live_threads() == []


def test_an_error_of_the_source_is_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(overlap(broken(), "source", [], {}))


@pytest.mark.parametrize("source_end", [None, OSError("unplugged")])
def test_the_end_of_the_source_does_not_hide_an_earlier_items_error(
    source_end: Optional[OSError],
) -> None:
    reading, failed = threading.Event(), threading.Event()

    def ends_after_the_failure() -> Iterator[int]:
        yield 0
        reading.set()
        assert failed.wait(10)
        time.sleep(0.2)  # until the failure has been noted
        if source_end is not None:
            raise source_end

    def fail(value: int) -> int:
        assert reading.wait(10)
        failed.set()
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        list(overlap(ends_after_the_failure(), "source", [Stage("s", fail)], {}, workers=2))


def test_leaving_early_ends_all_threads_of_an_endless_source() -> None:
    running = overlap(count(), "source", [Stage("s", lambda value: value)], {})
    with closing(running):
        assert next(running) == 0
    assert live_threads() == []


def fail(value: int) -> int:
    raise ValueError("broken")


def leave(value: int) -> int:
    return value


@pytest.mark.parametrize("work", [fail, leave])
def test_a_source_that_waits_is_ended_when_the_work_ends_early(work: Callable[[int], int]) -> None:
    waiting, stop = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        yield 0
        waiting.set()
        assert stop.wait(20)

    steps = [Stage("s", lambda value: work(value) if waiting.wait(10) else value)]
    running = overlap(source(), "source", steps, {}, workers=2, end_source=stop.set)
    if work is fail:
        with pytest.raises(ValueError, match="broken"):
            next(running)
    else:
        assert next(running) == 0
        assert not stop.is_set()
        running.close()
    assert stop.is_set()
    assert live_threads() == []


def test_no_thread_is_left_when_the_source_can_not_be_ended() -> None:
    def refuse() -> None:
        raise OSError("unplugged")

    running = overlap(count(), "source", [], {}, end_source=refuse)
    next(running)
    with pytest.raises(OSError, match="unplugged"):
        running.close()
    assert live_threads() == []


def test_an_iteration_that_is_forgotten_does_not_hang_the_program(tmp_path: Path) -> None:
    script = tmp_path / "forgetful.py"
    script.write_text(
        "from itertools import count\n"
        "from atlas_hpe_pipelines.overlap import Stage, overlap\n"
        "running = overlap(count(), 'source', [Stage('s', lambda value: value)], {})\n"
        "print(next(running))\n"
        "keep = [running]\n"
        "keep.append(keep)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_a_slow_reader_holds_the_source_back() -> None:
    produced: List[int] = []

    def source() -> Iterator[int]:
        for number in range(1000):
            produced.append(number)
            yield number

    running = overlap(source(), "source", [Stage("s", lambda value: value)], {})
    with closing(running):
        next(running)
        time.sleep(0.2)
        assert len(produced) < 20


@pytest.mark.parametrize("most", [1, 5])
def test_no_more_items_are_on_their_way_than_allowed(most: int) -> None:
    taken, produced = 0, []

    def source() -> Iterator[int]:
        for number in range(60):
            produced.append(number)
            yield number

    steps = [Stage(f"s{i}", lambda value: value) for i in range(3)]
    running = overlap(source(), "source", steps, {}, workers=3, most=most)
    for _ in running:
        taken += 1
        assert len(produced) <= taken + most
        if taken == 20:
            time.sleep(0.2)
            assert len(produced) == taken + most
    assert taken == 60


def test_the_slowest_step_goes_first() -> None:
    order: List[str] = []

    def work(name: str, value: int) -> int:
        order.append(f"{name}{value}")
        time.sleep(0.02 if name == "slow" else 0.001)
        return value

    steps = [Stage(name, functools.partial(work, name)) for name in ("slow", "fast")]
    assert list(overlap(range(3), "source", steps, {}, workers=1)) == [0, 1, 2]
    # Reading is the cheapest of the three.
    assert order == ["slow0", "fast0", "slow1", "fast1", "slow2", "fast2"]
    times: Dict[str, StageTimes] = {}
    order.clear()
    running = overlap(_slow_to_read(3), "source", steps, times, workers=1)
    assert list(running) == [0, 1, 2]
    assert order == ["slow0", "fast0", "slow1", "slow2", "fast1", "fast2"]


def _slow_to_read(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(0.005)
        yield number


class Item:
    """Something that shows when it is gone."""


def test_an_item_that_the_caller_lets_go_is_gone_while_the_next_is_waited_for() -> None:
    reading, let_go = threading.Event(), threading.Event()
    refs: List[weakref.ref[Item]] = []
    alive: List[bool] = []

    def source() -> Iterator[Item]:
        yield Item()
        reading.set()
        assert let_go.wait(10)
        time.sleep(0.2)  # until everybody waits
        alive.append(refs[0]() is not None)
        yield Item()

    def work(item: Item) -> Item:
        assert reading.wait(10)  # so that another worker reads than works here
        return item

    for item in overlap(source(), "source", [Stage("s", work)], {}, workers=2):
        refs.append(weakref.ref(item))
        del item
        let_go.set()
    assert (alive, len(refs)) == ([False], 2)


def test_one_worker_is_enough(tmp_path: Path) -> None:
    steps = [Stage(f"s{i}", lambda value: value + 1) for i in range(3)]
    assert list(overlap(range(50), "source", steps, {}, workers=1)) == list(range(3, 53))


@settings(max_examples=30)
@given(
    workers=st.integers(1, 5),
    failing=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), max_size=3),
)
def test_the_first_failing_item_decides(workers: int, failing: List[tuple]) -> None:
    def work(step: int, value: int) -> int:
        if (step, value) in failing:
            raise ValueError(f"{value}")
        return value

    steps = [Stage(f"s{i}", functools.partial(work, i)) for i in range(3)]
    seen: List[int] = []
    first = min((value for _, value in failing), default=12)
    running = overlap(range(12), "source", steps, {}, workers=workers)
    if first < 12:
        with pytest.raises(ValueError, match=f"^{first}$"):
            seen.extend(running)
    else:
        seen.extend(running)
    assert seen == list(range(first))
    assert live_threads() == []


def test_times_and_queues_are_recorded_while_the_run_goes_on() -> None:
    times: Dict[str, StageTimes] = {}
    steps = [Stage("fast", lambda value: value), Stage("slow", _sleep_a_little)]
    running = overlap(range(30), "source", steps, times, workers=2)
    with closing(running):
        for _ in range(10):
            next(running)
        assert list(times) == ["source", "fast", "slow"]
        assert 10 <= times["slow"].count < 30
        assert times["slow"].percentile_ms(50) >= 2
        assert 1 <= times["slow"].queue_mean <= times["slow"].queue_most <= MOST_ITEMS
        list(running)
    assert [item.count for item in times.values()] == [30, 30, 30]
    assert times["source"].queue_most == 0


def _sleep_a_little(value: int) -> int:
    time.sleep(0.003)
    return value
