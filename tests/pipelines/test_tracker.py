"""What the tracker does with hands that were read somewhere."""

from __future__ import annotations

from typing import List, Optional

import numpy as np
import pytest
from marker_hands import SIZE_PX, Marker

from atlas_hpe.geometry import Box
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.detection import Detection
from atlas_hpe_pipelines.tracking import Tracker, region_from_joints


def hand(marker: Marker) -> HandPose:
    joints = marker.joints()
    return HandPose(joints, np.ones(21), 0.9, (0.0, 0.0, 1.0, 1.0), 0, 0.0)


def tracker_with(*markers: Marker, max_hands: int = 2) -> Tracker:
    tracker = Tracker(max_hands, 1.5)
    tracker.follow([], SIZE_PX)
    for marker in markers:
        tracker.add(hand(marker), SIZE_PX)
    return tracker


def follow(tracker: Tracker, *markers: Optional[Marker]) -> List[Optional[int]]:
    tracker.follow([None if item is None else hand(item) for item in markers], SIZE_PX)
    return [pose.track_id for pose in tracker.poses()]


LEFT, RIGHT = Marker(80, 150), Marker(240, 150)


def test_a_hand_that_is_tracked_is_not_added_again() -> None:
    tracker = tracker_with(LEFT, Marker(88, 158))
    assert len(tracker.tracks) == 1


def test_hands_beside_each_other_are_two() -> None:
    assert len(tracker_with(LEFT, Marker(120, 150)).tracks) == 2


def test_no_more_hands_than_there_is_room_for() -> None:
    assert len(tracker_with(LEFT, RIGHT, max_hands=1).tracks) == 1


@pytest.mark.parametrize("x", [-20, 360])
def test_a_hand_whose_middle_is_outside_is_not_added(x: float) -> None:
    assert tracker_with(Marker(x, 150)).tracks == []


def test_a_hand_without_joints_is_not_added_or_followed() -> None:
    nothing = hand(LEFT)
    nothing.joints[:] = np.nan
    tracker = tracker_with(LEFT)
    tracker.add(nothing, SIZE_PX)
    assert len(tracker.tracks) == 1
    tracker.follow([nothing], SIZE_PX)
    assert tracker.tracks == []


def test_of_two_tracks_on_one_hand_the_one_that_expected_it_stays() -> None:
    near, far = Marker(150, 150), Marker(190, 150)
    for markers, expected in (((near, far), 0), ((far, near), 1)):
        tracker = tracker_with(*markers)
        assert follow(tracker, near, near) == [expected]


def test_two_readings_of_one_hand_that_disagree_are_one_hand() -> None:
    # The same place upside down: the joints are far apart, their boxes cover each other.
    tracker = tracker_with(Marker(150, 150), Marker(190, 150))
    flipped = hand(Marker(150, 150))
    flipped.joints[:] = flipped.joints[::-1]
    tracker.follow([hand(Marker(150, 150)), flipped], SIZE_PX)
    assert len(tracker.tracks) == 1


def test_hands_are_listed_by_their_number() -> None:
    tracker = tracker_with(LEFT, RIGHT)
    assert follow(tracker, Marker(86, 150), RIGHT) == [0, 1]  # the surprised one comes first
    assert follow(tracker, None, RIGHT) == [1]
    tracker.add(hand(LEFT), SIZE_PX)
    assert [pose.track_id for pose in tracker.poses()] == [0, 1]


@pytest.mark.parametrize("growth", [0.45, 2.2])
def test_a_hand_does_not_change_its_size_at_once(growth: float) -> None:
    joints = LEFT.joints()
    middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
    other = hand(LEFT)
    other.joints[:] = middle + growth * (joints - middle)
    tracker = tracker_with(LEFT)
    tracker.follow([other], SIZE_PX)
    assert tracker.tracks == []


def test_a_lost_hand_is_expected_where_it_would_have_gone() -> None:
    tracker = tracker_with(Marker(60, 150))
    for x in (70, 80, 90):
        follow(tracker, Marker(x, 150))
    for _ in range(9):
        assert follow(tracker, None) == []
    tracker.add(hand(Marker(190, 150)), SIZE_PX)
    assert [pose.track_id for pose in tracker.poses()] == [0]
    # It starts at rest: the next region is around where it was found.
    assert tracker.tracks[0].region == tracker.tracks[0].seen


def test_the_next_region_goes_on_with_the_motion_the_size_and_the_turn() -> None:
    steps = [Marker(60 + 10 * step, 150 - 5 * step, 30 + step, 4 * step) for step in range(9)]
    tracker = tracker_with(steps[0])
    for marker in steps[1:-1]:
        follow(tracker, marker)
    region = tracker.tracks[0].region
    coming = region_from_joints(steps[-1].joints(), 1.5)
    assert coming is not None
    assert (region.x, region.y) == (pytest.approx(coming.x, abs=1), pytest.approx(coming.y, abs=1))
    assert region.side_px == pytest.approx(coming.side_px, rel=0.06)
    assert region.angle_rad == pytest.approx(coming.angle_rad, abs=0.1)


def test_a_detection_on_a_tracked_hand_is_known() -> None:
    tracker = tracker_with(LEFT)
    joints = LEFT.joints()
    low, size = joints.min(axis=0), np.ptp(joints, axis=0)
    here = Detection(Box(*(low + 4).tolist(), *size.tolist()), 0.9)
    there = Detection(Box(*(low + 60).tolist(), *size.tolist()), 0.8)
    assert tracker.untracked([here, there]) == [there]


@pytest.mark.parametrize(("moved_px", "followed"), [(45, [0]), (60, [])])
def test_a_hand_does_not_jump_by_half_of_its_region(moved_px: float, followed: List[int]) -> None:
    tracker = tracker_with(LEFT)  # its region has a side of 103 pixels
    assert follow(tracker, Marker(LEFT.x + moved_px, LEFT.y)) == followed


@pytest.mark.parametrize(
    ("wobbling", "stays"),
    [
        (Marker(80.5, 149.5, 30.3, 1), True),
        (Marker(85, 150, 30, 0), False),
        (Marker(80, 150, 30, 8), False),
        (Marker(80, 151, 32.5, 0), False),
    ],
)
def test_the_region_of_a_hand_that_stands_still_stands_still(wobbling: Marker, stays: bool) -> None:
    tracker = tracker_with(LEFT)
    region = tracker.tracks[0].region
    follow(tracker, wobbling)
    assert (tracker.tracks[0].region == region) is stays
    # The joints are those that were read all the same.
    np.testing.assert_array_equal(tracker.poses()[0].joints, wobbling.joints())


@pytest.mark.parametrize(("turn_deg", "stays"), [(4, True), (7, False)])
def test_the_region_turns_with_a_hand_that_turns_on_the_spot(turn_deg: float, stays: bool) -> None:
    tracker = tracker_with(LEFT)
    region = tracker.tracks[0].region
    turned = Marker(LEFT.x, LEFT.y, turn_deg=turn_deg)
    seen = region_from_joints(turned.joints(), 1.5)
    assert seen is not None
    follow(tracker, Marker(LEFT.x + region.x - seen.x, LEFT.y + region.y - seen.y, 30, turn_deg))
    assert (tracker.tracks[0].region == region) is stays


def test_a_slow_hand_does_not_creep_out_of_its_region() -> None:
    tracker = tracker_with(LEFT)
    for step in range(100):
        marker = Marker(80 + 0.5 * step, 150)
        assert follow(tracker, marker) == [0]
        coming = region_from_joints(marker.joints(), 1.5)
        assert coming is not None
        assert abs(tracker.tracks[0].region.x - coming.x) < 0.05 * coming.side_px


def test_a_reset_tracker_wants_the_detector_and_recalls_nobody() -> None:
    tracker = tracker_with(LEFT, max_hands=1)
    tracker.untracked([])
    follow(tracker, None)
    tracker.reset()
    assert tracker.tracks == [] and tracker.wants_detection()
    tracker.add(hand(LEFT), SIZE_PX)
    assert [pose.track_id for pose in tracker.poses()] == [1]
