"""Every rule on the graphs of ``check_pairs``, and the finer points of single rules."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import List

import numpy as np
import onnx
import pytest
from check_graphs import INTS, body, constant, findings_of, model, node, rules_of
from check_pairs import F64, HALF, PAIRS, computed, conv, given, nearest, resize, volume

from atlas_hpe_export.check import check_onnx, rules
from atlas_hpe_export.check.finding import EXPORT, LOWERING
from atlas_hpe_export.check.operators import HIGHEST_LOWERED_OPSET, LOWERED
from atlas_hpe_export.lowering import LADDER

#: Rules with tests of their own, in the files that are named after them.
ELSEWHERE = {
    "axes-input",  # in an early release only, below
    "branch",  # below
    "depth-to-space",  # in an early release only, below
    "external-data",  # test_check_files.py
    "no-shapes",  # test_check_files.py
    "fp16-constant-overflow",  # test_check_half_precision.py
    "fp16-constant-subnormal",
    "fp16-constant-vanishes",
    "fp16-exp",
    "fp16-index",
    "fp16-square",
    "fp16-whole-numbers",
}


def test_every_rule_has_a_test() -> None:
    named = re.compile(
        r'(?:"(?P<first>[a-z0-9-]+)"(?: if \w+ else "(?P<second>[a-z0-9-]+)")?),\s+'
        r"(?:severity=)?(?:BLOCKER|WARNING|NOTE)"
    )
    ids = set()
    for path in Path(rules.__file__).parent.glob("*.py"):
        for found in named.finditer(path.read_text(encoding="utf-8")):
            ids |= set(filter(None, found.groups()))
    assert ids == set(PAIRS) | ELSEWHERE


def test_every_rewrite_that_a_finding_names_exists() -> None:
    named = {item.rewrite for _, bad, _ in PAIRS.values() for item in check_onnx(bad).findings}
    for name in named - {None, LOWERING, EXPORT}:
        rewrite = importlib.import_module(f"atlas_hpe_export.rewrites.{name}").RULE
        assert rewrite.name == name


def test_what_is_said_to_be_lowered_is_lowered() -> None:
    adapted = {name for step in LADDER for name in step.adapters}
    assert adapted >= LOWERED
    assert LADDER[0].version == HIGHEST_LOWERED_OPSET


def test_a_model_above_the_ladder_is_not_sent_to_export() -> None:
    proto = model([node("Relu", "x", "y")], opset=22)
    (finding,) = findings_of(proto, "not-registered")
    assert (finding.fix, finding.rewrite) == ("write the model again at opset 21 or below", None)


@pytest.mark.parametrize("rule", PAIRS)
def test_a_rule_finds_what_it_is_about_and_no_more(rule: str) -> None:
    severity, bad, good = PAIRS[rule]
    found = findings_of(bad, rule)
    assert [item.severity for item in found] == [severity] * len(found)
    assert found, rules_of(check_onnx(bad))
    assert not findings_of(good, rule)
    for item in found:
        assert item.what
        assert item.why
        assert item.fix
        assert item.source.startswith(("ascend.md section", "networks.md section", "ONNX operator"))


def test_a_finding_names_the_node_and_its_module() -> None:
    (found,) = findings_of(
        model([node("Softmax", name="/head/attention/Softmax_1")]), "softmax-axis"
    )
    assert (found.node, found.op_type) == ("/head/attention/Softmax_1", "Softmax")
    assert found.module == "head.attention"


@pytest.mark.parametrize(
    ("proto", "rule"),
    [
        (
            model(
                [node("GatherND", "x i", batch_dims=1)],
                weights={"i": np.zeros((1, 1), np.int64)},
                opset=12,
            ),
            "ignored-attribute",
        ),
        (model([node("IsInf", detect_negative=0)]), "ignored-attribute"),
        (model([node("IsInf", detect_positive=0)]), "ignored-attribute"),
        (model([node("Trilu", "x k")], weights={"k": np.array(1)}, opset=14), "ignored-attribute"),
        (
            model([node("Trilu", "x k")], {"x": (3, 3), "k": ()}, dtypes={"k": INTS}, opset=14),
            "ignored-attribute",
        ),
        (model([node("ArgMax", select_last_index=1)], opset=12), "refused-attribute"),
        (model([node("ArgMin", select_last_index=1)], opset=12), "refused-attribute"),
        (model([node("Selu", alpha=1.0)]), "refused-attribute"),
        (model([node("Selu", gamma=1.0)]), "refused-attribute"),
        (model([node("DepthToSpace", blocksize=1)]), "refused-attribute"),
        (model([node("DepthToSpace", blocksize=2)], {"x": (1, 4, 8)}), "refused-attribute"),
        (
            model([node("Compress", "x b")], {"x": (4,), "b": (4,)}, dtypes={"b": 9}),
            "data-dependent-size",
        ),
        (model([node("LogSoftmax")]), "softmax-axis"),
        (model([node("Softmax", axis=-3)]), "softmax-axis"),
        (
            resize(**{**HALF, "coordinate_transformation_mode": "tf_crop_and_resize"}),
            "resize-coordinates",
        ),
        (resize(mode="linear"), "resize-coordinates"),
        (resize(size=12, mode="nearest"), "resize-coordinates"),
        (resize(size=4, mode="nearest"), "resize-coordinates"),
        (nearest("half_pixel", "floor"), "resize-coordinates"),
        (nearest("half_pixel", "ceil"), "resize-rounding"),
        (nearest("align_corners", "round_prefer_floor"), "resize-rounding"),
        (nearest("asymmetric", "round_prefer_floor", size=24), "resize-rounding"),
        (volume(**HALF), "resize-5d"),
        (
            model(
                [node("Resize", "x _ k", **HALF)],
                {"x": (1, 3, "h", "w")},
                weights={"k": [1, 1, 2, 2]},
            ),
            "resize-coordinates",
        ),
        (model([node("Softmax", axis=1)], {"x": (1, 9, 2, 1)}), "softmax-axis"),
    ],
)
def test_other_forms_of_the_same_trap(proto: onnx.ModelProto, rule: str) -> None:
    assert findings_of(proto, rule)


@pytest.mark.parametrize(
    ("proto", "rule"),
    [
        (model([node("IsInf")]), "ignored-attribute"),
        (model([node("Trilu", "x k")], weights={"k": np.array(0)}, opset=14), "ignored-attribute"),
        (model([node("Trilu")], opset=14), "ignored-attribute"),
        (model([node("Selu")]), "refused-attribute"),
        (model([node("ArgMax")], opset=12), "refused-attribute"),
        (model([node("DepthToSpace", blocksize=2)], {"x": (1, 4, 8, 8)}), "refused-attribute"),
        (model([node("Softmax", axis=1)], {"x": (1, 9)}), "softmax-axis"),
        (model([node("Softmax", axis=1)], {"x": (1, 9, 1, 1)}), "softmax-axis"),
        (model([node("Softmax", axis=1)], opset=13), "softmax-axis"),
        (resize(size=16, mode="nearest"), "resize-coordinates"),
        (resize(size=16, mode="nearest"), "resize-rounding"),
        (nearest("half_pixel", "round_prefer_ceil"), "resize-coordinates"),
        (nearest("pytorch_half_pixel", "round_prefer_floor"), "resize-rounding"),
        (resize(size=8, **HALF), "resize-coordinates"),
        (
            model(
                [
                    constant(np.ones((1, 1, 2, 2))),
                    node("Resize", "c _ k", "h", mode="nearest"),
                    node("Add", "x h"),
                ],
                {"x": (1, 1, 3, 3)},
                weights={"k": [1, 1, 1.5, 1.5]},
            ),
            "resize-rounding",
        ),
        (model([node("NonZero")], opset=17), "open-shape"),
        (model([node("Add", "x x")], dtypes={"x": INTS}, opset=17), "ai-cpu-type"),
        (resize(opset=10, mode="linear"), "resize-coordinates"),
        (resize(opset=10, mode="nearest", size=12), "resize-rounding"),
        (
            model([node("Upsample", "x s", mode="linear")], weights={"s": [1, 1, 2, 2]}, opset=9),
            "resize-mode",
        ),
    ],
)
def test_forms_that_the_board_computes_as_onnx_says(proto: onnx.ModelProto, rule: str) -> None:
    assert not findings_of(proto, rule)


def test_a_softmax_of_unknown_rank_is_only_pointed_out() -> None:
    proto = model([node("Addcmul", "x", "h"), node("Softmax", "h", axis=1)])
    assert [item.severity for item in findings_of(proto, "softmax-axis")] == ["warning"]


@pytest.mark.parametrize(
    ("operator", "array"),
    [
        ("Pad", [0] * 8),
        ("Tile", [1, 1, 2, 2]),
        ("Expand", [1, 3, 8, 8]),
        ("Upsample", [1, 1, 2, 2]),
    ],
)
def test_inputs_that_the_compiler_has_to_know(operator: str, array: List[int]) -> None:
    assert findings_of(computed(operator), "computed-input")
    assert not findings_of(given(operator, array), "computed-input")


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("Range", "_ _ p"),
        ("TopK", "x p"),
        ("OneHot", "x p c"),
        ("CumSum", "x p"),
        ("ConstantOfShape", "p"),
        ("NonMaxSuppression", "x x c c p"),
        ("Slice", "x c c c p"),
    ],
)
def test_each_position_that_should_be_constant_is_looked_at(operator: str, inputs: str) -> None:
    proto = model(
        [constant([1], dtype=np.int64), node(operator, inputs)],
        {"x": (4, 4), "p": (1,)},
        dtypes={"p": INTS},
    )
    (found,) = findings_of(proto, "computed-input")
    assert (found.severity == "blocker") == (operator in ("Range", "TopK"))
    assert ("has to know" in found.why) == (found.severity == "blocker")


def test_conv_weights_that_come_from_the_network_stop_it() -> None:
    proto = model([conv(kernel_shape=[3, 3])], {"x": (1, 3, 8, 8), "w": (4, 3, 3, 3)})
    assert [item.severity for item in findings_of(proto, "computed-input")] == ["blocker"]


def test_slices_that_move_with_the_data_are_pointed_out() -> None:
    names = {name: np.array([1]) for name in "bc"}
    proto = model(
        [node("Slice", "x a b c")], {"x": (9, 9), "a": (1,)}, dtypes={"a": INTS}, weights=names
    )
    assert [item.severity for item in findings_of(proto, "computed-input")] == ["warning"]


def test_shape_arithmetic_of_fixed_sizes_is_no_work_for_the_board() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n", "m", axes=[0]),
        node("Concat", "m rest", "t", axis=0),
        node("Reshape", "x t"),
    ]
    weights = {"zero": np.array(0), "rest": np.array([-1])}
    assert check_onnx(model(nodes, weights=weights)).findings == ()


def test_the_same_arithmetic_on_an_open_size_is_work_for_the_board() -> None:
    nodes = [node("Shape", "x", "s"), node("Add", "s s", "t"), node("Cast", "t", to=1)]
    found = rules_of(check_onnx(model(nodes, {"x": ("N", 3)})))
    assert "ai-cpu-type" in found


def test_random_numbers_are_not_taken_for_constants() -> None:
    nodes = [constant(np.ones((2, 2))), node("RandomUniformLike", "c", "r"), node("Add", "x r")]
    assert "ai-cpu" in rules_of(check_onnx(model(nodes, {"x": (2, 2)})))


@pytest.mark.parametrize("dtype", [F64, INTS])
def test_arithmetic_in_types_without_a_kernel_goes_to_the_ai_cpu(dtype: int) -> None:
    (found,) = findings_of(model([node("Add", "x x")], dtypes={"x": dtype}), "ai-cpu-type")
    assert found.code == "507018"


def test_types_of_the_second_input_and_of_the_output_count() -> None:
    where = model([node("Where", "x a a")], {"x": (2,), "a": (2,)}, dtypes={"x": 9, "a": INTS})
    assert findings_of(where, "kernel-type")
    cast = model([node("Cast", to=F64)])
    assert findings_of(cast, "ai-cpu-type")


def test_float32_counts_as_float16() -> None:
    assert check_onnx(
        model([node("Exp", "x", "h"), node("MaxPool", "h", kernel_shape=[2, 2])])
    ).passed


def test_moving_axes_about_needs_no_kernel() -> None:
    proto = model([node("Flatten")], dtypes={"x": F64})
    assert not {"ai-cpu-type", "kernel-type"} & set(rules_of(check_onnx(proto)))


def test_an_operator_of_fixed_inputs_is_computed_by_the_compiler() -> None:
    nodes = [constant([3], dtype=np.int64), node("Mod", "c c", "m"), node("Cast", "m", "f", to=1)]
    assert not findings_of(model([*nodes, node("Add", "x f")]), "kernel-type")


def test_a_second_if_branch_is_looked_at_too() -> None:
    branch = node(
        "If",
        "b",
        then_branch=body([node("Relu", "x", "t")], ["t"]),
        else_branch=body([node("Softmax", "x", "e", name="/late/Softmax")], ["e"]),
    )
    proto = model([branch], {"x": (1, 3, 8, 8), "b": ()}, dtypes={"b": 9})
    (found,) = findings_of(proto, "softmax-axis")
    assert found.module == "late"
    assert findings_of(proto, "branch")


def test_an_if_of_a_constant_is_no_branch() -> None:
    branch = node(
        "If",
        "c",
        then_branch=body([node("Relu", "x", "t")], ["t"]),
        else_branch=body([node("Neg", "x", "e")], ["e"]),
    )
    assert not findings_of(model([constant(True, dtype=np.bool_), branch]), "branch")
