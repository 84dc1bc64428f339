"""Drawn training pictures: what is known of a hand agrees with what the picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.errors import UsageError
from atlas_hpe_pipelines.drawn_hand import (
    DrawStyle,
    bodies,
    default_shape,
    frame_hand,
    measure_depth,
    named_posture,
    pose_skeleton,
    project,
    sample,
    training_sample,
    turn,
)
from atlas_hpe_pipelines.drawn_hand.bodies import Body, draw_body
from atlas_hpe_pipelines.drawn_hand.held import draw_thing
from atlas_hpe_pipelines.drawn_hand.layers import Layer

SEEDS = st.integers(0, 2**32 - 1)
BLUE = np.full((8, 8, 3), (255, 0, 0), dtype=np.uint8)
PLAIN = DrawStyle(background=BLUE, shadow=0.0)


def values_at(picture: np.ndarray, joints: np.ndarray) -> np.ndarray:
    columns, rows = np.floor(joints).astype(int).T
    return picture[rows, columns].astype(float)


def body_of(pitch: float, gesture: str = "point", distance_m: float = 0.6) -> Body:
    shape = default_shape()
    hand = pose_skeleton(named_posture(gesture), shape)
    box = (80.0, 80.0, 90.0)
    view = frame_hand(hand.joints_m, turn(0.0, pitch), box_px=box, distance_m=distance_m)
    return Body(hand=hand, shape=shape, view=view)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_joints_are_inside_the_picture_and_the_mask_covers_them(seed: int) -> None:
    drawn = training_sample(np.random.default_rng(seed), 96, BLUE)
    assert drawn.picture.shape == (96, 96, 3) and drawn.picture.dtype == np.uint8
    assert drawn.mask.shape == (96, 96) and drawn.mask.dtype == np.uint8
    assert drawn.joints_px.shape == (21, 2) and drawn.depth_px.shape == (21,)
    assert (drawn.joints_px > 0).all() and (drawn.joints_px < 95).all()
    assert (values_at(drawn.mask, drawn.joints_px) > 100).all()
    assert drawn.depth_px[0] == 0.0
    extent = float(np.ptp(drawn.joints_px, axis=0).max()) / 96
    assert 0.42 - 1e-9 <= extent <= 0.72 + 1e-9
    middle = 0.5 * (drawn.joints_px.min(axis=0) + drawn.joints_px.max(axis=0)) / 96
    assert (np.abs(middle - 0.5) < 0.24).all()


def test_the_mask_leaves_out_the_background() -> None:
    drawn = training_sample(np.random.default_rng(4), 96)
    assert 0.05 < float((drawn.mask > 127).mean()) < 0.8


def test_the_same_seed_gives_the_same_training_sample() -> None:
    first, second, other = (training_sample(np.random.default_rng(seed), 96) for seed in (5, 5, 6))
    for name in ("picture", "joints_px", "depth_px", "mask", "is_right"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.picture, other.picture)


def test_a_finger_that_points_at_the_camera_is_nearer_than_the_wrist() -> None:
    body = body_of(np.deg2rad(80.0))
    depth = measure_depth(body.hand.joints_m, body.view)
    away = body_of(np.deg2rad(-80.0))
    assert depth[8] < depth[7] < depth[6] < depth[5] < 0
    assert measure_depth(away.hand.joints_m, away.view)[8] > 0
    # It is drawn so, too: the near fingertip hides the rest of its finger.
    surface, _ = draw_body(np.random.default_rng(0), body, (160, 160), PLAIN)
    tip = project(body.hand.joints_m, body.view)[8] - surface.origin_px
    assert surface.depth_px[int(tip[1]), int(tip[0])] > -0.85 * depth[8]


def test_depth_has_the_scale_of_the_picture() -> None:
    body = body_of(0.7, distance_m=60.0)  # so far away that perspective is weak
    joints = project(body.hand.joints_m, body.view)
    depth = measure_depth(body.hand.joints_m, body.view)
    space = np.column_stack([joints, depth])
    lengths = np.linalg.norm(space - space[0], axis=1)[1:]
    ratio = lengths / np.linalg.norm(body.hand.joints_m, axis=1)[1:]
    np.testing.assert_allclose(ratio, ratio[0], rtol=0.01)


def test_both_hands_and_all_kinds_of_pictures_come() -> None:
    drawn = [training_sample(np.random.default_rng((2, i)), 32, BLUE) for i in range(120)]
    assert 0.3 < float(np.mean([one.is_right for one in drawn])) < 0.7
    tips = np.array([one.depth_px[12] / np.ptp(one.joints_px, axis=0).max() for one in drawn])
    assert (tips < -0.7).sum() > 5 and (tips > 0.7).sum() > 5
    lengths = [np.linalg.norm(one.joints_px[9] - one.joints_px[0]) for one in drawn]
    turned = [one.joints_px[9, 1] > one.joints_px[0, 1] + 4 for one in drawn]
    assert 0.02 < float(np.mean(turned)) < 0.4 and min(lengths) < 3


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_held_thing_is_drawn_and_leaves_the_mask_alone(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    covers = []

    def draw_and_keep(*arguments: object) -> Layer:
        layer = draw_thing(*arguments)  # type: ignore[arg-type]
        covers.append(layer.cover)
        return layer

    monkeypatch.setattr(sample, "_HELD_SHARE", share)
    monkeypatch.setattr(sample, "_SECOND_SHARE", 0.0)
    monkeypatch.setattr(sample, "draw_thing", draw_and_keep)
    for seed in range(6):
        drawn = training_sample(np.random.default_rng(seed), 64)
        assert (values_at(drawn.mask, drawn.joints_px) > 100).all()
    assert len(covers) == 6 * int(share)
    assert all((cover > 0.9).any() for cover in covers)


def test_a_second_hand_never_hides_most_of_the_labelled_one() -> None:
    body = body_of(0.0, "open")
    joints = project(body.hand.joints_m, body.view)
    before, hidden = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        layer = sample._draw_second(rng, joints, (80.0, 80.0, 90.0), (160, 160), PLAIN)
        seen = values_at(layer.cover, joints) > 0.5
        covered = layer.cover > 0.5
        assert covered.any()
        in_front = bool((layer.depth_px[covered] > 0).all())
        assert in_front or bool((layer.depth_px[covered] < 0).all())
        before.append(in_front)
        if in_front:
            hidden.append(float(seen.mean()))
    assert 8 < sum(before) < 32
    assert 0.05 < max(hidden) <= 0.4


def test_a_glove_covers_skin_and_nails_and_leaves_the_sleeve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = body_of(0.0, "open")
    style = replace(PLAIN, sleeve_bgr=(0.0, 250.0, 0.0), nail_bgr=(250.0, 0.0, 250.0))
    monkeypatch.setattr(bodies, "random_colour", lambda _: (200.0, 40.0, 40.0))
    colours = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(bodies, "_GLOVE_SHARE", share)
        surface, layer = draw_body(np.random.default_rng(0), body, (160, 160), style)
        colours.append(layer.colours)
    hand = values_at(colours[1], project(body.hand.joints_m, body.view))
    assert (hand[:, 0] > 2 * hand[:, 2]).all()
    left, top = surface.origin_px
    rows, columns = np.nonzero(surface.cloth > 0.99)
    np.testing.assert_allclose(
        colours[1][rows + top, columns + left], colours[0][rows + top, columns + left], atol=0.5
    )


def test_a_watch_lies_around_a_bare_forearm(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of(0.0, "open")
    monkeypatch.setattr(bodies, "random_colour", lambda _: (250.0, 0.0, 0.0))
    monkeypatch.setattr(bodies, "_GLOVE_SHARE", 0.0)
    monkeypatch.setattr(bodies, "_WATCH_SHARE", 1.0)
    _, layer = draw_body(np.random.default_rng(0), body, (160, 160), PLAIN)
    blue = (layer.colours[..., 0] > 2 * layer.colours[..., 2]) & (layer.cover > 0.9)
    rows, columns = np.nonzero(blue)
    wrist = project(body.hand.joints_m, body.view)[0]
    assert rows.min() > wrist[1] + 2 and np.ptp(columns) > 15 and np.ptp(rows) < 25
    _, dressed = draw_body(
        np.random.default_rng(0), body, (160, 160), replace(PLAIN, sleeve_bgr=(0.0, 250.0, 0.0))
    )
    assert not (
        (dressed.colours[..., 0] > 2 * dressed.colours[..., 2]) & (dressed.cover > 0.9)
    ).any()


@pytest.mark.parametrize("name", ["_DARK_SHARE", "_SHADE_SHARE"])
def test_scenes_are_dimmed_in_a_share(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("_DARK_SHARE", "_SHADE_SHARE"):
        monkeypatch.setattr(sample, other, 0.0)
    white = np.full((40, 40, 3), 200.0, dtype=np.float32)
    np.testing.assert_array_equal(sample._dim(np.random.default_rng(0), white), white)
    monkeypatch.setattr(sample, name, 1.0)
    dimmed = sample._dim(np.random.default_rng(0), white)
    assert 0.3 * 200 <= dimmed.min() < 0.76 * 200
    assert dimmed.max() == pytest.approx(200, abs=1) or name == "_DARK_SHARE"


@pytest.mark.parametrize("size", [8, 100_000])
def test_an_impossible_side_of_a_training_picture_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="sides of 16 to 8192"):
        training_sample(np.random.default_rng(0), size)


@pytest.mark.parametrize(
    ("share", "drawer"), [("_HELD_SHARE", "draw_thing"), ("_SECOND_SHARE", "_draw_second")]
)
def test_things_and_second_hands_reach_the_picture(
    monkeypatch: pytest.MonkeyPatch, share: str, drawer: str
) -> None:
    ones = np.ones((64, 64), dtype=np.float32)
    green = np.zeros((64, 64, 3), dtype=np.float32)
    green[..., 1] = 200.0
    monkeypatch.setattr(sample, drawer, lambda *_: Layer(ones, 1e5 * ones, green))
    monkeypatch.setattr(sample, share, 1.0)
    picture = training_sample(np.random.default_rng(0), 64, BLUE).picture.astype(float)
    assert picture[..., 1].mean() > 3 * picture[..., 0].mean()
