"""The simulated filters of VPC against OpenCV, and against their definitions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_runtime.simulator.media.planes import Planes
from atlas_hpe_runtime.simulator.media.resize import filter_taps, resize_plane, resize_planes

SIDES = st.integers(6, 70)


def noise(height: int, width: int, *more: int) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, 256, (height, width, *more), dtype=np.uint8)


@given(SIDES, SIDES, SIDES, SIDES)
def test_mode_1_is_bilinear_as_in_opencv(height: int, width: int, rows: int, columns: int) -> None:
    plane = noise(height, width, 2)
    expected = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_LINEAR)
    found = resize_plane(plane, columns, rows, 1)
    # OpenCV's weights are rounded to 1/2048.
    assert np.abs(found.astype(int) - expected).max() <= 1


@given(SIDES, SIDES, SIDES, SIDES)
def test_mode_2_is_nearest_as_in_opencv(height: int, width: int, rows: int, columns: int) -> None:
    plane = noise(height, width)
    expected = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(resize_plane(plane, columns, rows, 2), expected)


def test_mode_3_is_bilinear_without_a_half_pixel_shift() -> None:
    plane = np.array([[0, 100, 200, 100]] * 6, np.uint8)
    assert resize_plane(plane, 8, 6, 3)[0].tolist() == [0, 50, 100, 150, 200, 150, 100, 100]
    assert resize_plane(plane, 2, 6, 3)[0].tolist() == [0, 200]


def test_mode_4_takes_the_pixel_at_or_before() -> None:
    plane = np.array([[0, 100, 200, 50]] * 6, np.uint8)
    assert resize_plane(plane, 8, 6, 4)[0].tolist() == [0, 0, 100, 100, 200, 200, 50, 50]
    assert resize_plane(plane, 3, 6, 4)[0].tolist() == [0, 100, 200]


def test_mode_0_follows_a_line_better_than_bilinear_follows_a_curve() -> None:
    wave = np.round(127 + 120 * np.sin(np.arange(64) / 3)).astype(np.uint8)
    plane = np.tile(wave, (6, 1))
    truth = 127 + 120 * np.sin(((np.arange(256) + 0.5) / 4 - 0.5) / 3)
    errors = [np.abs(resize_plane(plane, 256, 6, mode)[0] - truth)[8:-8].max() for mode in (0, 1)]
    assert errors[0] < 1.5
    assert errors[0] < errors[1]


def test_mode_0_leaves_no_moire_where_it_shrinks() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 128))
    shrunk = resize_plane(stripes, 64, 16, 0)
    assert np.abs(shrunk[:, 4:-4].astype(int) - 128).max() <= 2


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 4))
def test_taps_stay_inside_and_their_weights_add_up_to_one(
    source: int, target: int, mode: int
) -> None:
    places, weights = filter_taps(source, target, mode)
    assert places.shape == weights.shape
    assert places.shape[0] == target
    assert places.min() >= 0
    assert places.max() < source
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("mode", range(5))
@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_one_colour_stays_what_it_is(mode: int, value: int) -> None:
    plane = np.full((20, 30), value, np.uint8)
    for size in ((7, 9), (90, 61)):
        assert (resize_plane(plane, *size, mode) == value).all()


@pytest.mark.parametrize("mode", range(5))
def test_the_same_size_changes_nothing(mode: int) -> None:
    plane = noise(20, 30)
    assert np.array_equal(resize_plane(plane, 30, 20, mode), plane)


def test_luma_and_chroma_are_resized_on_their_own() -> None:
    planes = Planes(noise(32, 48), noise(16, 24, 2))
    found = resize_planes(planes, 20, 14, 1)
    assert np.array_equal(found.luma, resize_plane(planes.luma, 20, 14, 1))
    assert np.array_equal(found.chroma, resize_plane(planes.chroma, 10, 7, 1))
