"""Hands of a clip, smoothed."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Tuple

import numpy as np
import pytest
from marker_hands import Marker

from atlas_hpe.errors import UsageError
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.smoothing import SMOOTHING, HandSmoother
from atlas_hpe_pipelines.smoothing.moving_points import MovingPoints, Strength

STEP_S = 1 / 30
LEVELS = ("light", "strong")


def pose(joints: np.ndarray, track_id: Optional[int] = 0) -> HandPose:
    depth = 0.1 * joints[:, 0]
    space = np.column_stack([joints, depth]) / 1000
    box = (1.0, 2.0, 3.0, 4.0)
    return HandPose(
        joints, np.linspace(0, 1, 21), 0.9, box, 7, 1.5, "left", 0.8, track_id, space, "here", depth
    )


def noisy(count: int, noise_px: float = 1.0, palm_px: float = 30.0, seed: int = 0) -> np.ndarray:
    """(count, 21, 2) joints of a hand that stands still."""
    rng = np.random.default_rng(seed)
    joints: np.ndarray = Marker(100, 100, palm_px).joints()
    return joints + rng.normal(0, noise_px, (count, 21, 2))


def swinging(count: int, hertz: float = 1.0, step_s: float = STEP_S) -> np.ndarray:
    """(count, 21, 2) joints of a hand that moves as a whole, to and fro by twice its size."""
    times = np.arange(count) * step_s
    shift = np.stack([100 * np.sin(2 * np.pi * hertz * times), np.zeros(count)], axis=1)
    joints: np.ndarray = Marker(100, 100).joints() + shift[:, None]
    return joints


def run(
    smoother: HandSmoother, paths: np.ndarray, step_s: float = STEP_S, name: str = "joints"
) -> np.ndarray:
    return np.array(
        [
            getattr(smoother.smooth([pose(joints)], 3 + index * step_s)[0], name)
            for index, joints in enumerate(paths)
        ]
    )


def jitter(path: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=2).mean())


def test_off_changes_nothing() -> None:
    hands = [pose(noisy(1)[0]), pose(noisy(1, seed=1)[0], 1)]
    smoother = HandSmoother("off")
    for _ in range(3):
        assert smoother.smooth(hands, 0.0) == tuple(hands)
    assert smoother.added_lag_ms == 0


def test_another_level_is_refused() -> None:
    assert SMOOTHING == ("off", "light", "strong")
    with pytest.raises(UsageError, match="'heavy'"):
        HandSmoother("heavy")


@pytest.mark.parametrize("level", LEVELS)
def test_a_hand_that_does_not_move_stays(level: str) -> None:
    still = np.repeat(noisy(1), 9, axis=0)
    np.testing.assert_allclose(run(HandSmoother(level), still), still, atol=1e-9)


def test_the_first_frame_passes() -> None:
    first = pose(noisy(1)[0])
    (smooth,) = HandSmoother().smooth([first], 0.0)
    np.testing.assert_allclose(smooth.joints, first.joints, atol=1e-9)
    for name in ("depth", "joints_3d"):
        np.testing.assert_allclose(getattr(smooth, name), getattr(first, name), atol=1e-12)


def test_strong_leaves_less_jitter_than_light_than_off() -> None:
    paths = noisy(90)
    off, light, strong = (jitter(run(HandSmoother(level), paths)[10:]) for level in SMOOTHING)
    assert light < 0.5 * off
    assert strong < 0.75 * light


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_a_larger_hand_is_smoothed_alike(level: str, scale: float) -> None:
    paths = noisy(30) + swinging(30) - swinging(1)
    for name in ("joints", "depth", "joints_3d"):
        small, large = (run(HandSmoother(level), size * paths, name=name) for size in (1.0, scale))
        np.testing.assert_allclose(large, scale * small, rtol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_a_hand_elsewhere_is_smoothed_alike(level: str) -> None:
    paths, shift = noisy(30), np.array([500.0, -300.0])
    moved = run(HandSmoother(level), paths + shift)
    np.testing.assert_allclose(moved, run(HandSmoother(level), paths) + shift, atol=1e-6)


def test_a_hand_that_moves_as_a_whole_hardly_lags() -> None:
    paths = swinging(90)
    behind = np.abs(run(HandSmoother("light"), paths) - paths)[10:].max()
    most = np.abs(np.diff(paths, axis=0)).max()
    assert behind < 0.5 * most  # half a frame
    # Fingers that open and close as fast lag more.
    middle = paths.mean(axis=1, keepdims=True)
    fingers = paths[:1] + (paths - middle - (paths - middle)[:1]) * 0
    fingers[:, 8] += (middle - middle[:1])[:, 0]
    assert np.abs(run(HandSmoother("light"), fingers) - fingers)[10:, 8].max() > behind


def test_a_swing_at_half_the_frames_comes_out_much_the_same() -> None:
    fine = run(HandSmoother(), swinging(120, step_s=STEP_S / 2), STEP_S / 2)
    coarse = run(HandSmoother(), swinging(60))
    assert np.abs(fine[::2] - coarse)[5:].max() < 10  # of a swing by 200 pixels


def test_the_time_between_frames_counts() -> None:
    paths = noisy(2, 3.0)
    quick, slow = (run(HandSmoother(), paths, step_s)[1] for step_s in (0.01, 0.2))
    assert np.abs(slow - paths[1]).mean() < 0.5 * np.abs(quick - paths[1]).mean()


def test_tracks_have_nothing_to_do_with_each_other() -> None:
    one, other = noisy(20), noisy(20, seed=1) + 100
    both: List[Tuple[HandPose, ...]] = []
    smoother = HandSmoother()
    for index in range(20):
        hands = [pose(one[index], 4), pose(other[index], 9)]
        both.append(smoother.smooth(hands if index % 2 else hands[::-1], index * STEP_S))
    for number, alone in ((4, one), (9, other)):
        joints = [hand.joints for hands in both for hand in hands if hand.track_id == number]
        np.testing.assert_allclose(joints, run(HandSmoother(), alone))


def test_hands_without_numbers_are_told_apart_by_their_order() -> None:
    one, other = noisy(5), noisy(5, seed=1) + 100
    smoother = HandSmoother()
    for index in range(5):
        hands = [pose(one[index], None), pose(other[index], None)]
        smooth = smoother.smooth(hands, index * STEP_S)
    for hand, alone in zip(smooth, (one, other)):
        np.testing.assert_allclose(hand.joints, run(HandSmoother(), alone)[-1])
        assert hand.track_id is None


@pytest.mark.parametrize("value", [np.nan, 7.0])
def test_joints_that_show_no_size_pass(value: float) -> None:
    paths = np.full((3, 21, 2), value)
    np.testing.assert_array_equal(run(HandSmoother(), paths), paths)


def test_a_hand_without_a_number_starts_anew_in_another_place() -> None:
    before, after = (pose(joints, None) for joints in noisy(2, 2.0))
    for box, anew in ((before.box, False), ((0.0, 0.0, 9.0, 9.0), True)):
        smoother = HandSmoother()
        smoother.smooth([before], 0.0)
        (smooth,) = smoother.smooth([replace(after, box=box)], STEP_S)
        assert np.allclose(smooth.joints, after.joints, atol=1e-9) is anew


def test_the_box_of_a_hand_that_is_followed_moves() -> None:
    smoother = HandSmoother()
    before, after = (pose(joints) for joints in noisy(2, 2.0))
    smoother.smooth([before], 0.0)
    (smooth,) = smoother.smooth([replace(after, box=(0.0, 0.0, 9.0, 9.0))], STEP_S)
    assert not np.allclose(smooth.joints, after.joints, atol=0.1)


@pytest.mark.parametrize(
    ("time_s", "anew"), [(1.0, True), (0.5, True), (1.3, True), (1.2, False), (1.03, False)]
)
def test_a_hand_starts_anew_after_a_gap_or_when_time_does_not_go_on(
    time_s: float, anew: bool
) -> None:
    smoother = HandSmoother()
    before, after = noisy(2, 2.0)
    smoother.smooth([pose(before)], 1.0)
    (smooth,) = smoother.smooth([pose(after)], time_s)
    assert np.allclose(smooth.joints, after, atol=1e-9) is anew


def test_a_hand_that_was_gone_for_a_moment_goes_on() -> None:
    smoother = HandSmoother()
    before, after = noisy(2, 2.0)
    smoother.smooth([pose(before)], 1.0)
    smoother.smooth([], 1.1)
    (smooth,) = smoother.smooth([pose(after)], 1.2)
    assert not np.allclose(smooth.joints, after, atol=0.1)


def test_hands_that_are_gone_are_forgotten() -> None:
    smoother = HandSmoother()
    for index in range(500):
        smoother.smooth([pose(noisy(1)[0], index)], index * STEP_S)
    assert len(smoother._tracks) <= 9


def test_a_joint_that_is_not_found_stays_so_and_leaves_the_others_alone() -> None:
    paths = noisy(30)
    holey = paths.copy()
    holey[10:20:3, 8] = np.nan
    smooth, whole = run(HandSmoother(), holey), run(HandSmoother(), paths)
    np.testing.assert_array_equal(np.isnan(smooth), np.isnan(holey))
    others = [joint for joint in range(21) if joint != 8]
    assert np.abs(smooth - whole)[:, others].max() < 0.2


def test_a_joint_that_comes_back_elsewhere_is_there_at_once() -> None:
    paths = np.repeat(noisy(1), 4, axis=0)
    paths[1, 8] = np.nan
    paths[2:, 8] += 60
    np.testing.assert_allclose(run(HandSmoother("strong"), paths)[2], paths[2], atol=1e-9)


@pytest.mark.filterwarnings("error")
def test_a_hand_without_any_joint_passes() -> None:
    nothing = np.full((21, 2), np.nan)
    paths = np.stack([nothing, *noisy(5), nothing, *noisy(5)])
    smooth = run(HandSmoother(), paths)
    assert np.isnan(smooth[[0, 6]]).all()
    np.testing.assert_allclose(smooth[[1, 7]], paths[[1, 7]], atol=1e-9)
    np.testing.assert_allclose(smooth[1:6], run(HandSmoother(), paths[1:6]))


def test_a_hand_that_comes_nearer_is_smoothed_as_a_near_one() -> None:
    near = 5 * noisy(90)
    came = run(HandSmoother("strong"), np.concatenate([noisy(30), near]))
    jitters = [jitter(path[-30:]) for path in (came, run(HandSmoother("strong"), near))]
    assert jitters[0] == pytest.approx(jitters[1], rel=0.1)


def test_the_size_of_a_hand_does_not_leap_with_joints_that_are_missing() -> None:
    points = MovingPoints(Strength((1.0, 1.0), (1.0, 1.0)))
    (joints,) = noisy(1)
    points.smooth(joints, STEP_S)
    assert points.size == np.ptp(joints, axis=0).max()
    few = joints.copy()
    few[9:] = np.nan
    points.smooth(few, STEP_S)
    assert points.size == pytest.approx(np.ptp(joints, axis=0).max(), rel=0.1)
    for _ in range(60):
        points.smooth(few, STEP_S)
    assert points.size == pytest.approx(np.ptp(few[:9], axis=0).max(), rel=0.1)


def test_depth_and_space_are_smoothed_and_the_rest_is_not() -> None:
    smoother = HandSmoother("strong")
    hands = [pose(joints) for joints in noisy(60)]
    smooth = [smoother.smooth([hand], index * STEP_S)[0] for index, hand in enumerate(hands)]
    for name in ("depth", "joints_3d"):
        before, after = (
            np.std([getattr(hand, name) for hand in group[20:]], axis=0).mean()
            for group in (hands, smooth)
        )
        assert after < 0.6 * before
    smoothed = ("joints", "depth", "joints_3d")
    for name, value in vars(hands[-1]).items():
        assert name in smoothed or getattr(smooth[-1], name) is value


def test_what_a_network_does_not_say_stays_unsaid() -> None:
    hand = replace(pose(noisy(1)[0]), depth=None, joints_3d=None, joints_3d_frame=None)
    smoother = HandSmoother()
    for index in range(3):
        (smooth,) = smoother.smooth([hand], index * STEP_S)
    assert (smooth.depth, smooth.joints_3d) == (None, None)


def test_the_joints_that_came_in_are_not_written_to() -> None:
    paths = noisy(5)
    kept = paths.copy()
    run(HandSmoother(), paths)
    np.testing.assert_array_equal(paths, kept)


@pytest.mark.parametrize("level", LEVELS)
def test_there_is_no_lag_before_any_movement(level: str) -> None:
    smoother = HandSmoother(level)
    assert smoother.added_lag_ms is None
    run(smoother, noisy(60, 0.05))
    assert smoother.added_lag_ms is None


def correlated_lag_ms(raw: np.ndarray, smooth: np.ndarray) -> float:
    """The shift at which the two paths agree best, for steps of two milliseconds."""
    shifts = range(60)
    count = len(raw) - len(shifts)
    away = [np.square(raw[:count] - smooth[by : by + count]).sum() for by in shifts]
    return 2.0 * float(np.argmin(away))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("hertz", [0.5, 1.5])
def test_the_lag_is_that_of_cross_correlation(level: str, hertz: float) -> None:
    smoother = HandSmoother(level)
    raw = swinging(1200, hertz, 0.002)
    smooth = run(smoother, raw, 0.002)
    lag_ms = smoother.added_lag_ms
    assert lag_ms is not None and lag_ms > 1
    expected = correlated_lag_ms(raw[100:], smooth[100:])
    assert lag_ms == pytest.approx(expected, abs=2.0, rel=0.1)


def test_a_faster_hand_has_less_lag_and_strong_more_than_light() -> None:
    lags = {}
    for level in LEVELS:
        for hertz in (0.2, 2.0):
            smoother = HandSmoother(level)
            run(smoother, swinging(200, hertz))
            lags[level, hertz] = smoother.added_lag_ms or 0.0
    assert lags["light", 2.0] < 0.5 * lags["light", 0.2]
    assert lags["strong", 2.0] > 1.3 * lags["light", 2.0]


def test_joints_that_were_not_found_do_not_count_as_lag() -> None:
    paths = swinging(60)
    holey = paths.copy()
    holey[::7, 3] = np.nan
    lags = []
    for path in (paths, holey):
        smoother = HandSmoother()
        run(smoother, path)
        lags.append(smoother.added_lag_ms)
    assert lags[1] == pytest.approx(lags[0], rel=0.1)
