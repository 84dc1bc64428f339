"""What drawn hands do and hold: postures, views, things, and the depth order of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe_pipelines.drawn_hand import (
    DrawStyle,
    View,
    default_shape,
    frame_hand,
    pose_skeleton,
    random_shape,
    turn,
)
from atlas_hpe_pipelines.drawn_hand.bodies import Body, draw_body
from atlas_hpe_pipelines.drawn_hand.held import Ball, draw_thing, fit_thing
from atlas_hpe_pipelines.drawn_hand.layers import Layer, merge_layers
from atlas_hpe_pipelines.drawn_hand.skeleton import ANGLE_LIMITS_RAD, WRIST_LIMITS_RAD, PosedHand
from atlas_hpe_pipelines.drawn_hand.solids import Prism, draw_prism
from atlas_hpe_pipelines.drawn_hand.variety import (
    GRIPS_DEG,
    overlap_share,
    vary_posture,
    vary_rotation,
)

SEEDS = st.integers(0, 2**32 - 1)
PLAIN = DrawStyle(shadow=0.0)
FAR_VIEW = View(  # so far away that the rays are parallel: 1 m is 1000 px
    rotation=np.diag([1.0, -1.0, -1.0]),
    position_m=np.array([0.0, 0.0, 1000.0]),
    focal_px=1e6,
    centre_px=np.array([50.0, 50.0]),
)
RED, GREEN = (0.0, 0.0, 200.0), (0.0, 200.0, 0.0)


def flat_layer(cover: float, depth: float, colour: tuple) -> Layer:
    shape = (9, 9)
    return Layer(
        cover=np.full(shape, cover, dtype=np.float32),
        depth_px=np.full(shape, depth, dtype=np.float32),
        colours=np.full((*shape, 3), colour, dtype=np.float32),
    )


def grip_hand(seed: int, grip: str) -> PosedHand:
    posture = vary_posture(np.random.default_rng(seed), default_shape(), is_right=True, grip=grip)
    return pose_skeleton(posture, default_shape())


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, grip=st.sampled_from(["", *GRIPS_DEG]))
def test_varied_postures_keep_the_limits_of_the_joints(seed: int, grip: str) -> None:
    rng = np.random.default_rng(seed)
    posture = vary_posture(rng, random_shape(rng), is_right=False, grip=grip)
    assert not posture.is_right
    for angles, limits in (
        (posture.angles_rad, ANGLE_LIMITS_RAD), (posture.wrist_rad, WRIST_LIMITS_RAD)
    ):  # fmt: skip
        assert (angles >= limits[..., 0] - 1e-12).all()
        assert (angles <= limits[..., 1] + 1e-12).all()


def test_fingers_do_not_run_through_each_other() -> None:
    shape, rng = default_shape(), np.random.default_rng(0)
    shares = [
        overlap_share(
            pose_skeleton(vary_posture(rng, shape, is_right=True), shape).joints_m, shape.radii_m
        )
        for _ in range(150)
    ]
    assert np.mean(np.array(shares) >= 0.55) > 0.97


def test_the_overlap_is_one_where_flesh_touches_and_small_where_bones_cross() -> None:
    shape = default_shape()
    joints = pose_skeleton(vary_posture(np.random.default_rng(0), shape, is_right=True), shape)
    places = np.arange(21)[:, None] * np.array([10.0, 0.0, 0.0])  # all far from each other
    places[4], places[8] = (0.0, 5.0, 0.0), (0.0, 5.0, 0.03)
    radii = np.full(21, 0.015)
    assert overlap_share(places, radii) == pytest.approx(1.0)
    places[8] = places[4] + (0.0, 0.0, 0.003)
    assert overlap_share(places, radii) == pytest.approx(0.1)
    assert overlap_share(joints.joints_m, shape.radii_m) > 0.5


def test_postures_differ_from_fist_to_open_hand() -> None:
    rng, shape = np.random.default_rng(0), default_shape()
    bends = np.array(
        [vary_posture(rng, shape, is_right=True).angles_rad[1:, 1:3].sum(1) for _ in range(200)]
    )
    assert ((bends > 2.3).all(axis=1)).mean() > 0.05
    assert ((bends < 0.6).all(axis=1)).mean() > 0.04
    assert (np.ptp(bends, axis=1) > 1.5).mean() > 0.2


def test_views_come_from_all_sides() -> None:
    rng = np.random.default_rng(0)
    hand = grip_hand(0, "")
    turns = np.stack([vary_rotation(rng, hand) for _ in range(400)])
    np.testing.assert_allclose(np.linalg.det(turns), 1.0)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (400, 1, 1)),
                               atol=1e-12)  # fmt: skip
    fingers, palm, side = turns[:, 2, 1], turns[:, 2, 2], turns[:, 2, 0]
    for share in ((palm < -0.7), (palm > 0.7), (fingers < -0.8), (np.abs(side) > 0.8)):
        assert share.mean() > 0.08
    assert (fingers > 0.5).mean() > 0.05
    elbow = hand.elbow_m / np.linalg.norm(hand.elbow_m)
    assert (turns[:, 2] @ elbow).min() >= -0.87
    across = turns[:, :2] @ hand.joints_m[9]
    flat = np.linalg.norm(across, axis=1) > 0.04
    angle = np.rad2deg(np.arctan2(across[flat, 0], -across[flat, 1]))
    assert 0.65 < (np.abs(angle) < 20.01).mean() < 0.9
    assert np.abs(angle).max() > 150


@pytest.mark.parametrize("first_in_front", [False, True])
def test_the_nearer_layer_hides_the_other_and_shades_it(first_in_front: bool) -> None:
    near, far = flat_layer(1.0, 30.0, RED), flat_layer(1.0, 10.0, GREEN)
    pair = (near, far) if first_in_front else (far, near)
    merged = merge_layers(*pair, (0.0, 0.0), 4.0)
    np.testing.assert_allclose(merged.colours[4, 4], RED)
    np.testing.assert_allclose(merged.depth_px[4, 4], 30.0)
    np.testing.assert_allclose(merged.cover, 1.0)


def test_half_a_layer_lets_the_other_through() -> None:
    merged = merge_layers(
        flat_layer(0.5, 30.0, RED), flat_layer(0.5, 10.0, (0, 0, 0)), (0.0, 0.0), 4
    )
    np.testing.assert_allclose(merged.cover, 0.75)
    np.testing.assert_allclose(merged.colours[4, 4, 2], 200.0 * 0.5 / 0.75, rtol=1e-5)


def test_what_lies_above_throws_its_shadow_away_from_the_light() -> None:
    near, far = flat_layer(1.0, 30.0, RED), flat_layer(1.0, 0.0, GREEN)
    near.cover[:, 4:] = 0.0  # the left side is covered
    lit = merge_layers(near, far, (-1.0, 0.0), 4.0)  # the light comes from the left
    assert lit.colours[4, 5, 1] < 150 and lit.colours[4, 8, 1] > 195
    other = merge_layers(near, far, (1.0, 0.0), 4.0)
    assert other.colours[4, 5, 1] > lit.colours[4, 5, 1] + 30


def test_a_box_has_the_area_depth_and_light_of_its_front() -> None:
    axes = np.diag([0.02, 0.01, 0.005])
    prism = Prism(np.array([0.0, 0.0, 0.03]), axes, 4, RED, GREEN)
    layer = draw_prism(prism, FAR_VIEW, (100, 100), replace(PLAIN, light=(0.0, 0.0, 1.0)))
    assert float(layer.cover.sum()) == pytest.approx(41 * 21, rel=0.05)
    assert float(layer.depth_px[50, 50]) == pytest.approx(35.0, abs=0.1)
    expected = 200.0 * (PLAIN.ambient + PLAIN.light_gain)
    np.testing.assert_allclose(layer.colours[50, 50], [0.0, expected, 0.0], rtol=1e-3)
    dark = draw_prism(prism, FAR_VIEW, (100, 100), replace(PLAIN, light=(0.0, 0.0, -1.0)))
    assert dark.colours[50, 50, 1] == pytest.approx(200.0 * PLAIN.ambient, rel=1e-3)


def test_a_slanted_face_has_a_slope_of_depth() -> None:
    half = np.sqrt(0.5)
    axes = np.array([[0.02 * half, 0, 0.02 * half], [0, 0.01, 0], [0.001, 0, -0.001]])
    layer = draw_prism(Prism(np.zeros(3), axes, 4, RED, RED), FAR_VIEW, (100, 100), PLAIN)
    slope = float(layer.depth_px[50, 58] - layer.depth_px[50, 42])
    assert slope == pytest.approx(16.0, abs=0.1)


def test_a_round_rod_is_as_wide_as_its_radius() -> None:
    axes = np.array([[0.0, 0.01, 0.0], [0.0, 0.0, 0.01], [0.03, 0.0, 0.0]])
    layer = draw_prism(Prism(np.zeros(3), axes, 12, RED, RED), FAR_VIEW, (100, 100), PLAIN)
    assert float(layer.cover[:, 50].sum()) == pytest.approx(20.0, abs=1.5)
    assert float(layer.depth_px[50, 50]) == pytest.approx(10.0, abs=0.5)


def test_a_thing_outside_the_picture_covers_nothing() -> None:
    prism = Prism(np.array([5.0, 0.0, 0.0]), np.eye(3) * 0.01, 4, RED, RED)
    assert not draw_prism(prism, FAR_VIEW, (64, 48), PLAIN).cover.any()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, grip=st.sampled_from(tuple(GRIPS_DEG)))
def test_things_touch_the_hand_without_a_joint_in_them(seed: int, grip: str) -> None:
    hand, shape = grip_hand(seed, grip), default_shape()
    thing = fit_thing(np.random.default_rng(seed), grip, hand, shape)
    offset = hand.joints_m - thing.centre_m
    if isinstance(thing, Ball):
        gap = np.linalg.norm(offset, axis=1) - thing.radius_m
    else:
        half = np.linalg.norm(thing.axes_m, axis=1)
        inside = np.abs(offset @ (thing.axes_m / half[:, None]).T) - half
        gap = inside.max(axis=1)
    assert gap.min() > -0.004  # flesh yields, bones do not
    assert (gap - shape.radii_m).min() < 0.012


@pytest.mark.parametrize(
    ("grip", "yaw", "pitch"), [("cylinder", 0.9, 0.4), ("pen", 0.9, 0.4), ("slab", 0.0, 1.3)]
)
def test_some_parts_of_a_hand_are_before_and_some_behind_what_it_holds(
    grip: str, yaw: float, pitch: float
) -> None:
    hand, shape = grip_hand(1, grip), default_shape()
    view = frame_hand(hand.joints_m, turn(yaw, pitch), box_px=(80, 80, 110))
    _, body = draw_body(np.random.default_rng(0), Body(hand, shape, view), (160, 160), PLAIN)
    thing = draw_thing(
        fit_thing(np.random.default_rng(3), grip, hand, shape), view, (160, 160), PLAIN
    )
    both = (body.cover > 0.9) & (thing.cover > 0.9)
    before = float((body.depth_px > thing.depth_px)[both].mean())
    assert both.sum() > 30 and 0.05 < before < 0.95


def test_a_ball_is_drawn_in_its_colour_at_its_place() -> None:
    ball = Ball(np.array([0.01, 0.0, 0.02]), 0.01, (200.0, 0.0, 0.0))
    layer = draw_thing(ball, FAR_VIEW, (100, 100), PLAIN)
    assert float(layer.cover.sum()) == pytest.approx(np.pi * 100, rel=0.02)
    assert float(layer.depth_px[50, 60]) == pytest.approx(30.0, abs=0.1)
    blue, _, red = layer.colours[50, 60]
    assert blue > red + 60


def test_tips_meet_in_a_pinch() -> None:
    for seed in range(10):
        joints = grip_hand(seed, "pinch").joints_m
        assert float(np.linalg.norm(joints[4] - joints[8])) < 0.055
