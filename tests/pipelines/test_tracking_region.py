"""The turned square around a hand: the hand stands upright in it, and its map is exact."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Optional

import marker_hands
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.geometry import Box, apply_affine, invert_affine
from atlas_hpe_pipelines.detection import Detection
from atlas_hpe_pipelines.tracking import (
    Region,
    region_affine,
    region_bounds,
    region_from_detection,
    region_from_joints,
)
from atlas_hpe_pipelines.tracking.region import joint_box, turn_between

SPEC = marker_hands.landmark_card().preprocess
SIDE = SPEC.width_px

angles = st.floats(-math.pi, math.pi)
regions = st.builds(
    Region, st.floats(-500, 2000), st.floats(-500, 2000), st.floats(8, 2000), angles
)


@given(regions, st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)))
def test_what_goes_into_a_region_comes_back(region: Region, point: tuple) -> None:
    affine = region_affine(region, SPEC)
    there = apply_affine(affine, np.array([point]))
    np.testing.assert_allclose(apply_affine(invert_affine(affine), there)[0], point, atol=1e-6)


@given(regions)
def test_the_middle_and_the_side_are_those_of_the_input(region: Region) -> None:
    affine = region_affine(region, SPEC)
    middle = apply_affine(affine, np.array([region.x, region.y]))
    np.testing.assert_allclose(middle, SIDE / 2, atol=1e-6)
    assert np.linalg.det(affine[:, :2]) == pytest.approx((SIDE / region.side_px) ** 2)


@given(regions, st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)))
def test_a_mirrored_region_shows_left_and_right_swapped(region: Region, point: tuple) -> None:
    plain = apply_affine(region_affine(region, SPEC), np.array([point]))[0]
    mirrored = apply_affine(region_affine(replace(region, mirrored=True), SPEC), np.array([point]))
    np.testing.assert_allclose(mirrored[0], (SIDE - plain[0], plain[1]), atol=1e-6)


@given(
    turn_deg=st.floats(-179, 179),
    palm_px=st.floats(15, 300),
    place=st.tuples(*[st.floats(0, 900)] * 2),
)
def test_a_hand_stands_upright_in_its_region(turn_deg: float, palm_px: float, place: tuple) -> None:
    joints = marker_hands.Marker(*place, palm_px, turn_deg).joints()
    region = region_from_joints(joints, 1.5)
    assert region is not None
    assert region.angle_rad == pytest.approx(math.radians(turn_deg), abs=1e-6)
    upright = apply_affine(region_affine(region, SPEC), joints)
    palm = upright[9] - upright[0]
    assert palm[0] == pytest.approx(0, abs=1e-6) and palm[1] < 0
    low, high = upright.min(axis=0), upright.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, SIDE / 2, atol=1e-6)
    assert (high - low).max() == pytest.approx(SIDE / 1.5)


def test_a_hand_that_points_right_is_turned_clockwise_by_a_quarter() -> None:
    region = region_from_joints(marker_hands.Marker(100, 100, 30, 90).joints(), 1.5)
    assert region is not None
    assert region.angle_rad == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("lost", [0, 9])
def test_without_a_palm_the_known_angle_stays(lost: int) -> None:
    joints = marker_hands.Marker(100, 100, 30, 90).joints()
    joints[lost] = np.nan
    region = region_from_joints(joints, 1.5, angle_rad=0.5)
    assert region is not None
    assert region.angle_rad == 0.5


def test_a_palm_that_points_at_the_camera_shows_no_direction() -> None:
    joints = marker_hands.Marker(100, 100, 30, 90).joints()
    joints[9] = joints[0] + 1
    region = region_from_joints(joints, 1.5, angle_rad=0.5)
    assert region is not None
    assert region.angle_rad == 0.5


@pytest.mark.parametrize("joints", [np.full((21, 2), np.nan), np.full((21, 2), 7.0)])
def test_joints_without_extent_give_no_region(joints: np.ndarray) -> None:
    assert region_from_joints(joints, 1.5) is None
    assert joint_box(joints) is None


def test_a_tiny_hand_has_a_region_of_some_pixels() -> None:
    region = region_from_joints(marker_hands.Marker(10, 10, 0.5).joints(), 1.5)
    assert region is not None
    assert region.side_px == 8
    assert region_from_detection(Detection(Box(10, 10, 2, 3), 0.9), 1.5).side_px == 8


@pytest.mark.parametrize(("angle", "expected"), [(0.7, 0.7), (None, 0.0)])
def test_a_detection_gives_a_square_with_its_turn(angle: Optional[float], expected: float) -> None:
    region = region_from_detection(Detection(Box(10, 20, 40, 60), 0.9, angle), 1.5)
    assert region == Region(30, 50, 90, expected)


@given(regions)
def test_the_bounds_hold_the_corners_and_no_more(region: Region) -> None:
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * SIDE
    seen = apply_affine(invert_affine(region_affine(region, SPEC)), corners)
    box = region_bounds(region)
    np.testing.assert_allclose(seen.min(axis=0), [box.x, box.y], atol=1e-6)
    np.testing.assert_allclose(np.ptp(seen, axis=0), [box.width, box.height], atol=1e-6)


def test_the_joint_box_leaves_lost_joints_out() -> None:
    joints = np.full((21, 2), np.nan)
    joints[3], joints[8] = (10, 50), (30, 20)
    assert joint_box(joints) == Box(10, 20, 20, 30)


@given(angles, angles)
def test_a_turn_is_the_shorter_way(start: float, end: float) -> None:
    turn = turn_between(start, end)
    assert -math.pi <= turn < math.pi
    assert math.cos(start + turn) == pytest.approx(math.cos(end), abs=1e-9)
    assert math.sin(start + turn) == pytest.approx(math.sin(end), abs=1e-9)
