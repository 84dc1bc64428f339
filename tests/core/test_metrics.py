"""NME, PCK and matching: exact figures, and what they must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.metrics import (
    DETECTED_BELOW,
    box_side_px,
    joint_errors,
    match_hands,
    nme,
    pck,
    pck_curve,
)

#: A square of 100 px: box side 100, so an error in px is a percentage.
CORNERS = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 80.0], [0.0, 80.0]])
ALL = np.ones(4, bool)


def moved(*distances: float) -> np.ndarray:
    """The corners, each moved by so many pixels along (0.6, 0.8)."""
    return CORNERS + np.array(distances)[:, None] * (0.6, 0.8)


def shifted(x: float) -> np.ndarray:
    return CORNERS + np.array([x, 0.0])


def test_the_reference_is_the_longer_side_of_the_labelled_box() -> None:
    assert box_side_px(CORNERS) == 100
    assert box_side_px(CORNERS[:, ::-1]) == 100
    assert box_side_px(CORNERS, np.array([True, False, False, True])) == 80
    assert box_side_px(CORNERS, ~ALL) == 0


def test_errors_are_distances_over_the_box() -> None:
    errors = joint_errors(moved(0, 5, 10, 25), CORNERS)
    np.testing.assert_allclose(errors, [0, 0.05, 0.1, 0.25], atol=1e-12)
    assert nme(errors) == pytest.approx(0.1)


def test_a_perfect_answer_has_no_error() -> None:
    errors = joint_errors(CORNERS, CORNERS)
    assert (nme(errors), pck(errors, 0.0)) == (0.0, 1.0)


def test_invisible_joints_do_not_count() -> None:
    visible = np.array([True, True, True, False])
    errors = joint_errors(moved(1, 1, 1, 1e6), CORNERS, visible)
    assert np.isnan(errors).tolist() == [False, False, False, True]
    assert nme(errors) == pytest.approx(0.01)
    assert pck(errors, 0.05) == 1.0


def test_a_joint_that_was_not_found_is_wrong_at_any_threshold_and_leaves_the_mean_alone() -> None:
    found = moved(10, 10, 10, 10)
    found[2] = np.nan
    errors = joint_errors(found, CORNERS)
    assert errors[2] == math.inf
    assert nme(errors) == pytest.approx(0.1)
    assert pck(errors, 0.2) == 0.75
    assert pck(errors, 1e9) == 0.75


def test_pck_takes_the_threshold_itself_in() -> None:
    errors = np.array([0.1, 0.2, 0.3, 0.4])
    assert [pck(errors, limit) for limit in (0.05, 0.1, 0.3)] == [0.0, 0.25, 0.75]


def test_without_a_label_there_is_no_figure() -> None:
    nothing = np.full(4, np.nan)
    assert nme(nothing) is None
    assert pck(nothing, 0.1) is None
    assert np.isnan(pck_curve(nothing, np.array([0.1, 0.2]))).all()
    assert nme(np.full(4, np.inf)) is None


def test_labels_on_one_spot_are_refused() -> None:
    with pytest.raises(ValueError, match="no box"):
        joint_errors(CORNERS, np.zeros((4, 2)))


@given(
    errors=st.lists(st.one_of(st.floats(0, 2), st.just(math.inf), st.just(math.nan)), min_size=1)
)
def test_the_curve_is_pck_at_each_threshold(errors: list) -> None:
    thresholds = np.linspace(0, 0.5, 6)
    curve = pck_curve(np.array(errors), thresholds)
    expected = [pck(np.array(errors), float(limit)) for limit in thresholds]
    np.testing.assert_allclose(curve, [np.nan if item is None else item for item in expected])
    assert (np.diff(curve) >= 0).all() or np.isnan(curve).all()


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_the_error_knows_neither_scale_nor_place(seed: int, scale: float, shift: tuple) -> None:
    generator = np.random.default_rng(seed)
    labelled, found = generator.uniform(0, 200, (2, 21, 2))
    plain = joint_errors(found, labelled)
    elsewhere = joint_errors(found * scale + shift, labelled * scale + shift)
    np.testing.assert_allclose(elsewhere, plain, rtol=1e-6)


def test_hands_are_matched_one_to_one_the_closest_first() -> None:
    labelled = [CORNERS, shifted(60)]
    found = [shifted(40), shifted(55), shifted(900)]
    matching = match_hands(found, labelled, [ALL, ALL])
    assert matching.found_of == {1: 1, 0: 0}
    assert (matching.missed, matching.false_alarms) == ((), (2,))


def test_one_answer_is_not_two_hands() -> None:
    matching = match_hands([shifted(10)], [CORNERS, shifted(40)], [ALL, ALL])
    assert (matching.found_of, matching.missed) == ({0: 0}, (1,))


def test_a_second_answer_to_one_hand_is_a_false_alarm() -> None:
    matching = match_hands([CORNERS + 3, CORNERS + 1], [CORNERS], [ALL])
    assert matching.found_of == {0: 1}
    assert matching.false_alarms == (0,)


@pytest.mark.parametrize(("off_px", "is_found"), [(49.9, True), (50.0, False)])
def test_a_hand_is_found_below_half_of_its_box(off_px: float, is_found: bool) -> None:
    assert DETECTED_BELOW == 0.5
    matching = match_hands([shifted(off_px)], [CORNERS], [ALL])
    assert (matching.found_of == {0: 0}) == is_found
    assert matching.missed == (() if is_found else (0,))
    assert matching.false_alarms == (() if is_found else (0,))


def test_invisible_joints_do_not_keep_hands_apart() -> None:
    visible = np.array([True, True, True, False])
    found = CORNERS.copy()
    found[3] += 1e5
    assert match_hands([found], [CORNERS], [visible]).found_of == {0: 0}


def test_nothing_found_and_nothing_labelled() -> None:
    assert match_hands([], [CORNERS], [ALL]).missed == (0,)
    assert match_hands([CORNERS], [], []).false_alarms == (0,)
