"""The side view: depth across, height as in the picture, the wrist on the axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

import numpy as np
import pytest
from drawing_cases import colour_at, hand, has_colour, spread_joints

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.drawing import FINGER_COLOURS_BGR
from atlas_hpe_pipelines.drawing.side_view import SideView, depth_px

#: Little finger away from the camera, thumb towards it.
DEPTH = np.concatenate([[0], np.repeat([-2, -1, 0, 1, 2], 4) * np.tile([4.0, 8, 12, 16], 5)])
HAND = hand(spread_joints(), depth=DEPTH)
SIZE = (180, 240)


def view(*hands: HandPose, scale: float = 1.0, size: tuple = SIZE) -> np.ndarray:
    panel = np.empty((size[1], size[0], 3), np.uint8)
    places: Sequence[np.ndarray] = [pose.joints * scale for pose in hands]
    SideView(size, (240, 240)).draw(panel, hands, places, scale)
    return panel


def places_of(colour: tuple, panel: np.ndarray) -> np.ndarray:
    return np.argwhere((panel == colour).all(axis=2))[:, ::-1] + 0.5


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_joints_lie_at_their_depth_and_height_in_the_scale_of_the_picture(scale: float) -> None:
    panel = view(HAND, scale=scale)
    height = scale * HAND.joints[:, 1]
    middle = (height.min() + height.max()) / 2
    for joint in (4, 8, 16, 20):
        place = np.array([90 + scale * DEPTH[joint], 120 + height[joint] - middle])
        assert colour_at(panel, place) == FINGER_COLOURS_BGR[(joint - 1) // 4]
    assert colour_at(panel, np.array([90, 120 + height[0] - middle])) == (255, 255, 255)


def test_a_hand_that_would_not_fit_is_shrunk_into_its_slot() -> None:
    deep = replace(HAND, depth=DEPTH * 20)
    panel = view(deep, deep)
    for slot in (panel[:120], panel[120:]):
        for colour in FINGER_COLOURS_BGR:
            assert has_colour(slot, colour)
        far, near = (places_of(FINGER_COLOURS_BGR[index], slot)[:, 0] for index in (4, 0))
        assert near.min() > 5 and far.max() < 175
        assert near.mean() < 80 and far.mean() > 100


def test_a_hand_without_depth_is_said_to_have_none() -> None:
    panel, empty = view(replace(HAND, depth=None)), view()
    assert (panel != empty).any(axis=2)[100:125].sum() > 20
    assert not any(has_colour(panel, colour) for colour in FINGER_COLOURS_BGR)


def test_a_lost_joint_is_left_out() -> None:
    depth, joints = DEPTH.copy(), HAND.joints.copy()
    depth[1:5], joints[5:9] = np.nan, np.nan
    panel = view(replace(HAND, depth=depth, joints=joints))
    shown = [has_colour(panel, colour) for colour in FINGER_COLOURS_BGR]
    assert shown == [False, False, True, True, True]
    view(replace(HAND, depth=np.full(21, np.nan)))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (20, 15)])
def test_a_panel_of_any_size_is_filled(size: tuple) -> None:
    assert view(HAND, HAND, HAND, size=size).shape == (size[1], size[0], 3)


def test_hands_are_told_apart_by_their_titles() -> None:
    first, second = (view(replace(HAND, track_id=number)) for number in (0, 4))  # same outlines
    changed = np.argwhere((first != second).any(axis=2))
    assert len(changed) and changed[:, 0].max() < 30


def test_hands_have_the_outlines_that_they_have_in_the_picture() -> None:
    first, second = (view(replace(HAND, track_id=number)) for number in (0, 1))
    dark, light = (
        [(panel == colour).all(axis=2).sum() for panel in (first, second)]
        for colour in ((25, 25, 25), (255, 255, 255))
    )
    assert dark[0] > 100 > dark[1] and light[1] > 100 > light[0]


def test_an_empty_panel_says_what_is_near_and_far_where_there_is_room() -> None:
    panel = view()
    assert tuple(panel[60, 90]) != tuple(panel[60, 85])  # the wrist's plane
    near, far = (np.nonzero((part[200:-2] > 170).all(axis=2))[1] for part in np.hsplit(panel, 2))
    assert np.ptp(near) > 1.2 * np.ptp(far) > 0  # a letter more
    assert not (view(size=(20, 240)) > 200).any()


def test_hands_come_and_go() -> None:
    panel, side = np.empty((240, 180, 3), np.uint8), SideView(SIZE, (240, 240))
    for count in (0, 1, 2, 1, 0):
        side.draw(panel, [HAND] * count, [HAND.joints] * count, 1.0)
        np.testing.assert_array_equal(panel, view(*[HAND] * count))


def test_metric_joints_are_seen_in_the_scale_of_the_picture() -> None:
    metric = np.concatenate([(spread_joints() - 100) / 1000, DEPTH[:, None] / 1000 + 0.4], axis=1)
    pose = hand(spread_joints(), joints_3d=metric, depth=np.zeros(21))
    seen = depth_px(pose)
    assert seen is not None
    np.testing.assert_allclose(seen, DEPTH, atol=1e-9)
    lost = metric.copy()
    lost[4] = np.nan
    without = depth_px(replace(pose, joints_3d=lost))
    assert without is not None
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(without)), [4])
    lost[0] = np.nan
    assert np.isnan(depth_px(replace(pose, joints_3d=lost))).all()
