"""What the One-Euro filter promises."""

from __future__ import annotations

import math
from typing import List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_pipelines.smoothing.one_euro import OneEuro, low_pass_share

REST_HZ, OPENING = 1.0, 2.0
FLOATS = st.floats(-1000, 1000, allow_nan=False, width=32)
PATHS = st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=12).map(np.array)


def run(path: np.ndarray, step_s: float = 0.03, unit: float = 1.0) -> np.ndarray:
    one_euro = OneEuro(REST_HZ, OPENING)
    return np.array([one_euro.smooth(np.array([point]), step_s, unit)[0] for point in path])


def ramp_lag_s(speed: float, step_s: float = 0.01, opening: float = OPENING) -> float:
    """How far a point at a steady speed comes out behind, in seconds."""
    one_euro = OneEuro(REST_HZ, opening)
    for index in range(1000):
        truth = speed * step_s * index
        (smooth,) = one_euro.smooth(np.array([[truth, 0.0]]), step_s)
    return float(truth - smooth[0]) / speed


def test_the_share_is_that_of_the_paper() -> None:
    # tau = 1 / (2 pi fc); alpha = 1 / (1 + tau / Te)
    assert low_pass_share(1.0, 0.1) == pytest.approx(1 / (1 + (1 / (2 * math.pi)) / 0.1))


@given(FLOATS, st.lists(st.floats(0.001, 1), min_size=1, max_size=9))
def test_what_stands_still_comes_out_as_it_is(value: float, steps_s: List[float]) -> None:
    one_euro = OneEuro(REST_HZ, OPENING)
    point = np.array([[value, -value]])
    for step_s in steps_s:
        np.testing.assert_array_equal(one_euro.smooth(point, step_s), point)


@given(PATHS, st.floats(0.01, 100))
def test_scaled_points_come_out_scaled(path: np.ndarray, scale: float) -> None:
    scaled = run(path * scale, unit=scale)
    np.testing.assert_allclose(scaled, run(path) * scale, atol=1e-6 * scale)


@given(PATHS, FLOATS)
def test_moved_points_come_out_moved(path: np.ndarray, shift: float) -> None:
    np.testing.assert_allclose(run(path + shift), run(path) + shift, atol=1e-6)


@given(PATHS, st.floats(-3, 3))
def test_turned_points_come_out_turned(path: np.ndarray, turn: float) -> None:
    turning = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    np.testing.assert_allclose(run(path @ turning), run(path) @ turning, atol=1e-6)


def test_points_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(0)
    paths = rng.normal(size=(3, 10, 2)) * [[[1]], [[10]], [[100]]]
    one_euro = OneEuro(REST_HZ, OPENING)
    together = np.array([one_euro.smooth(points, 0.03) for points in paths.transpose(1, 0, 2)])
    for index in range(3):
        np.testing.assert_allclose(together[:, index], run(paths[index]))


def test_noise_at_rest_is_taken_off() -> None:
    noise = np.random.default_rng(0).normal(size=(300, 2)) * 0.01
    assert run(noise)[50:].std() < 0.4 * noise.std()


def test_lag_decreases_with_speed() -> None:
    lags = [ramp_lag_s(speed) for speed in (0.01, 1.0, 10.0)]
    # At a steady speed fc = fcmin + beta v, and a low-pass lags by its tau = 1 / (2 pi fc).
    expected = [1 / (2 * math.pi * (REST_HZ + OPENING * speed)) for speed in (0.01, 1.0, 10.0)]
    assert lags == pytest.approx(expected, rel=0.02)


def test_without_opening_lag_does_not_depend_on_speed() -> None:
    assert ramp_lag_s(0.1, opening=0.0) == pytest.approx(ramp_lag_s(10.0, opening=0.0))


def test_the_step_of_time_changes_little() -> None:
    def end(step_s: float) -> float:
        one_euro = OneEuro(REST_HZ, OPENING)
        for index in range(round(0.7 / step_s) + 1):
            angle = 4 * index * step_s
            (smooth,) = one_euro.smooth(np.array([[math.sin(angle), 0.0]]), step_s)
        return float(smooth[0])

    assert end(1 / 120) == pytest.approx(end(1 / 60), abs=0.03)
    assert end(1 / 60) == pytest.approx(end(1 / 30), abs=0.06)


def test_a_point_that_is_missing_passes_and_starts_anew() -> None:
    one_euro = OneEuro(REST_HZ, OPENING)
    there, here = [0.0, 0.0], [5.0, 5.0]
    one_euro.smooth(np.array([there, there]), 0.03)
    gone = one_euro.smooth(np.array([[math.nan, 1.0], here]), 0.03)
    assert np.isnan(gone[0, 0]) and 0 < gone[1, 0] < 5
    back = one_euro.smooth(np.array([here, here]), 0.03)
    np.testing.assert_array_equal(back[0], here)
    assert back[1, 0] < 5
    # Its speed is forgotten as well: from rest it is slow to follow.
    after = one_euro.smooth(np.array([[6.0, 5.0], here]), 0.03)
    fresh = OneEuro(REST_HZ, OPENING)
    fresh.smooth(np.array([here]), 0.03)
    np.testing.assert_array_equal(after[:1], fresh.smooth(np.array([[6.0, 5.0]]), 0.03))
