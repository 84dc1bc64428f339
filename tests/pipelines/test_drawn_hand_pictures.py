"""The drawn hand's pictures: the joints are where the picture shows them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.errors import UsageError
from atlas_hpe_pipelines.drawn_hand import (
    GESTURES,
    DrawnClip,
    DrawStyle,
    default_shape,
    draw_background,
    draw_hand,
    frame_hand,
    iter_clip,
    named_posture,
    pose_skeleton,
    project,
    random_sample,
    turn,
)
from atlas_hpe_pipelines.drawn_hand.camera import View
from atlas_hpe_pipelines.drawn_hand.flesh import CLOTH, PALM, Flesh
from atlas_hpe_pipelines.drawn_hand.raster import rasterise

BLUE = np.full((8, 8, 3), (255, 0, 0), dtype=np.uint8)
PLAIN = DrawStyle(background=BLUE, shadow=0.0)


def colours_at(picture: np.ndarray, joints: np.ndarray) -> np.ndarray:
    columns, rows = np.floor(joints).astype(int).T
    return picture[rows, columns].astype(float)


def one_capsule(start: tuple, end: tuple, radius: float) -> Flesh:
    return Flesh(
        ends_m=np.array([[start, end]], dtype=float),
        radii_m=np.full((1, 2), radius),
        palmar=np.array([[0.0, 0.0, 1.0]]),
        kinds=np.array([CLOTH]),
        blend_m=np.array([1e-3]),
    )


FAR_VIEW = View(  # so far away that the rays are parallel: 1 m is 1000 px
    rotation=np.diag([1.0, -1.0, -1.0]),
    position_m=np.array([0.0, 0.0, 1000.0]),
    focal_px=1e6,
    centre_px=np.array([50.0, 50.0]),
)


def test_a_capsule_along_the_picture_has_the_outline_and_depth_of_a_rounded_bar() -> None:
    surface = rasterise(one_capsule((-0.02, 0, 0), (0.02, 0, 0), 0.01), FAR_VIEW, (100, 100))
    assert float(surface.cover.sum()) == pytest.approx(40 * 20 + np.pi * 100, rel=0.01)
    left, top = surface.origin_px
    assert float(surface.depth_px[50 - top, 50 - left]) == pytest.approx(10.0, abs=0.05)
    assert float(surface.depth_px[56 - top, 50 - left]) == pytest.approx(8.0, abs=0.05)
    normal = [float(channel[56 - top, 50 - left]) for channel in surface.normal]
    np.testing.assert_allclose(normal, [0.0, 0.6, 0.8], atol=0.01)


def test_a_capsule_that_points_at_the_camera_is_a_ball_at_its_near_end() -> None:
    surface = rasterise(one_capsule((0, 0, -0.03), (0, 0, 0.02), 0.01), FAR_VIEW, (100, 100))
    left, top = surface.origin_px
    assert float(surface.cover.sum()) == pytest.approx(np.pi * 100, rel=0.01)
    assert float(surface.depth_px[50 - top, 50 - left]) == pytest.approx(30.0, abs=0.1)


def test_a_slanted_capsule_has_the_depth_of_a_slanted_cylinder() -> None:
    surface = rasterise(one_capsule((-0.03, 0, -0.03), (0.03, 0, 0.03), 0.01), FAR_VIEW, (100, 100))
    left, top = surface.origin_px
    # The near surface of a cylinder of radius r at 45 degrees is r sqrt(2) above its axis.
    assert float(surface.depth_px[50 - top, 50 - left]) == pytest.approx(10 * np.sqrt(2), abs=0.1)
    assert float(surface.depth_px[50 - top, 60 - left]) == pytest.approx(
        10 + 10 * np.sqrt(2), abs=0.1
    )


@pytest.mark.parametrize("near_first", [False, True])
def test_the_nearer_capsule_hides_the_other_whatever_the_order(near_first: bool) -> None:
    near, far = (one_capsule((-0.02, 0, depth), (0.02, 0, depth), 0.01) for depth in (0.05, -0.05))
    far = replace(far, kinds=np.array([PALM]))
    both = (near, far) if near_first else (far, near)
    names = ("ends_m", "radii_m", "palmar", "kinds", "blend_m")
    flesh = Flesh(**{name: np.concatenate([getattr(f, name) for f in both]) for name in names})
    surface = rasterise(flesh, FAR_VIEW, (100, 100))
    left, top = surface.origin_px
    assert float(surface.cloth[50 - top, 50 - left]) == pytest.approx(1.0)
    assert float(surface.depth_px[50 - top, 50 - left]) == pytest.approx(60.0, abs=0.1)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("is_right", [False, True])
@pytest.mark.parametrize("name", GESTURES)
def test_the_picture_shows_skin_at_the_joints(name: str, is_right: bool, back: bool) -> None:
    posture = named_posture(name, is_right=is_right)
    hand = pose_skeleton(posture, default_shape())
    view = frame_hand(hand.joints_m, turn(0.2, 0.1, back=back), box_px=(100, 100, 140))
    picture, joints = draw_hand(posture, view, 200, PLAIN, np.random.default_rng(1))
    colours = colours_at(picture, joints)
    assert (colours[:, 2] > colours[:, 0]).all()
    mean = colours.mean(axis=0)
    assert mean[2] > mean[1] > mean[0] > 30


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_samples_show_something_else_than_the_background_at_the_joints(seed: int) -> None:
    picture, joints, is_right = random_sample(np.random.default_rng(seed), 128, BLUE)
    assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8
    assert joints.shape == (21, 2) and joints.dtype == np.float64
    assert isinstance(is_right, bool)
    assert (joints > 0).all() and (joints < 127).all()
    extent = float(np.ptp(joints, axis=0).max()) / 128
    assert 0.42 - 1e-9 <= extent <= 0.72 + 1e-9
    # Blue stays above 150 in the background even under blur, noise and shadow; skin does not
    # lose its red so far.
    colours = colours_at(picture, joints)
    assert (colours[:, 0] - colours[:, 2] < 100).mean() > 0.9


def test_joints_are_the_projection_of_the_joint_centres() -> None:
    posture = named_posture("relaxed", is_right=False)
    hand = pose_skeleton(posture, default_shape())
    view = frame_hand(hand.joints_m, turn(0.5, -0.3, 0.2), box_px=(60, 50, 70))
    _, joints = draw_hand(posture, view, (120, 100), PLAIN, np.random.default_rng(0))
    np.testing.assert_array_equal(joints, project(hand.joints_m, view) + 0.5)


def test_the_middle_of_a_fingertip_is_its_joint() -> None:
    posture = named_posture("count1")
    hand = pose_skeleton(posture, default_shape())
    view = frame_hand(hand.joints_m, turn(), box_px=(200, 200, 300))
    picture, joints = draw_hand(posture, view, 400, PLAIN, np.random.default_rng(0))
    skin = picture[..., 2] > 60
    rows, columns = np.nonzero(skin[: int(joints[8, 1])])
    # Above the tip joint there is only the round end of the index finger.
    assert float(columns.mean()) == pytest.approx(float(joints[8, 0]), abs=1.0)
    radius = float(default_shape().radii_m[8]) * view.focal_px / float(view.position_m[2])
    assert float(joints[8, 1]) - rows.min() == pytest.approx(radius, rel=0.12)


def test_a_left_hand_is_drawn_as_the_mirror_image() -> None:
    style = replace(PLAIN, light=(0.0, -0.5, 0.8))
    pictures = []
    for is_right in (True, False):
        posture = named_posture("count3", is_right=is_right)
        view = View(turn(), np.array([0.0, 0.08, 0.6]), 300.0, np.array([74.5, 74.5]))
        picture, _ = draw_hand(posture, view, 150, style, np.random.default_rng(3))
        pictures.append(picture.astype(int))
    difference = np.abs(pictures[0] - pictures[1][:, ::-1]).mean()
    assert difference < 1.5  # the texture of the skin is not mirrored


def test_the_same_seed_gives_the_same_sample() -> None:
    first, second, other = (random_sample(np.random.default_rng(seed), 96) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_drawing_leaves_the_global_random_state_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    random_sample(np.random.default_rng(0), 64)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_a_given_background_is_used_and_not_changed() -> None:
    background = np.full((50, 90, 3), (10, 200, 30), dtype=np.uint8)
    kept = background.copy()
    style = DrawStyle(background=background, shadow=0.0)
    posture = named_posture("fist")
    joints = pose_skeleton(posture, default_shape()).joints_m
    view = frame_hand(joints, turn(), box_px=(40, 60, 40))
    picture, _ = draw_hand(posture, view, 120, style, np.random.default_rng(0))
    np.testing.assert_array_equal(picture[:10, 100:], np.broadcast_to((10, 200, 30), (10, 20, 3)))
    np.testing.assert_array_equal(background, kept)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(16, 90), height=st.integers(16, 90))
def test_backgrounds_have_the_size_asked_for_and_repeat(seed: int, width: int, height: int) -> None:
    first, second = (
        draw_background(np.random.default_rng(seed), (width, height)) for _ in range(2)
    )
    assert first.shape == (height, width, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("background", [np.zeros((5, 5)), np.zeros((5, 0, 3))])
def test_a_background_that_is_no_colour_picture_is_refused(background: np.ndarray) -> None:
    with pytest.raises(UsageError, match="colour picture"):
        random_sample(np.random.default_rng(0), 64, background)


@pytest.mark.parametrize("size", [0, 8, 100_000, (480, 4)])
def test_an_impossible_size_is_refused(size: object) -> None:
    with pytest.raises(UsageError, match="sides of 16 to 8192"):
        DrawnClip(size_px=(size, size) if isinstance(size, int) else size)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_a_hand_outside_the_frame_leaves_the_background(seed: int) -> None:
    posture = named_posture("fist")
    joints = pose_skeleton(posture, default_shape()).joints_m
    far = [(-900, 60), (900, 60), (60, 900), (-900, -900)][seed]
    view = frame_hand(joints, turn(), box_px=(*far, 40))
    picture, _ = draw_hand(posture, view, 64, PLAIN, np.random.default_rng(0))
    assert picture.shape == (64, 64, 3)
    if seed < 2:
        np.testing.assert_array_equal(picture[5, 5], BLUE[0, 0])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("size", [(480, 480), (160, 284), (320, 240)])
def test_the_hand_of_a_clip_stays_in_the_frame_and_fills_half_of_it(seed: int, size: tuple) -> None:
    # Few frames per second over all gestures: the motion does not depend on the frame rate.
    for _, joints, _ in iter_clip(24, size_px=size, fps=2.2, seed=seed):
        assert (joints > 0).all() and (joints < np.array(size) - 1).all()
        fill = float(np.ptp(joints, axis=0).max()) / min(size)
        assert 0.45 <= fill <= 0.70


def test_a_clip_repeats_and_moves() -> None:
    clip = DrawnClip(frames=4, size_px=(96, 96), fps=5.0, seed=9)
    assert len(clip) == 4
    first, second = list(clip), list(clip)
    for (picture, joints, time_s), (again, joints_again, time_again) in zip(first, second):
        np.testing.assert_array_equal(picture, again)
        np.testing.assert_array_equal(joints, joints_again)
        assert time_s == time_again
    assert [time_s for _, _, time_s in first] == [0.0, 0.2, 0.4, 0.6]
    assert np.abs(first[0][1] - first[3][1]).max() > 2


def test_a_clip_of_two_hands_has_a_right_one_on_the_left_half() -> None:
    clip = DrawnClip(frames=2, size_px=(320, 160), hands=2)
    assert clip.is_right == (True, False)
    for _, joints, _ in clip:
        assert joints.shape == (2, 21, 2)
        assert joints[0, :, 0].max() < 160 < joints[1, :, 0].min()


@pytest.mark.parametrize(
    "wrong", [{"frames": 0}, {"fps": 0.0}, {"fps": float("nan")}, {"seed": -1}, {"hands": 3}]
)
def test_impossible_numbers_for_a_clip_are_refused_at_once(wrong: dict) -> None:
    with pytest.raises(UsageError, match="impossible " + next(iter(wrong))):
        iter_clip(**{"frames": 2, **wrong})


def test_the_colour_at_the_joints_of_a_clip_is_near_its_skin() -> None:
    clip = DrawnClip(frames=5, size_px=(240, 240), fps=2.0, seed=3)
    means = np.stack([colours_at(picture, joints).mean(axis=0) for picture, joints, _ in clip])
    assert (means[:, 2] > means[:, 1]).all() and (means[:, 1] > means[:, 0]).all()
    assert float(np.ptp(means, axis=0).max()) < 70
