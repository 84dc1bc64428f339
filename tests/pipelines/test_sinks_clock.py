"""Times become whole ticks without drift."""

from __future__ import annotations

from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_pipelines.sinks.clock import FrameClock


def run_clock(clock: FrameClock, times_s: List[float]) -> List[int]:
    """Ticks of each frame that stays."""
    ticks = []
    for number, time_s in enumerate(times_s):
        before = clock.advance(time_s)
        if before is not None and number > 0:
            ticks.append(before)
    return [*ticks, clock.remaining_ticks()]


def test_thirty_frames_a_second_in_hundredths() -> None:
    clock = FrameClock(100, min_ticks=2, fps=30)
    ticks = run_clock(clock, [index / 30 for index in range(300)])
    assert set(ticks) == {3, 4}
    assert sum(ticks) == 1000
    assert clock.dropped == 0


def test_a_fast_source_loses_frames_and_no_time() -> None:
    clock = FrameClock(100, min_ticks=2, fps=120)
    ticks = run_clock(clock, [index / 120 for index in range(240)])
    assert min(ticks[:-1]) >= 2
    assert sum(ticks) == 200
    assert clock.dropped > 0


def test_twice_the_rate_loses_every_second_frame() -> None:
    clock = FrameClock(25, min_ticks=1, fps=25)
    *ticks, last = run_clock(clock, [1.0 + index / 50 for index in range(100)])
    assert set(ticks) == {1}
    assert sum(ticks) + last == 50
    assert clock.dropped == 49


@pytest.mark.parametrize("start_s", [0.0, 0.1, 1.1, 7.3, 1234.567])
def test_ties_fall_to_the_same_side(start_s: float) -> None:
    clock = FrameClock(30, min_ticks=1, fps=30)
    kept = [index for index in range(400) if clock.advance(start_s + index / 60) is not None]
    assert kept == [0, *range(1, 400, 2)]


def test_one_frame_stands_for_the_nominal_interval() -> None:
    assert run_clock(FrameClock(100, min_ticks=2, fps=20), [3.5]) == [5]


def test_times_that_run_backwards_lose_the_frame() -> None:
    clock = FrameClock(100, min_ticks=2, fps=10)
    assert run_clock(clock, [0.0, 0.1, 0.05, 0.1, 0.2]) == [10, 10, 10]
    assert clock.dropped == 2


@given(
    start_s=st.floats(0, 1e5),
    gaps_s=st.lists(st.floats(0, 2.0), min_size=1, max_size=60),
    ticks_per_s=st.sampled_from([100.0, 30.0, 29.97, 25.0]),
    min_ticks=st.sampled_from([1, 2]),
)
def test_every_boundary_is_within_half_a_tick(
    start_s: float, gaps_s: List[float], ticks_per_s: float, min_ticks: int
) -> None:
    clock = FrameClock(ticks_per_s, min_ticks=min_ticks, fps=30)
    clock.advance(start_s)
    boundary, time_s = 0, start_s
    for gap_s in gaps_s:
        time_s += gap_s
        ticks = clock.advance(time_s)
        if ticks is not None:
            assert ticks >= min_ticks
            boundary += ticks
            assert boundary == pytest.approx((time_s - start_s) * ticks_per_s, abs=0.5001)
