"""How long stages take: exact sums, percentiles within 1 %, constant memory."""

from __future__ import annotations

import math
import threading
import tracemalloc
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_pipelines.stage_times import StageTimes


def record(times_ms: List[float]) -> StageTimes:
    times = StageTimes()
    for time_ms in times_ms:
        times.add(time_ms / 1000)
    return times


@given(
    times_ms=st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50),
    percent=st.floats(0, 100),
)
def test_percentiles_are_the_nearest_rank_within_one_percent(
    times_ms: List[float], percent: float
) -> None:
    exact = sorted(times_ms)[max(1, math.ceil(percent / 100 * len(times_ms))) - 1]
    assert record(times_ms).percentile_ms(percent) == pytest.approx(exact, rel=0.0101)


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_total_and_count_are_exact(times_ms: List[float]) -> None:
    times = record(times_ms)
    assert times.count == len(times_ms)
    assert times.total_ms == pytest.approx(math.fsum(times_ms))


def test_nothing_recorded_is_zero_everywhere() -> None:
    times = StageTimes()
    assert (times.percentile_ms(50), times.total_ms, times.count, times.recent_ms) == (0, 0, 0, ())
    assert (times.queue_mean, times.queue_most) == (0, 0)


def test_equal_times_are_shown_exactly() -> None:
    assert record([505.0] * 3).percentile_ms(50) == pytest.approx(505.0, rel=1e-9)


def test_a_time_below_the_clock_is_no_error() -> None:
    assert record([0.0]).percentile_ms(50) == 0


def test_recent_times_are_the_last_ones_in_order() -> None:
    assert record([float(i) for i in range(300)]).recent_ms == pytest.approx(range(180, 300))


def test_queues_have_a_mean_and_a_most() -> None:
    times = StageTimes()
    for waiting in (1, 4, 1):
        times.add_queue(waiting)
    assert (times.queue_mean, times.queue_most) == (2, 4)


def test_memory_does_not_grow_with_the_items() -> None:
    times = record([1 + 0.01 * i for i in range(5000)])
    tracemalloc.start()
    try:
        for i in range(20_000):
            times.add((1 + 0.0025 * i) / 1000)
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 20_000


def test_it_can_be_read_while_it_is_written() -> None:
    times = StageTimes()
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            times.add(number % 9973 / 1000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert times.percentile_ms(95) <= 9973
            assert len(times.recent_ms) <= 120
            assert times.count >= 0
    finally:
        done.set()
        writer.join()
