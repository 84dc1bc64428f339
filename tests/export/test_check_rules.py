"""Every rule: a graph that it is about, and one next to it that it is not about."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import onnx
import pytest
from check_graphs import INTS, constant, findings_of, model, node, rules_of

from atlas_hpe_export.check import check_onnx, rules
from atlas_hpe_export.check.finding import EXPORT, LOWERING, SIMPLIFY
from atlas_hpe_export.check.operators import LOWERED
from atlas_hpe_export.lowering import LADDER

Pair = Tuple[str, str, onnx.ModelProto, onnx.ModelProto]
F16 = onnx.TensorProto.FLOAT16
F64 = onnx.TensorProto.DOUBLE
RELU = [node("Relu")]
WEIGHT = {"w": np.ones((4, 3, 3, 3), np.float32)}


def conv(**attributes: object) -> onnx.NodeProto:
    return node("Conv", "x w", **attributes)


def resize(opset: int = 11, size: int = 16, **attributes: object) -> onnx.ModelProto:
    sizes = np.array([1, 3, size, size], np.int64)
    inputs = "x _ _ s" if opset >= 11 else "x k"
    weights = {"s": sizes} if opset >= 11 else {"k": [1, 1, size / 8, size / 8]}
    return model([node("Resize", inputs, **attributes)], weights=weights, opset=opset)


HALF = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
TORCH_HALF = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}
FLOOR = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def volume(**attributes: object) -> onnx.ModelProto:
    sizes = np.array([1, 3, 8, 8, 8], np.int64)
    return model(
        [node("Resize", "x _ _ s", **attributes)], {"x": (1, 3, 4, 4, 4)}, weights={"s": sizes}
    )


def computed(
    op_type: str, shape: Tuple[int, ...] = (1, 3, 8, 8), before: str = ""
) -> onnx.ModelProto:
    """An operator whose second input is fed by the caller."""
    return model([node(op_type, f"x {before}p")], {"x": shape, "p": (4,)}, dtypes={"p": INTS})


def given(op_type: str, array: object, before: str = "") -> onnx.ModelProto:
    return model([node(op_type, f"x {before}p")], weights={"p": np.asarray(array, np.int64)})


def norm(
    first: List[onnx.NodeProto], data: str, outputs: str = "y", **more: object
) -> onnx.ModelProto:
    names = "scale bias mean var"
    weights: Dict[str, object] = {name: np.ones(3, np.float32) for name in names.split()}
    weights["k"] = np.ones((3, 3, 1, 1), np.float32)
    nodes = [*first, node("BatchNormalization", f"{data} {names}", outputs, **more)]
    return model(nodes, weights=weights, opset=int(more.pop("opset", 11)))  # type: ignore[call-overload]


PROJECT = node("Conv", "x k", "h", kernel_shape=[1, 1])

PAIRS: Dict[str, Tuple[str, onnx.ModelProto, onnx.ModelProto]] = {
    # graph_level
    "several-opsets": ("blocker", model(RELU, others=[("com.microsoft", 1)]), model(RELU)),
    "opset-not-official": ("warning", model(RELU, opset=13), model(RELU)),
    "no-input": (
        "blocker",
        model([constant([1.0]), node("Relu", "c")], {}),
        model(RELU),
    ),
    "dynamic-input": ("blocker", model(RELU, {"x": ("N", 3, 8, 8)}), model(RELU)),
    "zero-size": ("blocker", model(RELU, {"x": (1, 0, 8, 8)}), model(RELU)),
    "open-shape": (
        "warning",
        model([node("NonZero")]),
        model([node("Relu", "x", "h"), node("Relu", "h")], {"x": ("N", 3)}),
    ),
    "input-type": (
        "warning",
        model([node("Cast", to=1)], dtypes={"x": INTS}),
        model([node("Cast", to=1)], dtypes={"x": onnx.TensorProto.UINT8}),
    ),
    "output-type": (
        "warning",
        model([node("ArgMax", axis=1)]),
        model([node("ArgMax", "x", "i", axis=1), node("Cast", "i", to=6)]),
    ),
    "long-name": (
        "warning",
        model([node("Relu", "a" * 128)], {"a" * 128: (1, 3)}),
        model([node("Relu", "a" * 127)], {"a" * 127: (1, 3)}),
    ),
    "name-with-separator": (
        "warning",
        model([node("Relu", "x:0")], {"x:0": (1, 3)}),
        model([node("Relu", "x/0")], {"x/0": (1, 3)}),
    ),
    "numbered-name": (
        "note",
        model([node("Relu", "input.1")], {"input.1": (1, 3)}),
        model([node("Relu", "input")], {"input": (1, 3)}),
    ),
    "file-format": ("note", model(RELU, ir_version=8), model(RELU, ir_version=7)),
    # registration
    "unknown-domain": (
        "blocker",
        model([node("Inverse", domain="com.microsoft")], others=[("com.microsoft", 1)]),
        model(RELU),
    ),
    "not-registered": ("blocker", model(RELU, opset=17), model(RELU, opset=15)),
    "malformed-node": (
        "blocker",
        model([node("Relu", alpha=1.0)]),
        model([node("LeakyRelu", alpha=1.0)]),
    ),
    "registration-unknown": ("warning", model([node("Addcmul")]), model(RELU)),
    "no-kernel": ("warning", model([node("IsNaN")]), model([node("GlobalAveragePool")])),
    "ai-cpu": (
        "warning",
        model([node("Det")], {"x": (1, 3, 3)}),
        model([constant(np.eye(3)), node("Det", "c", "d"), node("Add", "x d")]),
    ),
    # element_types
    "ai-cpu-type": (
        "warning",
        model([node("Cast", to=INTS)]),
        model([node("Cast", to=onnx.TensorProto.INT32)]),
    ),
    "kernel-type": (
        "blocker",
        model([node("Mod", "x x")], dtypes={"x": INTS}),
        model([node("Mod", "x x")], dtypes={"x": F16}),
    ),
    "int64-indices": (
        "warning",
        model([node("ArgMax", "x", "i", axis=0), node("Gather", "x i")], {"x": (4, 2)}),
        model([node("Gather", "x i")], weights={"i": np.array([0])}),
    ),
    # constant_inputs
    "computed-input": ("blocker", computed("Reshape"), given("Reshape", [1, -1])),
    "folded-input": (
        "warning",
        model(
            [
                node("Shape", "x", "a"),
                node("Add", "a zero", "s"),
                node("Resize", "x _ _ s", **TORCH_HALF),
            ],
            weights={"zero": np.array([0, 0, 8, 8])},
        ),
        resize(**TORCH_HALF),
    ),
    "clip-without-bounds": (
        "blocker",
        model([node("Clip")]),
        model([node("Clip", "x _ m")], weights={"m": np.float32(6)}),
    ),
    # resize
    "resize-mode": (
        "blocker",
        resize(**{**TORCH_HALF, "mode": "cubic"}),
        resize(**TORCH_HALF),
    ),
    "resize-coordinates": ("blocker", resize(**HALF), resize(**TORCH_HALF)),
    "resize-rounding": (
        "warning",
        resize(size=12, **{**FLOOR, "nearest_mode": "ceil"}),
        resize(size=12, **FLOOR),
    ),
    "resize-5d": ("blocker", volume(**FLOOR), volume(**TORCH_HALF)),
    # layers
    "conv-attributes": (
        "blocker",
        model([conv()], weights=WEIGHT),
        model([conv(pads=[0, 0, 0, 0])], weights=WEIGHT),
    ),
    "5d": (
        "warning",
        model([node("MaxPool", kernel_shape=[2, 2, 2])], {"x": (1, 3, 4, 4, 4)}),
        model([node("MaxPool", kernel_shape=[2, 2])]),
    ),
    "conv-5d-auto-pad": (
        "blocker",
        model(
            [conv(kernel_shape=[3, 3, 3], auto_pad="SAME_UPPER")],
            {"x": (1, 3, 4, 4, 4)},
            weights={"w": np.ones((4, 3, 3, 3, 3), np.float32)},
        ),
        model([conv(kernel_shape=[3, 3], auto_pad="SAME_UPPER")], weights=WEIGHT),
    ),
    "rank": (
        "blocker",
        model([node("MaxPool", kernel_shape=[1, 1, 1, 1])], {"x": (1, 3, 4, 4, 4, 4)}),
        model([node("MaxPool", kernel_shape=[1, 1, 1])], {"x": (1, 3, 4, 4, 4)}),
    ),
    "conv-transpose-kernel": (
        "blocker",
        model([node("ConvTranspose", "x w")], weights={"w": np.ones((3, 4, 2, 2), np.float32)}),
        model(
            [node("ConvTranspose", "x w", kernel_shape=[2, 2])],
            weights={"w": np.ones((3, 4, 2, 2), np.float32)},
        ),
    ),
    "conv-transpose-output-shape": (
        "warning",
        model(
            [
                node(
                    "ConvTranspose",
                    "x w",
                    kernel_shape=[2, 2],
                    strides=[2, 2],
                    output_shape=[16, 16],
                )
            ],
            weights={"w": np.ones((3, 4, 2, 2), np.float32)},
        ),
        model(
            [node("ConvTranspose", "x w", kernel_shape=[2, 2], strides=[2, 2])],
            weights={"w": np.ones((3, 4, 2, 2), np.float32)},
        ),
    ),
    "batch-norm-training": (
        "blocker",
        norm([], "x", "y m v"),
        norm([PROJECT], "h"),
    ),
    "batch-norm-not-folded": ("note", norm([], "x"), norm([PROJECT], "h")),
    "max-pool-indices": (
        "blocker",
        model([node("MaxPool", "x", "y i", kernel_shape=[2, 2])]),
        model([node("MaxPool", "x", "y _", kernel_shape=[2, 2])]),
    ),
    "max-pool-order": (
        "blocker",
        model([node("MaxPool", kernel_shape=[2, 2], storage_order=1)]),
        model([node("MaxPool", kernel_shape=[2, 2], storage_order=0)]),
    ),
    "large-pool": (
        "warning",
        model([node("AveragePool", kernel_shape=[16, 16])], {"x": (1, 3, 32, 32)}),
        model([node("AveragePool", kernel_shape=[15, 17])], {"x": (1, 3, 32, 32)}),
    ),
    # attributes
    "softmax-axis": ("blocker", model([node("Softmax", axis=1)]), model([node("Softmax", axis=3)])),
    "ignored-attribute": (
        "blocker",
        model([node("Mod", "x x", fmod=1)]),
        model([node("Mod", "x x", fmod=0)], dtypes={"x": F16}),
    ),
    "refused-attribute": (
        "blocker",
        model([node("Transpose")]),
        model([node("Transpose", perm=[0, 2, 1, 3])]),
    ),
    "pad-mode": (
        "warning",
        model([node("Pad", "x p", mode="reflect")], weights={"p": np.ones(8, np.int64)}),
        model([node("Pad", "x p", mode="edge")], weights={"p": np.ones(8, np.int64)}),
    ),
    "negative-step": (
        "warning",
        model(
            [node("Slice", "x a b c d")],
            weights={k: np.array([v]) for k, v in {"a": -1, "b": -9, "c": 3, "d": -1}.items()},
        ),
        model(
            [node("Slice", "x a b c d")],
            weights={k: np.array([v]) for k, v in {"a": 0, "b": 8, "c": 3, "d": 2}.items()},
        ),
    ),
    # data_dependent
    "data-dependent-size": ("warning", model([node("NonZero")]), model(RELU)),
    "nms-in-graph": (
        "warning",
        model([node("NonMaxSuppression", "x s")], {"x": (1, 9, 4), "s": (1, 1, 9)}),
        model(RELU),
    ),
}


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
    for name in named - {None, LOWERING, SIMPLIFY, EXPORT}:
        rewrite = importlib.import_module(f"atlas_hpe_export.rewrites.{name}").RULE
        assert rewrite.name == name


def test_what_is_said_to_be_lowered_is_lowered() -> None:
    adapted = {name for step in LADDER for name in step.adapters}
    assert adapted >= LOWERED


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
        (volume(**HALF), "resize-5d"),
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
        (resize(size=8, **HALF), "resize-coordinates"),
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
    from check_graphs import body

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
    from check_graphs import body

    branch = node(
        "If",
        "c",
        then_branch=body([node("Relu", "x", "t")], ["t"]),
        else_branch=body([node("Neg", "x", "e")], ["e"]),
    )
    assert not findings_of(model([constant(True, dtype=np.bool_), branch]), "branch")


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
