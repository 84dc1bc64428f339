"""Hands followed through synthetic clips: where they are, which ones, and what it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Sequence, Tuple

import numpy as np
import pytest
from marker_hands import (
    DetectorSession,
    LandmarkSession,
    Marker,
    detector_card,
    draw,
    landmark_card,
)

from atlas_hpe.errors import UsageError
from atlas_hpe.geometry import Box
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.detection import Detection
from atlas_hpe_pipelines.tracking import (
    DETECT_EVERY,
    HandDetector,
    HandFinder,
    HandReader,
)

Hands = Tuple[HandPose, ...]


class Rig:
    """A finder with its two networks and a clip that goes on frame by frame."""

    def __init__(
        self, max_hands: int = 2, turn_deg: float = 0.0, detect_every: int = DETECT_EVERY
    ) -> None:
        self.landmark, self.detector = LandmarkSession(), DetectorSession(turn_deg)
        reader = HandReader(landmark_card(), self.landmark)
        seeing = HandDetector(detector_card(), self.detector)
        self.finder = HandFinder(reader, seeing, max_hands, detect_every)
        self.index = 0

    def show(self, *markers: Marker) -> Hands:
        frame = draw(markers, self.index)
        self.index += 1
        return self.finder.find(frame)


def error_px(hand: HandPose, marker: Marker) -> float:
    return float(np.abs(hand.joints - marker.joints()).max())


def moving(index: int) -> Marker:
    """A hand that goes round, turns all the way and comes nearer."""
    x, y = 160 + 70 * np.cos(index / 9), 120 + 40 * np.sin(index / 9)
    return Marker(x, y, 24 + 6 * np.sin(index / 8), turn_deg=9 * index)


def test_a_moving_turning_hand_is_followed_after_one_detection() -> None:
    rig = Rig(max_hands=1)
    for index in range(4 * DETECT_EVERY):
        (hand,) = rig.show(moving(index))
        assert error_px(hand, moving(index)) < 2
        assert (hand.track_id, hand.handedness, hand.frame_index) == (0, "right", index)
    assert (rig.detector.runs, rig.finder.detections, rig.finder.tracks) == (1, 1, 1)
    # One look for each frame, and the first one's mirror.
    assert rig.landmark.runs == 4 * DETECT_EVERY + 1


def test_the_hand_carries_its_region_and_its_depth() -> None:
    rig = Rig(max_hands=1)
    marker = Marker(160, 150, 30, 45)
    for _ in range(5):
        (hand,) = rig.show(marker)
    low, high = marker.joints().min(axis=0), marker.joints().max(axis=0)
    x, y, width, height = hand.box
    assert width == height
    assert (np.array([x, y]) < low).all() and (np.array([x + width, y + height]) > high).all()
    # An upright hand of this palm is 1.8 palms tall or 1.7 wide; turned by 45 degrees, the box
    # around the square is 1.41 times as large.
    side_px = width / 2**0.5
    assert hand.depth is not None
    assert hand.depth[0] == 0
    np.testing.assert_allclose(hand.depth[1:], 0.25 * side_px, rtol=0.01)


def test_the_detector_rests_while_all_hands_are_tracked() -> None:
    rig = Rig(max_hands=2)
    hands = (Marker(90, 150), Marker(230, 150, kind=1))
    for _ in range(12 * DETECT_EVERY):
        assert len(rig.show(*hands)) == 2
    assert rig.detector.runs == 3  # it looks after them at every fourth of its turns


def test_with_room_for_another_hand_the_detector_runs_now_and_then() -> None:
    rig = Rig(max_hands=2)
    for _ in range(4 * DETECT_EVERY):
        rig.show(Marker(90, 150))
    assert rig.detector.runs == 4
    assert rig.landmark.runs == 4 * DETECT_EVERY + 1  # the known hand is not read twice


def test_the_interval_is_chosen() -> None:
    rig = Rig(max_hands=2, detect_every=3)
    for _ in range(12):
        rig.show(Marker(90, 150))
    assert rig.detector.runs == 4


def test_an_interval_below_one_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="every 0 frames"):
        Rig(detect_every=0)


def test_a_thing_that_the_detector_does_not_see_is_given_up() -> None:
    rig = Rig(max_hands=1, detect_every=2)
    rig.show(Marker(90, 150))
    rig.detector.blind, rig.landmark.joint_score = True, 0.55
    # Looked after at every fourth turn; then, in doubt, at each.
    assert [len(rig.show(Marker(90, 150))) for _ in range(13)] == [1] * 11 + [0] * 2
    rig.detector.blind = False
    assert [hand.track_id for hand in rig.show(Marker(90, 150))] == [1]


def test_a_hand_with_sure_joints_stays_though_the_detector_is_blind() -> None:
    rig = Rig(max_hands=2, detect_every=2)
    rig.show(Marker(90, 150))
    rig.detector.blind = True
    assert [len(rig.show(Marker(90, 150))) for _ in range(40)] == [1] * 40


def test_a_detector_that_sees_it_again_takes_the_doubt_away() -> None:
    rig = Rig(max_hands=2, detect_every=2)
    rig.show(Marker(90, 150))
    rig.landmark.joint_score = 0.55
    for index in range(40):
        rig.detector.blind = index % 6 != 5
        assert [hand.track_id for hand in rig.show(Marker(90, 150))] == [0]


class WideDetector:
    """Sees a hand in a box that is much larger than the one at that place."""

    broken = False

    def detect(self, image: np.ndarray) -> List[Detection]:
        joints = Marker(90, 150).joints()
        x, y = ((joints.min(axis=0) + joints.max(axis=0)) / 2).tolist()
        return [Detection(Box(x - 60, y - 60, 120, 120), 0.9)]


@pytest.mark.parametrize(("joint_score", "hands"), [(0.65, 0), (0.75, 1)])
def test_unsure_joints_have_to_fill_the_box_of_the_detector(joint_score: float, hands: int) -> None:
    rig = Rig()
    rig.landmark.joint_score = joint_score
    finder = HandFinder(HandReader(landmark_card(), rig.landmark), WideDetector())
    assert len(finder.find(draw([Marker(90, 150)]))) == hands
    # In the box of the usual detector, the same joints are a hand.
    assert len(rig.show(Marker(90, 150))) == 1


def test_a_reset_forgets_the_hands_but_not_their_numbers() -> None:
    rig = Rig(max_hands=1)
    rig.show(Marker(90, 150))
    rig.finder.reset()
    (hand,) = rig.show(Marker(90, 150))
    assert (hand.track_id, rig.finder.tracks, rig.detector.runs) == (1, 2, 2)


def test_a_frame_of_another_size_begins_another_clip() -> None:
    rig = Rig(max_hands=1)
    small, large = (320, 240), (640, 480)
    ids, runs = [], []
    for index, size_px in enumerate((small, small, large, large, small)):
        (hand,) = rig.finder.find(draw([Marker(90, 150)], index, size_px))
        assert error_px(hand, Marker(90, 150)) < 2
        ids.append(hand.track_id)
        runs.append(rig.detector.runs)
    assert ids == [0, 0, 1, 1, 2]
    assert runs == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("step_s", [0.9, 1.0, -0.9, -1.0])
def test_after_a_second_without_a_frame_another_clip_begins(step_s: float) -> None:
    rig = Rig(max_hands=1)
    frames = [
        replace(draw([Marker(90, 150)], index), time_s=5 + index * step_s) for index in (0, 1)
    ]
    ids = [[hand.track_id for hand in rig.finder.find(frame)] for frame in frames]
    again = abs(step_s) >= 1
    assert ids == [[0], [1 if again else 0]]
    assert rig.detector.runs == 1 + again


def test_a_lost_hand_is_looked_for_in_the_next_frames_too() -> None:
    rig = Rig(max_hands=2)
    stays, goes = Marker(70, 150), Marker(240, 150, kind=1)
    rig.show(stays, goes)
    runs = []
    for _ in range(6):
        rig.show(stays)
        runs.append(rig.detector.runs)
    assert runs == [2, 3, 4, 5, 5, 5]
    rig = Rig(max_hands=2)
    rig.show(stays, goes)
    rig.show(stays)
    rig.show(stays)
    # It comes back in the third frame, in the hand's old place.
    assert [hand.track_id for hand in rig.show(stays, goes)] == [0, 1]


def test_without_any_hand_the_detector_runs_in_every_frame() -> None:
    rig = Rig()
    assert [rig.show() for _ in range(7)] == [()] * 7
    assert (rig.detector.runs, rig.landmark.runs) == (7, 0)


def test_a_second_hand_is_found_within_the_interval() -> None:
    rig = Rig(max_hands=2)
    rig.show(Marker(90, 150))
    both = (Marker(90, 150), Marker(230, 150, kind=1))
    counts = [len(rig.show(*both)) for _ in range(DETECT_EVERY)]
    assert counts == [1] * (DETECT_EVERY - 1) + [2]


def test_only_as_many_hands_as_asked_for() -> None:
    rig = Rig(max_hands=1)
    assert [len(rig.show(Marker(90, 150), Marker(230, 150, kind=1))) for _ in range(5)] == [1] * 5
    assert rig.landmark.runs == 5 + 1  # the other one is not even read


def test_a_hand_that_is_gone_is_lost_at_once_and_found_again() -> None:
    rig = Rig(max_hands=1)
    here = Marker(90, 150)
    for _ in range(5):
        rig.show(here)
    assert rig.show() == ()
    assert rig.detector.runs == 2  # in the frame of the loss
    assert rig.show() == ()
    (hand,) = rig.show(here)
    assert hand.track_id == 0  # near where it was: the same hand
    assert error_px(hand, here) < 1


def test_a_hand_elsewhere_or_much_later_is_another_one() -> None:
    rig = Rig(max_hands=1)
    rig.show(Marker(70, 150))
    rig.show()
    assert [hand.track_id for hand in rig.show(Marker(250, 150))] == [1]
    for _ in range(40):
        rig.show()
    assert [hand.track_id for hand in rig.show(Marker(250, 150))] == [2]
    assert rig.finder.tracks == 3


def test_a_hand_that_jumps_is_found_in_the_same_frame() -> None:
    rig = Rig(max_hands=1)
    rig.show(Marker(70, 150))
    there = Marker(250, 150)
    (hand,) = rig.show(there)
    assert (hand.track_id, error_px(hand, there) < 1) == (1, True)


def test_of_two_hands_the_one_that_jumps_is_found_in_the_same_frame() -> None:
    rig = Rig(max_hands=2)
    stays = Marker(70, 150)
    rig.show(stays, Marker(160, 150, kind=1))
    assert [len(rig.show(stays, Marker(260, 150, kind=1))) for _ in range(3)] == [2] * 3
    assert rig.detector.runs == 2  # it is there again: nobody looks for it any more


def test_a_hand_that_leaves_the_picture_is_lost() -> None:
    rig = Rig(max_hands=1)
    assert len(rig.show(Marker(20, 150, 40))) == 1
    rig.detector.blind = True
    rig.landmark.runs = 0
    # Wrist and palm can still be seen, the middle of the hand lies left of the picture.
    assert [len(rig.show(Marker(4, 150, 40))) for _ in range(2)] == [0, 0]
    assert rig.landmark.runs == 1


def test_a_low_presence_loses_the_hand() -> None:
    rig = Rig(max_hands=1)
    rig.show(Marker(90, 150))
    rig.landmark.presence = 0.4
    assert rig.show(Marker(90, 150)) == ()


def test_two_hands_that_pass_keep_their_numbers() -> None:
    rig = Rig(max_hands=2)
    ids: List[Sequence[Optional[int]]] = []
    for index in range(60):
        right = Marker(60 + 3.4 * index, 140, 22, turn_deg=20)
        left = Marker(260 - 3.4 * index, 150, 22, turn_deg=-20, kind=1)
        hands = rig.show(left, right)
        ids.append([hand.track_id for hand in hands])
        for hand in hands:
            marker = right if hand.handedness == "right" else left
            if index < 20 or index > 45:
                assert error_px(hand, marker) < 2
    assert ids[-1] == ids[0]
    assert rig.finder.tracks == 2


def test_two_tracks_never_stay_on_one_hand() -> None:
    rig = Rig(max_hands=2)
    for index in range(25):  # the second hand goes behind the first one and stays there
        first = Marker(100, 150, 24)
        second = Marker(max(100, 220 - 6 * index), 150, 24, kind=1)
        hands = rig.show(second, first)
        if index == 0:
            (expected,) = [hand.track_id for hand in hands if hand.handedness == "right"]
    assert [hand.track_id for hand in hands] == [expected]
    assert error_px(hands[0], first) < 1


def test_numbers_that_are_none_lose_the_hand_and_are_counted() -> None:
    rig = Rig(max_hands=1)
    rig.show(Marker(90, 150))
    rig.landmark.broken = True
    assert [rig.show(Marker(90, 150)) for _ in range(3)] == [()] * 3
    rig.landmark.broken = False
    assert len(rig.show(Marker(90, 150))) == 1
    assert rig.finder.broken_frames == 3


def test_the_side_is_voted_over_the_track() -> None:
    rig = Rig(max_hands=1)
    for _ in range(20):
        rig.show(Marker(90, 150))
    rig.landmark.right = 0.0
    sides = [rig.show(Marker(90, 150))[0].handedness for _ in range(16)]
    assert sides[:3] == ["right"] * 3
    assert sides[-1] == "left"


@pytest.mark.parametrize(("turn_deg", "looks"), [(0.0, 1), (20.0, 1), (35.0, 2), (180.0, 2)])
def test_a_first_region_is_read_twice_only_when_it_was_far_off(turn_deg: float, looks: int) -> None:
    rig = Rig(max_hands=1, turn_deg=turn_deg)
    (hand,) = rig.show(Marker(160, 140, 30, turn_deg=0))
    assert rig.landmark.runs == looks + 1  # the last one into a mirror
    assert error_px(hand, Marker(160, 140, 30)) < 2


def test_a_detector_that_gives_no_numbers_is_counted() -> None:
    rig = Rig(max_hands=1)
    rig.detector.broken = True
    assert [rig.show(Marker(90, 150)) for _ in range(2)] == [()] * 2
    rig.detector.broken = False
    rig.show(Marker(90, 150))
    assert rig.finder.broken_frames == 2


def test_the_steps_are_timed() -> None:
    rig = Rig(max_hands=1)
    for index in range(5):
        rig.show(moving(index))
    counts = {name: times.count for name, times in rig.finder.times.items()}
    assert counts == {"detect": 1, "crop": 5, "infer": 5, "joints": 5}
    assert all(times.total_ms > 0 for times in rig.finder.times.values())


def test_the_same_clip_gives_the_same_hands() -> None:
    runs = []
    for _ in range(2):
        rig = Rig()
        runs.append([rig.show(moving(index), Marker(40, 200, 15)) for index in range(20)])
    for first, second in zip(*runs):
        assert [hand.track_id for hand in first] == [hand.track_id for hand in second]
        for one, other in zip(first, second):
            np.testing.assert_array_equal(one.joints, other.joints)


def test_less_than_one_hand_is_refused() -> None:
    with pytest.raises(UsageError, match="0 hands"):
        Rig(max_hands=0)


def test_a_thing_whose_joints_are_unsure_is_no_new_hand() -> None:
    rig = Rig(max_hands=1)
    rig.landmark.joint_score = 0.39
    assert rig.show(Marker(90, 150)) == ()
    rig.landmark.joint_score = 0.41
    assert len(rig.show(Marker(90, 150))) == 1
    rig.landmark.joint_score = 0.26
    assert len(rig.show(Marker(90, 150))) == 1  # what is followed may be unsure for a while
    rig.landmark.joint_score = 0.24
    assert rig.show(Marker(90, 150)) == ()
