"""Boxes, affine maps, and their agreement with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atlas_hpe.errors import UsageError
from atlas_hpe.geometry import (
    Box,
    apply_affine,
    box_affine,
    invert_affine,
    parse_box,
    to_pixel_centres,
)

coordinates = st.floats(-4000, 4000)
sizes = st.floats(0.5, 4000)
boxes = st.builds(Box, coordinates, coordinates, sizes, sizes)
sizes_px = st.tuples(st.integers(1, 1024), st.integers(1, 1024))
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=8).map(np.array)


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Rotation, scales and shift, far enough from singular to be inverted with 1e-6."""
    angle = draw(st.floats(-np.pi, np.pi))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scales = np.diag([draw(st.floats(0.05, 20)), draw(st.floats(0.05, 20))])
    mirror = np.diag([draw(st.sampled_from([-1.0, 1.0])), 1.0])
    shift = np.array([[draw(coordinates)], [draw(coordinates)]])
    return np.hstack([rotation @ scales @ mirror, shift])


@given(affines(), points)
def test_an_affine_map_and_its_inverse_cancel(affine: np.ndarray, xy: np.ndarray) -> None:
    back = apply_affine(invert_affine(affine), apply_affine(affine, xy))
    np.testing.assert_allclose(back, xy, atol=1e-6)


@given(affines())
def test_the_inverse_of_the_inverse_is_the_map(affine: np.ndarray) -> None:
    np.testing.assert_allclose(invert_affine(invert_affine(affine)), affine, rtol=1e-7, atol=1e-7)


def test_a_singular_map_has_no_inverse() -> None:
    with pytest.raises(ValueError, match="singular"):
        invert_affine(np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]))


@given(boxes, sizes_px, st.booleans(), points)
def test_crop_then_inverse_is_the_identity(
    box: Box, size_px: tuple, keep_aspect: bool, xy: np.ndarray
) -> None:
    affine = box_affine(box, size_px, keep_aspect)
    back = apply_affine(invert_affine(affine), apply_affine(affine, xy))
    np.testing.assert_allclose(back, xy, atol=1e-5)


@given(boxes, sizes_px)
def test_a_stretched_box_fills_the_input(box: Box, size_px: tuple) -> None:
    corners = np.array([[box.x, box.y], [box.x + box.width, box.y + box.height]])
    mapped = apply_affine(box_affine(box, size_px), corners)
    np.testing.assert_allclose(mapped, [[0, 0], size_px], atol=1e-6 * max(4000, *size_px))


@given(boxes, sizes_px)
def test_a_letterboxed_box_keeps_its_aspect_and_just_fits(box: Box, size_px: tuple) -> None:
    affine = box_affine(box, size_px, keep_aspect=True)
    assert affine[0, 0] == affine[1, 1]
    assert affine[0, 1] == affine[1, 0] == 0
    shown = np.array([box.width, box.height]) * affine[0, 0]
    room = np.array(size_px) - shown
    assert room.min() == pytest.approx(0, abs=1e-6 * max(size_px))
    assert room.max() >= -1e-6 * max(size_px)
    centre = apply_affine(affine, np.array(box.centre))
    np.testing.assert_allclose(centre, np.array(size_px) / 2, atol=1e-6 * 4000)


@given(boxes, st.floats(0.1, 10))
def test_squared_keeps_the_centre_and_scales_the_longer_side(box: Box, scale: float) -> None:
    square = box.squared(scale)
    assert square.width == square.height == scale * max(box.width, box.height)
    np.testing.assert_allclose(square.centre, box.centre, atol=1e-6)


sides = st.floats(1, 1e6)


@given(coordinates, coordinates, sides, sides)
def test_a_box_is_read_back_as_it_was_written(x: float, y: float, w: float, h: float) -> None:
    assert parse_box(f"{x!r},{y!r}, {w!r} ,{h!r}").as_tuple() == (x, y, w, h)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "1;2;3;4", "a,b,c,d", "1,2,nan,4", "1,2,inf,4", "1,,3,4"]
)
def test_text_that_is_no_box_is_a_usage_error_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_box(text)
    assert caught.value.what == f"'{text}' is not a box"
    assert caught.value.why == "expected x,y,w,h"
    assert "--box 420,80,360,360" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "text", ["1,2,0,4", "1,2,3,-4", "1,2,0.5,4", "0,0,1e200,1e200", "1e9,0,9,9"]
)
def test_an_impossible_box_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is impossible"):
        parse_box(text)


@given(st.text(max_size=30))
def test_any_text_is_a_box_or_a_usage_error(text: str) -> None:
    try:
        box = parse_box(text)
    except UsageError:
        return
    assert np.isfinite(box.as_tuple()).all()


def gradient(width_px: int, height_px: int) -> np.ndarray:
    """An image whose value at a continuous point is the point: (H, W, 2) float32."""
    x, y = np.meshgrid(np.arange(width_px) + 0.5, np.arange(height_px) + 0.5)
    return np.stack([x, y], axis=2).astype(np.float32)


@given(affines())
def test_pixel_centre_maps_agree_with_opencv(affine: np.ndarray) -> None:
    size_px = (48, 40)
    # Take the middle of the source to the middle of the target, so that something is seen.
    affine[:, 2] = np.array(size_px) / 2 - affine[:, :2] @ np.array([32.0, 28.0])
    source = gradient(64, 56)
    warped = cv2.warpAffine(
        source, to_pixel_centres(affine), size_px, flags=cv2.INTER_LINEAR, borderValue=(np.nan,) * 4
    )
    target_points = gradient(*size_px).astype(np.float64)
    expected = apply_affine(invert_affine(affine), target_points)
    inside = np.isfinite(warped).all(axis=2)
    assume(inside.any())
    # OpenCV rounds sample positions to 1/32 pixel; a half-pixel mistake is sixteen times that.
    np.testing.assert_allclose(warped[inside], expected[inside], atol=1 / 32 + 1e-3)


def test_pixel_centre_maps_do_not_change_their_argument() -> None:
    affine = np.array([[2.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
    to_pixel_centres(affine)
    np.testing.assert_array_equal(affine, [[2, 0, 1], [0, 2, 1]])
