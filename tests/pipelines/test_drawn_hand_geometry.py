"""The drawn hand's bones, postures and camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.errors import UsageError
from atlas_hpe.hands import BONES
from atlas_hpe_pipelines.drawn_hand import (
    GESTURES,
    HandPosture,
    View,
    blend_postures,
    default_shape,
    frame_hand,
    named_posture,
    pose_skeleton,
    project,
    random_pose,
    random_shape,
    turn,
)
from atlas_hpe_pipelines.drawn_hand.skeleton import ANGLE_LIMITS_RAD, WRIST_LIMITS_RAD

SEEDS = st.integers(0, 2**32 - 1)


def draw_angles(seed: int) -> np.ndarray:
    share = np.random.default_rng(seed).random((5, 4))
    return ANGLE_LIMITS_RAD[..., 0] + share * np.ptp(ANGLE_LIMITS_RAD, axis=-1)


def finger_lengths(joints: np.ndarray) -> np.ndarray:
    fingers = joints[1:].reshape(5, 4, 3)
    return np.linalg.norm(np.diff(fingers, axis=1), axis=-1)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, is_right=st.booleans())
def test_bones_keep_their_length_in_every_posture(seed: int, is_right: bool) -> None:
    shape = random_shape(np.random.default_rng(seed))
    hand = pose_skeleton(HandPosture(draw_angles(seed), np.zeros(2), is_right), shape)
    np.testing.assert_allclose(finger_lengths(hand.joints_m), shape.bones_m, rtol=0, atol=1e-12)
    palm = np.linalg.norm(hand.joints_m[[1, 5, 9, 13, 17]], axis=1)
    np.testing.assert_allclose(palm, np.linalg.norm(shape.bases_m, axis=1), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_palm_side_is_a_unit_vector_across_its_bone(seed: int) -> None:
    hand = pose_skeleton(HandPosture(draw_angles(seed), np.zeros(2)), default_shape())
    np.testing.assert_allclose(np.linalg.norm(hand.palmar, axis=1), 1.0, atol=1e-12)
    for parent, child in BONES:
        if parent:
            bone = hand.joints_m[child] - hand.joints_m[parent]
            assert abs(float(bone @ hand.palmar[child])) < 1e-12


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_the_left_hand_is_the_mirror_of_the_right(seed: int) -> None:
    wrist = np.array([0.3, -0.2])
    right, left = (
        pose_skeleton(HandPosture(draw_angles(seed), wrist, is_right), default_shape())
        for is_right in (True, False)
    )
    mirror = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_array_equal(left.joints_m, right.joints_m * mirror)
    np.testing.assert_array_equal(left.palmar, right.palmar * mirror)
    np.testing.assert_array_equal(left.elbow_m, right.elbow_m * mirror)


def test_a_right_palm_with_fingers_up_has_the_thumb_on_the_picture_s_right() -> None:
    hand = pose_skeleton(named_posture("open"), default_shape())
    for back, side in ((False, 1), (True, -1)):
        view = frame_hand(hand.joints_m, turn(back=back), box_px=(100, 100, 120))
        places = project(hand.joints_m, view)
        assert np.sign(places[4, 0] - places[0, 0]) == side
        assert places[12, 1] < places[0, 1]


def test_flexion_bends_to_the_palm() -> None:
    straight, bent = np.zeros((5, 4)), np.zeros((5, 4))
    bent[1:, 1] = np.pi / 2
    tips = [4 * finger + 4 for finger in range(1, 5)]
    shape = default_shape()
    flat = pose_skeleton(HandPosture(straight, np.zeros(2)), shape).joints_m
    down = pose_skeleton(HandPosture(bent, np.zeros(2)), shape).joints_m
    assert (down[tips, 2] > flat[tips, 2] + 0.05).all()


def test_abduction_swings_a_finger_to_the_thumb_side_and_the_thumb_away_from_the_palm() -> None:
    closed, spread = np.zeros((5, 4)), np.zeros((5, 4))
    spread[:, 0] = 0.2
    shape = default_shape()
    before = pose_skeleton(HandPosture(closed, np.zeros(2)), shape).joints_m
    after = pose_skeleton(HandPosture(spread, np.zeros(2)), shape).joints_m
    assert (after[8::4, 0] > before[8::4, 0] + 0.005).all()
    assert after[4, 1] < before[4, 1] - 0.005


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_random_postures_stay_within_the_limits(seed: int) -> None:
    posture = random_pose(np.random.default_rng(seed))
    assert (posture.angles_rad >= ANGLE_LIMITS_RAD[..., 0]).all()
    assert (posture.angles_rad <= ANGLE_LIMITS_RAD[..., 1]).all()
    assert (posture.wrist_rad >= WRIST_LIMITS_RAD[:, 0]).all()
    assert (posture.wrist_rad <= WRIST_LIMITS_RAD[:, 1]).all()


@pytest.mark.parametrize("name", GESTURES)
def test_gestures_are_within_the_limits(name: str) -> None:
    angles = named_posture(name).angles_rad
    assert (angles >= ANGLE_LIMITS_RAD[..., 0] - 1e-9).all()
    assert (angles <= ANGLE_LIMITS_RAD[..., 1] + 1e-9).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_counting_raises_as_many_fingers(count: int) -> None:
    joints = pose_skeleton(named_posture(f"count{count}"), default_shape()).joints_m
    fingers = joints[1:].reshape(5, 4, 3)
    reach = np.linalg.norm(fingers[:, 3] - fingers[:, 0], axis=1)
    lengths = default_shape().bones_m.sum(axis=1)
    straight = reach > 0.95 * lengths
    assert straight[1:].sum() == min(count, 4)
    assert straight[0] == (count == 5)


def test_pinching_brings_thumb_and_index_together() -> None:
    shape = default_shape()
    joints = pose_skeleton(named_posture("pinch"), shape).joints_m
    gap = float(np.linalg.norm(joints[4] - joints[8]))
    touch = float(shape.radii_m[4] + shape.radii_m[8])
    assert 0.7 * touch < gap < 1.1 * touch


def test_blending_starts_and_ends_at_its_postures() -> None:
    start, end = named_posture("open"), named_posture("fist")
    for share, posture in ((-1.0, start), (0.0, start), (1.0, end), (2.0, end)):
        blended = blend_postures(start, end, share)
        np.testing.assert_allclose(blended.angles_rad, posture.angles_rad, atol=1e-12)


def test_a_left_and_a_right_hand_do_not_blend() -> None:
    with pytest.raises(UsageError, match="can't be blended"):
        blend_postures(named_posture("open"), named_posture("open", is_right=False), 0.5)


def test_an_unknown_gesture_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="thumb_up"):
        named_posture("wave")


def test_angles_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\(5, 4\)"):
        pose_skeleton(HandPosture(np.zeros((4, 5)), np.zeros(2)), default_shape())


def test_projection_has_known_values() -> None:
    view = View(
        rotation=np.eye(3),
        position_m=np.array([0.0, 0.0, 2.0]),
        focal_px=100.0,
        centre_px=np.array([50.0, 40.0]),
    )
    points = np.array([[0.0, 0.0, 0.0], [1.0, 0.5, 0.0], [1.0, -1.0, 2.0]])
    np.testing.assert_allclose(
        project(points, view), [[50.0, 40.0], [100.0, 65.0], [75.0, 15.0]], atol=1e-12
    )


def test_a_point_behind_the_camera_is_refused() -> None:
    view = View(np.eye(3), np.array([0.0, 0.0, 1.0]), 100.0, np.zeros(2))
    with pytest.raises(UsageError, match="behind the camera"):
        project(np.array([0.0, 0.0, -1.5]), view)


ANGLES = st.floats(-3.2, 3.2)


@settings(max_examples=60, deadline=None)
@given(yaw=ANGLES, pitch=ANGLES, roll=ANGLES, back=st.booleans())
def test_views_are_proper_rotations(yaw: float, pitch: float, roll: float, back: bool) -> None:
    rotation = turn(yaw, pitch, roll, back=back)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_roll_turns_the_picture_clockwise() -> None:
    up = np.array([0.0, 1.0, 0.0])  # the fingers' direction of the hand
    turned = turn(roll_rad=np.pi / 2) @ up
    np.testing.assert_allclose(turned, [1.0, 0.0, 0.0], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, side=st.floats(20, 400))
def test_framing_is_exact(seed: int, side: float) -> None:
    rng = np.random.default_rng(seed)
    joints = pose_skeleton(random_pose(rng), random_shape(rng)).joints_m
    view = frame_hand(joints, turn(*rng.uniform(-1, 1, size=3)), box_px=(70.0, 90.0, side))
    places = project(joints, view)
    low, high = places.min(axis=0), places.max(axis=0)
    np.testing.assert_allclose(0.5 * (low + high), [70.0, 90.0], atol=1e-6)
    assert float((high - low).max()) == pytest.approx(side)
