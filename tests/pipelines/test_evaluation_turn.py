"""Turned pictures and their labels, and the bins that a hand falls into."""

from __future__ import annotations

import evaluation_cases as cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_pipelines.evaluation.labels import LabelledHand
from atlas_hpe_pipelines.evaluation.traits import TRAIT_BINS, describe_traits, hand_turn_deg
from atlas_hpe_pipelines.evaluation.turn import turn_picture

HAND = cases.label(cases.hand_joints(100.0, 140.0))


def test_no_turn_changes_nothing() -> None:
    image = cases.picture()
    for angle_deg in (0.0, 360.0, -360.0):
        turned, hands = turn_picture(image, [HAND], angle_deg)
        assert turned is image
        assert hands == [HAND]


@pytest.mark.parametrize(("angle_deg", "quarters"), [(90, -1), (180, 2), (-90, 1), (270, 1)])
def test_quarter_turns_move_whole_pixels_clockwise(angle_deg: float, quarters: int) -> None:
    image = cases.picture()[:200]
    turned, _ = turn_picture(image, [], angle_deg)
    np.testing.assert_array_equal(turned, np.rot90(image, quarters))


@given(angle_deg=st.floats(-360, 360), height_px=st.integers(60, 200), x=st.floats(20, 230))
def test_labels_go_with_their_pixels(angle_deg: float, height_px: int, x: float) -> None:
    image = cases.picture()[:height_px]
    spot = np.tile([x, height_px / 2], (21, 1))
    turned, (hand,) = turn_picture(image, [cases.label(spot)], angle_deg)
    column, row = (hand.joints[0] - 0.5).round().astype(int)
    blue, green, _ = turned[row, column].astype(float)
    # Half a pixel of rounding on each axis, and the same of the pixel's own value.
    assert np.hypot(blue + 0.5 - x, green + 0.5 - height_px / 2) < 1.5


@given(angle_deg=st.floats(-360, 360))
def test_a_turned_picture_holds_all_of_it(angle_deg: float) -> None:
    corners = np.array([[0.0, 0], [256, 0], [0, 100], [256, 100]] * 6)[:21]
    turned, (hand,) = turn_picture(cases.picture()[:100], [cases.label(corners)], angle_deg)
    assert hand.joints.min() >= -1e-6
    assert (hand.joints <= np.array(turned.shape[1::-1]) + 1e-6).all()


def test_the_border_is_repeated_outside() -> None:
    image = np.full((100, 100, 3), 77, np.uint8)
    assert (turn_picture(image, [], 45.0)[0] == 77).all()


def test_a_turned_hand_stays_as_large_and_keeps_its_side() -> None:
    _, (hand,) = turn_picture(cases.picture(), [HAND], 33.0)
    lengths = [np.linalg.norm(np.diff(item.joints, axis=0), axis=1) for item in (hand, HAND)]
    np.testing.assert_allclose(lengths[0], lengths[1])
    assert hand.side == HAND.side


@pytest.mark.parametrize("angle_deg", [0.0, 20.0, 135.0, -60.0])
def test_the_turn_of_a_hand_is_clockwise_from_upright(angle_deg: float) -> None:
    _, (hand,) = turn_picture(cases.picture(), [HAND], angle_deg)
    assert hand_turn_deg(hand) == pytest.approx(angle_deg, abs=1e-6)


@pytest.mark.parametrize("hidden", [0, 9])
def test_without_wrist_or_middle_finger_a_hand_has_no_direction(hidden: int) -> None:
    visible = np.arange(21) != hidden
    hand = LabelledHand(HAND.joints, visible, None)
    assert hand_turn_deg(hand) is None
    assert describe_traits(cases.picture(), hand)["rotation"] == "unknown"


@pytest.mark.parametrize(
    ("angle_deg", "name"),
    [(0, "0-30 deg"), (-29, "0-30 deg"), (31, "30-90 deg"), (-89, "30-90 deg"), (91, "90-180 deg"),
     (180, "90-180 deg")],
)  # fmt: skip
def test_rotation_bins(angle_deg: float, name: str) -> None:
    image, (hand,) = turn_picture(cases.picture(), [HAND], angle_deg)
    assert describe_traits(image, hand)["rotation"] == name


@pytest.mark.parametrize(
    ("side_px", "name"),
    [(63, "below 64 px"), (64.1, "64-128 px"), (129, "128-256 px"), (257, "256 px and more")],
)
def test_size_bins_are_in_pixels_of_the_picture(side_px: float, name: str) -> None:
    hand = cases.label(cases.hand_joints(height_px=side_px))
    assert describe_traits(cases.picture(), hand)["size"] == name


@pytest.mark.parametrize(
    ("level", "name"), [(84, "dark"), (85, "medium"), (169, "medium"), (170, "bright")]
)
def test_light_is_that_of_the_hand_and_not_of_the_picture(level: int, name: str) -> None:
    image = np.full((256, 256, 3), 255 - level, np.uint8)
    image[64:192, 64:192] = level
    assert describe_traits(image, cases.label(cases.hand_joints()))["light"] == name


@pytest.mark.parametrize(
    ("variance", "name"), [(55, "blurred"), (65, "fair"), (285, "fair"), (315, "sharp")]
)
def test_sharpness_is_the_variance_of_the_laplacian(variance: float, name: str) -> None:
    # The kernel of the Laplacian makes 20 times its variance of independent noise.
    step = 4
    share = variance / 20 / step**2
    noise = np.random.default_rng(0).random((256, 256))
    signs = np.where(noise < share / 2, -step, np.where(noise < share, step, 0))
    image = np.repeat((128 + signs)[:, :, None], 3, axis=2).astype(np.uint8)
    hand = cases.label(cases.hand_joints(height_px=128 / 1.4))  # the crop moves no pixel
    assert describe_traits(image, hand)["sharpness"] == name


def test_every_trait_is_in_one_of_its_bins() -> None:
    traits = describe_traits(cases.picture(), HAND)
    assert list(traits) == list(TRAIT_BINS)
    assert all(name in TRAIT_BINS[trait] for trait, name in traits.items())
