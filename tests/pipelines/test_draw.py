"""Skeletons are where the joints are, in the colours of the fingers."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

import numpy as np
import pytest
from drawing_cases import hand, spread_joints
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe_pipelines.drawing import FINGER_COLOURS_BGR, draw_hands


def test_each_joint_wears_the_colour_of_its_finger() -> None:
    picture = draw_hands(np.zeros((240, 240, 3), np.uint8), [hand(spread_joints())])
    for index, joint in enumerate(spread_joints()[1:]):
        column, row = (joint - 0.5).round().astype(int)
        assert tuple(picture[row, column]) == FINGER_COLOURS_BGR[index // 4]


def test_the_source_picture_stays_as_it_is() -> None:
    image = np.zeros((240, 240, 3), np.uint8)
    draw_hands(image, [hand(spread_joints())])
    assert not image.any()


def test_lost_joints_are_left_out_with_their_bones() -> None:
    joints = spread_joints()
    joints[5:9] = np.nan
    picture = draw_hands(np.zeros((240, 240, 3), np.uint8), [hand(joints)])
    assert not (picture == FINGER_COLOURS_BGR[1]).all(axis=2).any()
    assert (picture == FINGER_COLOURS_BGR[2]).all(axis=2).any()


def test_no_bone_bridges_a_lost_joint() -> None:
    joints = spread_joints()
    joints[6] = np.nan
    picture = draw_hands(np.zeros((240, 240, 3), np.uint8), [hand(joints)])
    column, row = ((joints[5] + joints[7]) / 2).astype(int)
    assert not picture[row - 3 : row + 4, column - 3 : column + 4].any()


@pytest.mark.parametrize("place", [(40.5, 30.5), (40.25, 30.75), (41.0, 30.0)])
def test_a_joint_is_drawn_where_it_is_in_continuous_pixels(place: Tuple[float, float]) -> None:
    joints = np.full((21, 2), np.nan)
    joints[0] = place
    disc = draw_hands(np.zeros((60, 80, 3), np.uint8), [hand(joints)])[..., 0].astype(np.float64)
    rows, columns = np.indices(disc.shape) + 0.5  # centres of the pixels
    centroid = [(disc * columns).sum() / disc.sum(), (disc * rows).sum() / disc.sum()]
    np.testing.assert_allclose(centroid, place, atol=0.1)


@pytest.mark.parametrize("hands", [[], [hand(np.full((21, 2), np.nan))]])
def test_nothing_found_draws_nothing(hands: list) -> None:
    assert not draw_hands(np.zeros((20, 20, 3), np.uint8), hands).any()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.tuples(st.integers(1, 80), st.integers(1, 80)))
def test_any_joints_on_any_size_keep_shape_and_type(seed: int, size: tuple) -> None:
    joints = np.random.default_rng(seed).normal(0, 1e5, (21, 2))
    pose = replace(hand(joints), handedness="left", track_id=seed % 7)
    picture = draw_hands(np.zeros((*size, 3), np.uint8), [pose])
    assert picture.shape == (*size, 3)
    assert picture.dtype == np.uint8


def test_hands_that_are_followed_differ_in_their_outlines() -> None:
    image = np.full((240, 240, 3), 128, np.uint8)
    pictures = [
        draw_hands(image, [replace(hand(spread_joints()), track_id=number)])
        for number in (None, 0, 1, 2, 3, 4)
    ]
    first, same, *others, again = pictures
    np.testing.assert_array_equal(first, same)
    np.testing.assert_array_equal(first, again)
    for one, other in zip([first, *others], others):
        assert (one != other).any()


@pytest.mark.parametrize("scale", [1.0, 4.0, 0.05])
def test_the_side_is_written_below_the_wrist_inside_the_picture(scale: float) -> None:
    joints = (spread_joints() - 120) * scale + (120, 170)
    image = np.zeros((240, 240, 3), np.uint8)
    plain = draw_hands(image, [hand(joints)])
    labelled = draw_hands(image, [replace(hand(joints), handedness="left")])
    rows, columns = np.nonzero((plain != labelled).any(axis=2))
    assert 30 < len(rows) < 1500
    assert rows.mean() > min(joints[0, 1], 220)
    assert rows.max() < 240 and columns.max() < 240
    other = draw_hands(image, [replace(hand(joints), handedness="right")])
    assert (other != labelled).any()


def test_without_a_wrist_there_is_no_word() -> None:
    joints = spread_joints()
    joints[0] = np.nan
    image = np.zeros((240, 240, 3), np.uint8)
    labelled = draw_hands(image, [replace(hand(joints), handedness="left")])
    np.testing.assert_array_equal(labelled, draw_hands(image, [hand(joints)]))
