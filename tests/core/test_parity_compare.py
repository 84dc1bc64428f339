"""The comparison itself: its figures, and what counts as the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity_cases import CARD, SIDE_PX, Outputs, change, feeds, give, joints_of, sample

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe.geometry import apply_affine
from atlas_hpe.parity import (
    TOLERANCES,
    Answer,
    Comparison,
    ParityReport,
    Tolerance,
    compare,
    describe_parity,
    parity_figures,
    parity_to_dict,
)

NAN, INF = float("nan"), float("inf")
LOOSE = Tolerance(tensor=INF, joint=INF, joint_median=INF, reason="everything passes")


def compare_joints(
    edit: Callable[[np.ndarray], object], given_feeds: Optional[List[Dict[str, np.ndarray]]] = None
) -> ParityReport:
    return compare(
        give,
        change(edit),
        feeds() if given_feeds is None else given_feeds,
        card=CARD,
        decode_joints=joints_of,
    )


def test_a_model_is_the_same_as_itself() -> None:
    report = compare(give, give, feeds(), card=CARD, decode_joints=joints_of)
    assert report.passed
    assert report.samples == 3
    assert report.joints is not None
    assert report.joints.input_px is not None
    assert (report.joints.compared, report.joints.input_px.max) == (63, 0.0)
    (tensor,) = report.tensors
    assert (tensor.max_abs, tensor.p99_abs, tensor.cosine) == (0.0, 0.0, pytest.approx(1.0))


def test_tensors_alone_have_no_limit_in_pixels() -> None:
    report = compare(give, give, feeds())
    assert report.joints is None
    assert (report.joint_limits.median_px, report.joint_limits.max_px) == (None, None)


def test_a_hand_detector_has_no_joints_to_compare() -> None:
    detector = replace(CARD, task="hand-detect")
    report = compare(give, give, feeds(), card=detector, decode_joints=joints_of)
    assert report.passed and report.joints is None and len(report.tensors) == 1


def test_a_moved_joint_is_measured_in_pixels_and_its_sample_named() -> None:
    given_feeds = feeds()
    given_feeds[1]["y"][0, :2] = 1000  # recognised by the edit below

    def move(values: np.ndarray) -> None:
        if values[0, 0] == 1000:
            values[0, :2] += (3, 4)

    report = compare_joints(move, given_feeds)
    assert report.joints is not None
    assert report.joints.input_px is not None
    assert report.joints.input_px.max == pytest.approx(5.0)
    assert report.joints.input_px.median == 0.0
    assert report.joints.worst_sample == "sample 1"
    assert not report.passed
    assert any("a joint moved by 5 px of the network's input" in line for line in report.failures)
    assert "worst sample: sample 1" in "\n".join(describe_parity(report))


#: Per sample: scale of the map to the source, None without one, and movement of every joint.
Moves = List[Tuple[Optional[float], np.ndarray]]


@st.composite
def draw_moves(draw: Callable[..., object]) -> Moves:
    seed = draw(st.integers(0, 2**32 - 1))
    scales = draw(st.lists(st.one_of(st.none(), st.floats(0.1, 30)), min_size=1, max_size=5))
    rng = np.random.default_rng(seed)
    return [(scale, rng.normal(0, 3, (21, 2))) for scale in scales]


@given(draw_moves())
def test_figures_are_those_of_numpy_in_input_and_in_source_pixels(moves: Moves) -> None:
    comparison = Comparison(CARD, joints_of)
    input_px, source_px, largest = [], [], []
    for number, (scale, movement) in enumerate(moves):
        values = feeds(1)[0]["y"].astype(np.float64)
        affine = None if scale is None else np.array([[scale, 0.1, 5], [-0.2, 2 * scale, -7]])
        asked = sample(f"picture {number}", values, affine)
        want, have = values.reshape(21, 2), values.reshape(21, 2) + movement
        comparison.add(Answer(asked, {"y": values}, want), {"y": have.reshape(1, 42)})
        input_px.append(np.hypot(*movement.T))
        largest.append(input_px[-1].max())
        if affine is not None:
            there, here = apply_affine(affine, want), apply_affine(affine, have)
            source_px.append(np.hypot(*(there - here).T))
    joints = comparison.report(LOOSE, "samples").joints
    assert joints is not None
    for found, parts in ((joints.input_px, input_px), (joints.source_px, source_px)):
        if not parts:
            assert found is None
            continue
        assert found is not None
        moved = np.concatenate(parts)
        expected = (np.median(moved), np.percentile(moved, 99), moved.max())
        np.testing.assert_allclose((found.median, found.p99, found.max), expected, atol=1e-9)
    assert joints.worst_sample == f"picture {int(np.argmax(largest))}"


@given(st.floats(0, 0.03), st.integers(0, 20))
def test_the_verdict_is_the_one_of_the_table(distance_px: float, joint: int) -> None:
    given_feeds = [{"y": np.zeros((1, 42))}]

    def move(values: np.ndarray) -> None:
        values[0, 2 * joint] = distance_px

    limit = TOLERANCES["float32"]
    joint_limit_px = limit.joint * SIDE_PX
    report = compare_joints(move, given_feeds)
    assert any("a joint moved" in line for line in report.failures) == (
        distance_px > joint_limit_px
    )
    assert any("output 'y' differs" in line for line in report.failures) == (
        distance_px > limit.tensor
    )
    assert report.passed == (distance_px <= min(limit.tensor, joint_limit_px))
    assert report.joint_limits.max_px == joint_limit_px


@pytest.mark.parametrize(("share", "passes"), [(0.019, True), (0.021, False)])
def test_the_median_has_a_limit_of_its_own(share: float, passes: bool) -> None:
    tolerance = Tolerance(tensor=INF, joint=INF, joint_median=0.02, reason="only the median")

    def move(values: np.ndarray) -> None:
        values[0, ::2] += share * SIDE_PX
        values[0, 0] += 50  # one joint alone says nothing here

    report = compare(
        give, change(move), feeds(), card=CARD, decode_joints=joints_of, tolerance=tolerance
    )
    assert report.passed == passes
    assert any("the median joint moved" in line for line in report.failures) != passes
    assert (report.tensor_limit, report.joint_limits.max_px) == (None, None)
    json.dumps(parity_to_dict(report), allow_nan=False)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_network_that_says_nan_fails_even_when_both_say_it(value: float) -> None:
    given_feeds = feeds()
    given_feeds[0]["y"][0, 5] = value
    report = compare(give, give, given_feeds, card=CARD, decode_joints=joints_of)
    assert report.failures == ("output 'y' is NaN or infinite in the reference, 1 times",)
    assert report.tensors[0].reference_not_finite == 1
    assert report.tensors[0].candidate_not_finite == 1
    assert report.joints is not None
    assert (report.joints.absent, report.joints.lost) == (1, 0)


@pytest.mark.parametrize(("want", "have"), [(1.0, NAN), (NAN, 1.0), (INF, -INF), (NAN, INF)])
def test_an_oddity_in_only_one_fails_at_any_tolerance(want: float, have: float) -> None:
    given_feeds = feeds(1)
    given_feeds[0]["y"][0, 5] = want

    def edit(values: np.ndarray) -> None:
        values[0, 5] = have

    report = compare(give, change(edit), given_feeds, tolerance=LOOSE)
    assert not report.passed
    assert report.tensors[0].mismatched_not_finite == 1


def test_a_joint_found_by_only_one_is_lost_and_fails() -> None:
    def lose(values: np.ndarray) -> None:
        values[0, :2] = NAN

    report = compare_joints(lose)
    assert report.joints is not None
    assert (report.joints.lost, report.joints.compared) == (3, 60)
    assert "3 joints were found by only one of the two" in report.failures


def test_a_sample_that_lost_joints_is_worse_than_any_movement() -> None:
    comparison = Comparison(CARD, joints_of)
    values = feeds(1)[0]["y"]
    lost = values.copy()
    lost[0, :2] = NAN
    moved = values + 30
    all_lost = np.full_like(values, NAN)
    worst = []
    for name, have in (("moved", moved), ("lost", lost), ("same", values), ("gone", all_lost)):
        answer = Answer(sample(name, values), {"y": values}, joints_of(CARD, {"y": values}))
        comparison.add(answer, {"y": have})
        assert comparison.worst is not None
        found = comparison.worst
        worst.append((found.sample.name, found.lost, found.input_px > 0))
    assert worst == [
        ("moved", 0, True),
        ("lost", 1, False),
        ("lost", 1, False),
        ("gone", 21, False),
    ]


def find_nothing(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.full((21, 2), NAN)


def test_no_joint_at_all_has_no_figures_and_is_still_json() -> None:
    report = compare(give, give, feeds(1), card=CARD, decode_joints=find_nothing)
    assert report.passed
    assert report.joints is not None
    assert (report.joints.input_px, report.joints.worst_sample) == (None, None)
    assert json.loads(json.dumps(parity_to_dict(report), allow_nan=False))["passed"] is True
    assert "joint_max_px" not in parity_figures(report)
    assert any("21 found by neither" in line for line in describe_parity(report))


def test_a_pass_without_a_joint_comes_with_a_warning() -> None:
    report = compare(give, give, feeds(1), card=CARD, decode_joints=find_nothing)
    (warning,) = report.warnings
    assert describe_parity(report)[-1] == f"warning: {warning}"
    assert warning.startswith("no joint was compared")
    assert parity_to_dict(report)["warnings"] == [warning]


def test_photographs_without_a_joint_fail() -> None:
    comparison = Comparison(CARD, find_nothing)
    values = feeds(1)[0]["y"]
    comparison.add(Answer(sample(), {"y": values}, np.full((21, 2), NAN)), {"y": values})
    report = comparison.report(TOLERANCES["float32"], "8 pictures of x", needs_joints=True)
    assert report.failures == (
        "no joint was compared: neither found a hand in the 8 pictures of x",
    )
    assert report.warnings == ()


def test_a_comparison_of_joints_or_of_tensors_alone_has_no_warning() -> None:
    lost = [{"y": np.full((1, 42), NAN)}]
    found = change(lambda values: values.fill(9))
    reports = [
        compare_joints(lambda values: None),
        compare(give, give, feeds()),
        compare(give, found, lost, card=CARD, decode_joints=joints_of),
    ]
    for report in reports:
        assert report.warnings == ()
        assert not any("warning" in line for line in describe_parity(report))


def test_figures_are_over_all_samples() -> None:
    given_feeds = [{"y": np.array([[1.0, 0.0]])}, {"y": np.array([[0.0, 2.0]])}]

    def edit(values: np.ndarray) -> None:
        values[0, 0] += 0.5 * values[0, 1]

    (tensor,) = compare(give, change(edit), given_feeds).tensors
    assert tensor.max_abs == 1.0
    assert tensor.scale == 2.0
    assert tensor.cosine == pytest.approx(5 / np.sqrt(5 * 6))


def test_the_99th_percentile_is_that_of_the_worst_sample() -> None:
    given_feeds = [{"y": np.zeros(1000)}, {"y": np.ones(1000)}]

    def edit(values: np.ndarray) -> None:
        values += np.arange(1000) / 1000 * (2 - values)

    (tensor,) = compare(give, change(edit), given_feeds).tensors
    assert tensor.p99_abs == pytest.approx(2 * np.percentile(np.arange(1000) / 1000, 99))


def test_large_outputs_have_a_limit_in_proportion() -> None:
    given_feeds = [{"y": np.array([1000.0, 1.0])}]

    def edit(values: np.ndarray) -> None:
        values[1] += 0.9

    assert compare(give, change(edit), given_feeds).passed


def test_the_verdict_comes_first_in_words() -> None:
    lines = describe_parity(compare(give, give, feeds(), source="three made-up samples"))
    assert lines[0] == "parity passed on 3 samples: three made-up samples"
    moved = compare(give, change(lambda values: values.fill(9)), feeds())
    assert describe_parity(moved)[0].startswith("parity FAILED")


def test_source_pixels_are_shown_beside_those_of_the_input() -> None:
    samples = [sample("a.jpg", to_source=np.array([[4.0, 0, 0], [0, 4.0, 0]]))]
    move = change(lambda values: values.__iadd__(np.tile([3, 0], 21)))
    report = compare(give, move, samples, card=CARD, decode_joints=joints_of)
    assert report.joints is not None
    assert report.joints.source_px is not None
    assert report.joints.source_px.max == pytest.approx(12)
    assert "max 12 px of the source pictures" in "\n".join(describe_parity(report))


def test_named_samples_and_plain_feeds_are_both_taken() -> None:
    named = sample("hand.jpg")
    asked: List[Outputs] = []

    def note(feed: Outputs) -> Outputs:
        asked.append(feed)
        return feed

    assert compare(give, note, [*feeds(1), named]).samples == 2
    assert asked[1] is named.feeds


def test_nothing_to_compare_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nothing to compare on"):
        compare(give, give, [])
    with pytest.raises(UsageError, match="without a card"):
        compare(give, give, feeds(), decode_joints=joints_of)


@pytest.mark.parametrize(
    ("outputs", "words"), [({}, "missing"), ({"y": np.zeros((1, 41))}, r"of shape \[1, 41\]")]
)
def test_outputs_that_do_not_correspond_are_an_error(outputs: Outputs, words: str) -> None:
    with pytest.raises(CheckFailedError, match=words):
        compare(give, lambda _feed: outputs, feeds())


def test_models_that_decode_in_other_outputs_are_compared_in_what_they_share() -> None:
    values = feeds(1)[0]["y"]
    comparison = Comparison(CARD, joints_of, own_outputs=True)
    answer = Answer(sample(), {"maps": np.ones(3), "z": np.ones(1)}, joints_of(CARD, {"y": values}))
    comparison.add(answer, {"y": values, "z": np.ones(1)})
    report = comparison.report(TOLERANCES["float32"], "samples")
    assert [tensor.name for tensor in report.tensors] == ["z"]
    assert report.joints is not None
    assert report.joints.compared == 21
    assert report.passed


def test_two_models_that_share_nothing_and_decode_nothing_are_an_error() -> None:
    comparison = Comparison(CARD, None, own_outputs=True)
    with pytest.raises(CheckFailedError, match="nothing in common"):
        comparison.add(Answer(sample(), {"maps": np.ones(3)}), {"y": np.ones(1)})


def test_every_tolerance_has_a_reason() -> None:
    assert all(len(item.reason) > 20 for item in TOLERANCES.values())
