"""Operators that the parser does not know, what the finding says of them, and early releases."""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx
import pytest
from check_graphs import INTS, findings_of, model, node, rules_of
from check_pairs import F16, HALF, PAIRS, resize

from atlas_hpe_export.check import check_onnx


def test_every_operator_of_a_file_at_a_high_opset_is_listed() -> None:
    proto = model(
        [node("Relu", "x", "h"), node("LayerNormalization", "h s", axis=-1)],
        weights={"s": np.ones(8)},
        opset=17,
    )
    found = findings_of(proto, "not-registered")
    assert [item.op_type for item in found] == ["Relu", "LayerNormalization"]
    assert {item.rewrite for item in found} == {"lowering"}
    assert {item.code for item in found} == {"E19010"}
    assert "at opsets 8 to 15" in found[0].why


def test_an_operator_too_new_for_opset_11_says_where_it_is_known() -> None:
    (found,) = findings_of(model([node("HardSwish")]), "not-registered")
    assert "at opsets 14 to 15" in found.fix
    assert found.rewrite is None


def test_opsets_with_a_gap_are_listed() -> None:
    (found,) = findings_of(model([node("GreaterOrEqual", "x x")]), "not-registered")
    assert "at opsets 8, 12, 13, 14, 15" in found.why
    assert "2026" not in found.why


def test_an_operator_of_later_plugins_says_so() -> None:
    (found,) = findings_of(model([node("GridSample", "x x")]), "not-registered")
    assert "plugins of 2026 have it at opsets 11, 16, 17, 18" in found.why


@pytest.mark.parametrize(
    ("proto", "rewrite"),
    [
        (model([node("Relu")], opset=12), "lowering"),
        (model([node("Relu")], opset=9), None),
        (model([node("Trilu", "x k")], weights={"k": np.array(1)}, opset=14), "lowering"),
        (model([node("Mod", "x x", fmod=1)], dtypes={"x": F16}), None),
        (
            model([node("ScatterElements", "x i x")], {"x": (1,)}, weights={"i": np.array([0])}),
            "scatter_elements",
        ),
        (
            model([node("ScatterElements", "x i x")], {"x": (1,), "i": (1,)}, dtypes={"i": INTS}),
            None,
        ),
        (
            model([node("GatherElements", "x i")], {"x": (1,)}, weights={"i": np.array([0])}),
            "gather_elements",
        ),
        (resize(**HALF), "resize_half_pixel"),
        (resize(size=12, mode="nearest"), "resize_nearest"),
        (resize(**{**HALF, "coordinate_transformation_mode": "tf_crop_and_resize"}), None),
    ],
)
def test_the_rewrite_that_mends_it_is_named(proto: onnx.ModelProto, rewrite: Optional[str]) -> None:
    assert check_onnx(proto).findings[0].rewrite == rewrite


def test_an_operator_of_nobody_is_not_registered() -> None:
    (found,) = findings_of(model([node("FlowWarp")]), "not-registered")
    assert found.why == "no source lists the operator"


def test_the_inverse_of_microsoft_is_mended_by_the_export() -> None:
    proto = PAIRS["unknown-domain"][1]
    (found,) = findings_of(proto, "unknown-domain")
    assert found.rewrite == "inverse"
    (other,) = findings_of(
        model([node("GridSampler", domain="mmcv")], others=[("mmcv", 1)]), "unknown-domain"
    )
    assert other.rewrite is None


def test_the_two_spellings_of_the_standard_domain_are_one() -> None:
    proto = model([node("Relu", domain="ai.onnx")], opset=0, others=[("ai.onnx", 11)])
    report = check_onnx(proto)
    assert (report.opset, report.findings) == (11, ())


def test_several_opsets_without_a_standard_operator_are_not_the_problem() -> None:
    proto = model([node("Warp", domain="a")], opset=0, others=[("a", 1), ("b", 1)])
    assert rules_of(check_onnx(proto)) == ["unknown-domain"]


@pytest.mark.parametrize(
    ("proto", "rule", "late"),
    [
        (
            model([node("Unsqueeze", "x a")], weights={"a": np.array([0])}, opset=13),
            "axes-input",
            "5.1",
        ),
        (model([node("DepthToSpace", blocksize=2)], {"x": (1, 4, 8, 8)}), "depth-to-space", "6.0"),
        (
            model([node("Pad", "x p", mode="edge")], weights={"p": np.ones(8, np.int64)}),
            "pad-mode",
            "6.0",
        ),
        (
            model([node("Einsum", "x x", equation="abcd,abcd->ab")], opset=12),
            "not-registered",
            "6.0",
        ),
    ],
)
def test_what_early_releases_can_not_do(proto: onnx.ModelProto, rule: str, late: str) -> None:
    assert findings_of(proto, rule, cann="5.0")
    assert not findings_of(proto, rule, cann=late)
