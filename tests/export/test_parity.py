"""The comparison itself: its figures, and what counts as the same."""

from __future__ import annotations

import json
from typing import Callable, Dict, List, Mapping, Optional

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st
from toy_networks import TOY_SPEC

from atlas_hpe.card import GraphSpec, ModelCard, Provenance
from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe_export.parity import compare
from atlas_hpe_export.parity_report import (
    ParityReport,
    describe_parity,
    parity_figures,
    parity_to_dict,
)
from atlas_hpe_export.tolerances import TOLERANCES

Outputs = Mapping[str, np.ndarray]
CARD = ModelCard(
    name="toy",
    task="hand-2d",
    graphs=(GraphSpec("pose", TOY_SPEC.inputs, TOY_SPEC.outputs),),
    preprocess=TOY_SPEC.preprocess,
    decode=TOY_SPEC.decode,
    provenance=Provenance(network="toy"),
)
NAN, INF = float("nan"), float("inf")


def give(feed: Outputs) -> Outputs:
    """A model that gives back what it is fed."""
    return feed


def change(edit: Callable[[np.ndarray], object]) -> Callable[[Outputs], Outputs]:
    """A model that gives back an edited copy."""

    def run(feed: Outputs) -> Dict[str, np.ndarray]:
        values = feed["y"].copy()
        edit(values)
        return {"y": values}

    return run


def joints_of(_card: ModelCard, outputs: Outputs) -> np.ndarray:
    return outputs["y"].reshape(21, 2)


def samples(count: int = 3) -> List[Dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"y": rng.uniform(0, 128, (1, 42)).astype(np.float32)} for _ in range(count)]


def compare_joints(
    edit: Callable[[np.ndarray], object], feeds: Optional[List[Dict[str, np.ndarray]]] = None
) -> ParityReport:
    return compare(
        give,
        change(edit),
        samples() if feeds is None else feeds,
        card=CARD,
        decode_joints=joints_of,
    )


def test_a_model_is_the_same_as_itself() -> None:
    report = compare(give, give, samples(), card=CARD, decode_joints=joints_of)
    assert report.passed
    assert report.samples == 3
    assert report.joints is not None
    assert (report.joints.compared, report.joints.max_px) == (63, 0.0)
    (tensor,) = report.tensors
    assert (tensor.max_abs, tensor.p99_abs, tensor.cosine) == (0.0, 0.0, pytest.approx(1.0))


def test_a_moved_joint_is_measured_in_pixels_and_its_sample_named() -> None:
    feeds = samples()
    feeds[1]["y"][0, :2] = 1000  # recognised by the edit below

    def move(values: np.ndarray) -> None:
        if values[0, 0] == 1000:
            values[0, :2] += (3, 4)

    report = compare_joints(move, feeds)
    assert report.joints is not None
    assert report.joints.max_px == pytest.approx(5.0)
    assert report.joints.median_px == 0.0
    assert report.joints.worst_sample == 1
    assert not report.passed
    assert any("moved by 5 px in sample 1" in line for line in report.failures)


@given(st.floats(0, 0.03), st.integers(0, 20))
def test_the_verdict_is_the_one_of_the_table(distance_px: float, joint: int) -> None:
    feeds = [{"y": np.zeros((1, 42))}]

    def move(values: np.ndarray) -> None:
        values[0, 2 * joint] = distance_px

    limit = TOLERANCES["float32"]
    failed_joints = distance_px > limit.joint_px
    report = compare_joints(move, feeds)
    assert any("joint moved" in line for line in report.failures) == failed_joints
    assert any("output 'y' differs" in line for line in report.failures) == (
        distance_px > limit.tensor
    )
    assert report.passed == (distance_px <= min(limit.tensor, limit.joint_px))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_network_that_says_nan_fails_even_when_both_say_it(value: float) -> None:
    feeds = samples()
    feeds[0]["y"][0, 5] = value
    report = compare(give, give, feeds, card=CARD, decode_joints=joints_of)
    assert report.failures == ("output 'y' is NaN or infinite in the reference, 1 times",)
    assert report.tensors[0].reference_not_finite == 1
    assert report.tensors[0].candidate_not_finite == 1
    assert report.joints is not None
    assert (report.joints.absent, report.joints.lost) == (1, 0)


@pytest.mark.parametrize(("want", "have"), [(1.0, NAN), (NAN, 1.0), (INF, -INF), (NAN, INF)])
def test_an_oddity_in_only_one_fails(want: float, have: float) -> None:
    feeds = samples(1)
    feeds[0]["y"][0, 5] = want

    def edit(values: np.ndarray) -> None:
        values[0, 5] = have

    report = compare(give, change(edit), feeds)
    assert not report.passed
    assert report.tensors[0].mismatched_not_finite == 1


def test_a_joint_found_by_only_one_is_lost_and_fails() -> None:
    def lose(values: np.ndarray) -> None:
        values[0, :2] = NAN

    report = compare_joints(lose)
    assert report.joints is not None
    assert (report.joints.lost, report.joints.compared) == (3, 60)
    assert "3 joints were found by only one of the two" in report.failures


def find_nothing(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.full((21, 2), NAN)


def test_no_joint_at_all_has_no_figures_and_is_still_json() -> None:
    report = compare(give, give, samples(1), card=CARD, decode_joints=find_nothing)
    assert report.passed
    assert report.joints is not None
    assert report.joints.max_px is None
    assert json.loads(json.dumps(parity_to_dict(report), allow_nan=False))["passed"] is True
    assert "joint_max_px" not in parity_figures(report)
    assert any("21 found by neither" in line for line in describe_parity(report))


def test_a_pass_without_a_joint_comes_with_a_warning() -> None:
    report = compare(give, give, samples(1), card=CARD, decode_joints=find_nothing)
    (warning,) = report.warnings
    assert describe_parity(report)[-1] == f"warning: {warning}"
    assert warning.startswith("no joint was compared")
    assert parity_to_dict(report)["warnings"] == [warning]


def test_a_comparison_of_joints_or_of_tensors_alone_has_no_warning() -> None:
    lost = [{"y": np.full((1, 42), NAN)}]
    found = change(lambda values: values.fill(9))
    reports = [
        compare_joints(lambda values: None),
        compare(give, give, samples()),
        compare(give, found, lost, card=CARD, decode_joints=joints_of),
    ]
    for report in reports:
        assert report.warnings == ()
        assert not any("warning" in line for line in describe_parity(report))


def test_figures_are_over_all_samples() -> None:
    feeds = [{"y": np.array([[1.0, 0.0]])}, {"y": np.array([[0.0, 2.0]])}]

    def edit(values: np.ndarray) -> None:
        values[0, 0] += 0.5 * values[0, 1]

    (tensor,) = compare(give, change(edit), feeds).tensors
    assert tensor.max_abs == 1.0
    assert tensor.scale == 2.0
    assert tensor.cosine == pytest.approx(5 / np.sqrt(5 * 6))


def test_large_outputs_have_a_limit_in_proportion() -> None:
    feeds = [{"y": np.array([1000.0, 1.0])}]

    def edit(values: np.ndarray) -> None:
        values[1] += 0.9

    assert compare(give, change(edit), feeds).passed


def test_the_verdict_comes_first_in_words() -> None:
    lines = describe_parity(compare(give, give, samples(), source="three made-up samples"))
    assert lines[0] == "parity passed on 3 samples: three made-up samples"
    moved = compare(give, change(lambda values: values.fill(9)), samples())
    assert describe_parity(moved)[0].startswith("parity FAILED")


def test_nothing_to_compare_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nothing to compare on"):
        compare(give, give, [])
    with pytest.raises(UsageError, match="without a card"):
        compare(give, give, samples(), decode_joints=joints_of)


@pytest.mark.parametrize(
    ("outputs", "words"), [({}, "missing"), ({"y": np.zeros((1, 41))}, r"of shape \[1, 41\]")]
)
def test_outputs_that_do_not_correspond_are_an_error(outputs: Outputs, words: str) -> None:
    with pytest.raises(CheckFailedError, match=words):
        compare(give, lambda _feed: outputs, samples())


def test_every_tolerance_has_a_reason() -> None:
    assert all(len(item.reason) > 20 for item in TOLERANCES.values())
