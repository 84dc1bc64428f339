"""The rungs as a table, as JSON, and chosen by name."""

from __future__ import annotations

import json
from typing import Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity_cases import CARD, feeds, joints_of, sample

from atlas_hpe.errors import UsageError
from atlas_hpe.parity import (
    RUNGS,
    TOLERANCES,
    Answer,
    Comparison,
    LadderReport,
    RungReport,
    describe_ladder,
    find_rungs,
    ladder_to_dict,
)

TO_SOURCE = np.array([[2.0, 0, 0], [0, 2.0, 0]])


def rung(name: str, moved_px: float, joints: bool = True) -> RungReport:
    values = feeds(1)[0]["y"].astype(np.float64)
    comparison = Comparison(CARD if joints else None, joints_of)
    asked = sample(f"{name}.jpg", values, TO_SOURCE)
    comparison.add(
        Answer(asked, {"y": values}, values.reshape(21, 2)),
        {"y": values + np.tile([moved_px, 0], 21)},
    )
    parity = comparison.report(TOLERANCES[RUNGS[name].tolerance], "2 pictures")
    return RungReport(name, RUNGS[name].what, parity, comparison.worst)


def report(*rungs: RungReport) -> LadderReport:
    return LadderReport(
        reference="net.pt (PyTorch)",
        model="net.onnx",
        rungs=rungs,
        left_out={"aipp": "the samples are no pictures"},
        notes=("the card names another checkpoint",),
        first_sample=sample("first"),
    )


def test_one_failed_rung_fails_the_ladder_and_is_named() -> None:
    found = report(rung("onnx", 0), rung("half", 3))
    assert not found.passed
    assert all(line.startswith("half: ") for line in found.failures)
    assert report(rung("onnx", 0), rung("half", 0.05)).passed


def test_the_table_has_both_kinds_of_pixels_with_what_is_allowed() -> None:
    lines = describe_ladder(report(rung("onnx", 0), rung("half", 3)))
    assert lines[0].startswith("parity FAILED: net.onnx against net.pt (PyTorch), on 1 samples")
    rows = [line.split() for line in lines]
    assert ["half", "FAILED", "source", "6", "6", "6", "21", "0", "0", "half.jpg"] in rows
    assert ["input", "3", "(of", "0.128)", "3", "3", "(of", "0.512)"] in rows
    (tensor_row,) = [row for row in rows if row[:2] == ["half", "y"]]
    assert tensor_row[2:6] == ["3", "(of", "1.91)", "3"]
    assert tensor_row[-1] == "0/0"
    text = "\n".join(lines)
    assert "left out: aipp: the samples are no pictures" in text
    assert "note: the card names another checkpoint" in text
    assert "half: the file as the board computes it" in text
    assert "not measured on a board" in text


def test_tensors_alone_have_no_table_of_joints() -> None:
    lines = describe_ladder(report(rung("onnx", 0, joints=False)))
    assert not any("pixels of" in line for line in lines)


def test_json_holds_every_rung() -> None:
    document = json.loads(
        json.dumps(ladder_to_dict(report(rung("onnx", 0), rung("half", 3))), allow_nan=False)
    )
    assert document["passed"] is False
    assert [item["name"] for item in document["rungs"]] == ["onnx", "half"]
    half = document["rungs"][1]
    assert half["joints"]["source_px"]["max"] == pytest.approx(6)
    assert half["joints"]["worst_sample"] == "half.jpg"
    assert half["passed"] is False
    assert document["left_out"] == {"aipp": "the samples are no pictures"}


def test_the_example_is_the_worst_of_the_first_failure_or_the_first() -> None:
    failed = report(rung("onnx", 0), rung("half", 3)).example
    passed = report(rung("onnx", 0)).example
    assert failed is not None
    assert failed.name == "half.jpg"
    assert passed is not None
    assert passed.name == "first"


@given(st.lists(st.sampled_from(sorted(RUNGS)), min_size=1, max_size=6))
def test_rungs_come_in_the_order_of_the_ladder_each_once(names: Tuple[str, ...]) -> None:
    found = find_rungs(", ".join(names))
    assert set(found) == set(names)
    assert [name for name in RUNGS if name in found] == list(found)


@pytest.mark.parametrize("names", ["", "board", "onnx,,half", "onnx;half"])
def test_an_unknown_rung_is_a_usage_error(names: str) -> None:
    with pytest.raises(UsageError, match="there is no rung") as caught:
        find_rungs(names)
    assert "onnx,half,aipp" in str(caught.value.fix)


def test_every_rung_has_a_tolerance_and_says_that_it_is_emulated() -> None:
    for item in RUNGS.values():
        assert item.tolerance in TOLERANCES
        assert ("not measured on a board" in item.what) == (item.name != "onnx")
