"""The list of rules, the watch over them, and the rules of a few lines."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Callable, List, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ir = pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from rewrite_graphs import (  # noqa: E402
    apply_once,
    apply_rules,
    assert_same_values,
    make_model,
    op_types,
)

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe.parity import TOLERANCES  # noqa: E402
from atlas_hpe.targets import SOCS  # noqa: E402
from atlas_hpe_export.graph import GraphBuilder, Guard, Outcome, as_ir  # noqa: E402
from atlas_hpe_export.rewrites import (  # noqa: E402
    REWRITES,
    describe_rewrites,
    rewrite,
    rewrites_to_dict,
)
from atlas_hpe_export.rewrites.clip_bounds import RULE as CLIP  # noqa: E402
from atlas_hpe_export.rewrites.fold_constants import RULE as FOLD  # noqa: E402
from atlas_hpe_export.rewrites.is_nan import RULE as IS_NAN  # noqa: E402
from atlas_hpe_export.rewrites.static_opset import RULE as STATIC_OPSET  # noqa: E402
from atlas_hpe_export.simplify import simplify  # noqa: E402

X = {"x": np.array([[-2.0, 0.5, 3.0]], np.float32)}


def relu() -> onnx.ModelProto:
    return make_model([helper.make_node("Relu", ["x"], ["y"], name="/act/Relu")], X)


def test_every_rule_declares_itself() -> None:
    assert len({rule.name for rule in REWRITES}) == len(REWRITES)
    for rule in REWRITES:
        assert rule.name
        assert rule.reason
        assert " -> " in rule.example
        assert "ascend" in rule.source or "networks.md" in rule.source
        assert rule.tolerance in TOLERANCES
        assert set(rule.targets) <= set(SOCS)


def test_the_list_names_every_rule_and_fits_json() -> None:
    lines = describe_rewrites()
    listed = json.loads(json.dumps(rewrites_to_dict()))["rewrites"]
    assert [item["name"] for item in listed] == [rule.name for rule in REWRITES]
    for rule in REWRITES:
        assert sum(line.startswith(f"  {rule.name} (") for line in lines) == 1
    assert "lowering" in lines[-1]


def test_rules_have_nothing_to_do_where_nothing_is_wrong() -> None:
    after, steps = apply_rules(relu(), REWRITES, [X])
    assert steps == ()
    assert op_types(after) == ["Relu"]


def as_negative(node: ir.Node, builder: GraphBuilder) -> Outcome:
    return [builder.op("Neg", *node.inputs)] if node.op_type == "Relu" else None


def as_nonsense(node: ir.Node, builder: GraphBuilder) -> Outcome:
    return [builder.op("NoSuchOperator", *node.inputs)] if node.op_type == "Relu" else None


def as_other_shape(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "Relu":
        return None
    return [builder.op("Squeeze", builder.op("Relu", *node.inputs))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (as_negative, "output 'y' moved by up to 6"),
        (as_nonsense, "does not run"),
        (as_other_shape, "output 'y' is not what it was"),
    ],
)
def test_a_rule_that_changes_a_value_is_undone_and_reported(
    change: Callable[[ir.Node, GraphBuilder], Outcome], reason: str
) -> None:
    model = relu()
    wrong = replace(IS_NAN, name="wrong", replacement=change)
    after, steps = apply_rules(model, [wrong], [X])
    assert op_types(after) == ["Relu"]
    assert_same_values(model, after, X, 0)
    assert [(step.name, step.status) for step in steps] == [("wrong", "reverted")]
    assert reason in steps[0].reason


def test_the_model_given_is_left_as_it_is() -> None:
    model = make_model([helper.make_node("Clip", ["x"], ["y"])], X)
    edited = as_ir(model)
    rewrite(edited, [CLIP], Guard(model, [X]), target="Ascend310")
    assert [node.op_type for node in edited.graph] == ["Clip"]


def test_what_the_board_needs_and_can_not_get_is_an_error() -> None:
    wrong = replace(
        IS_NAN,
        replacement=as_negative,
        remains=lambda node: "it rectifies" if node.op_type == "Relu" else None,
    )
    with pytest.raises(CheckFailedError, match="moved by up to") as caught:
        apply_rules(relu(), [wrong], [X])
    assert "/act/Relu" in str(caught.value.where)
    assert "it rectifies" in str(caught.value.where)


def test_rules_for_other_boards_are_left_out() -> None:
    other = replace(IS_NAN, replacement=as_negative, targets=("Ascend910",))
    assert apply_rules(relu(), [other], [X])[1] == ()


@pytest.mark.parametrize("extra", [["com.microsoft"], ["ai.onnx.ml", "x"]])
def test_imports_that_no_node_needs_are_dropped(extra: List[str]) -> None:
    model = make_model([helper.make_node("Relu", ["x"], ["y"])], X)
    model.opset_import.extend([helper.make_opsetid(domain, 1) for domain in extra])
    after, _ = apply_rules(model, [STATIC_OPSET], [X])
    assert [(item.domain, item.version) for item in after.opset_import] == [("", 11)]


def test_the_long_name_of_the_default_domain_is_shortened() -> None:
    model = relu()
    model.opset_import[0].domain = "ai.onnx"
    model.graph.node[0].domain = "ai.onnx"
    after, _ = apply_rules(model, [STATIC_OPSET], [X])
    assert [(item.domain, item.version) for item in after.opset_import] == [("", 11)]
    assert after.graph.node[0].domain == ""


def test_a_node_of_another_domain_is_an_error_that_names_it() -> None:
    node = helper.make_node("Gelu", ["x"], ["y"], name="/mlp/Gelu", domain="com.microsoft")
    model = make_model([node], X, domains=["com.microsoft"])
    with pytest.raises(CheckFailedError) as caught:
        apply_rules(model, REWRITES, [X])
    assert "/mlp/Gelu" in str(caught.value.where)
    assert "com.microsoft" in str(caught.value.where)


def test_a_clip_without_bounds_is_its_input() -> None:
    model = make_model(
        [helper.make_node("Clip", ["x"], ["a"]), helper.make_node("Abs", ["a"], ["y"])], X
    )
    after, _ = apply_once(model, CLIP, X)
    assert op_types(after) == ["Abs"]


@pytest.mark.parametrize("given", [("low", ""), ("", "high"), ("low", "high")])
def test_computed_bounds_of_a_clip_are_max_and_min(given: Tuple[str, str]) -> None:
    """Also where the lower bound is above the upper: the upper wins."""
    feeds = {**X, "low": np.array(1.0, np.float32), "high": np.array(0.0, np.float32)}
    feeds = {name: feeds[name] for name in ("x", *filter(None, given))}
    model = make_model([helper.make_node("Clip", ["x", *given], ["y"])], feeds)
    after, _ = apply_once(model, CLIP, feeds)
    assert op_types(after) == [op for op, name in zip(("Max", "Min"), given) if name]


def test_constant_bounds_are_left() -> None:
    constants = {"low": np.array(0.0, np.float32)}
    model = make_model([helper.make_node("Clip", ["x", "low"], ["y"])], X, constants=constants)
    assert apply_rules(model, [CLIP], [X])[1] == ()


def test_what_is_constant_is_computed_at_export() -> None:
    """Pads as PyTorch's TorchScript exporter writes them, with an empty part."""
    nodes = [
        helper.make_node("ConstantOfShape", ["none"], ["empty"]),
        helper.make_node("Cast", ["empty"], ["empty64"], to=onnx.TensorProto.INT64),
        helper.make_node("Concat", ["one", "empty64", "one"], ["pads"], axis=0),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Mul", ["shape", "zero"], ["zeros"]),
        helper.make_node("Concat", ["pads", "zeros"], ["all"], axis=0),
        helper.make_node("Pad", ["x", "all"], ["y"]),
    ]
    constants = {"none": np.array([0]), "one": np.array([1]), "zero": np.array(0)}
    after, steps = apply_rules(make_model(nodes, X, constants=constants), [FOLD], [X])
    assert op_types(after) == ["Pad"]
    assert steps[0].count == 6


@pytest.mark.parametrize("kind", ["random", "output", "dynamic shape", "large"])
def test_what_is_not_constant_or_too_large_stays(kind: str) -> None:
    node = {
        "random": helper.make_node("RandomUniformLike", ["c"], ["a"], seed=1.0),
        "output": helper.make_node("Abs", ["c"], ["y"]),
        "dynamic shape": helper.make_node("Shape", ["x"], ["a"]),
        "large": helper.make_node("Expand", ["c", "size"], ["a"]),
    }[kind]
    last = [] if kind == "output" else [helper.make_node("Cast", ["a"], ["y"], to=1)]
    constants = {"c": X["x"], "size": np.array([1 << 19, 1, 3])}
    model = make_model([node, *last], X, constants=constants)
    if kind == "dynamic shape":
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    assert apply_rules(model, [FOLD], [X])[1] == ()


NOT_FINITE = {"x": np.array([[np.nan, np.inf, -np.inf, 0, 1e38]], np.float32)}


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("IsNaN", ["x"], ["y"]),
        helper.make_node("IsInf", ["x"], ["y"]),
        helper.make_node("IsInf", ["x"], ["y"], detect_negative=0),
        helper.make_node("IsInf", ["x"], ["y"], detect_positive=0),
    ],
)
def test_tests_for_finite_numbers_are_comparisons(node: onnx.NodeProto) -> None:
    after, _ = apply_once(make_model([node], NOT_FINITE), IS_NAN, NOT_FINITE)
    assert set(op_types(after)) <= {"Equal", "Not", "Abs"}


def test_a_test_for_no_infinity_at_all_is_refused() -> None:
    node = helper.make_node("IsInf", ["x"], ["y"], detect_negative=0, detect_positive=0)
    _, steps = apply_rules(make_model([node], NOT_FINITE), [IS_NAN], [NOT_FINITE])
    assert [step.status for step in steps] == ["refused"]


def test_simplifying_keeps_names_shapes_and_values() -> None:
    pytest.importorskip("onnxsim")
    nodes = [
        helper.make_node("Add", ["one", "one"], ["two"]),
        helper.make_node("Mul", ["x", "two"], ["y"]),
    ]
    model = make_model(nodes, X, constants={"one": np.ones(1, np.float32)})
    after, step = simplify(model, Guard(model, [X]))
    assert (step.status, step.count) == ("applied", 1)
    assert op_types(after) == ["Mul"]
    assert op_types(model) == ["Add", "Mul"]
    assert list(after.graph.output) == list(model.graph.output)
    assert simplify(after, Guard(model, [X]))[1].status == "not needed"


def test_simplifying_leaves_an_inverse_alone() -> None:
    pytest.importorskip("onnxsim")
    feeds = {"x": np.eye(3, dtype=np.float32) * 2}
    nodes = [
        helper.make_node("Inverse", ["x"], ["i"], domain="com.microsoft"),
        helper.make_node("Identity", ["i"], ["y"]),
    ]
    model = make_model(nodes, feeds, domains=["com.microsoft"])
    after, step = simplify(model, Guard(model, [feeds]))
    assert step.status in ("applied", "not needed", "skipped"), step
    assert_same_values(model, after, feeds)


def negating(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    model.graph.node[0].op_type = "Neg"
    return model, True


def renaming(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "other"
    return model, True


def raising_the_opset(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    model.opset_import[0].version = 13
    return model, True


def failing(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    raise RuntimeError("no shape for node 7\nand more")


@pytest.mark.parametrize(
    ("simplifier", "status", "reason"),
    [
        (negating, "reverted", "moved by up to"),
        (renaming, "reverted", "outputs are not what they were"),
        (raising_the_opset, "reverted", "the opset became"),
        (failing, "skipped", "onnxsim failed: no shape for node 7"),
    ],
)
def test_a_simplifier_that_misbehaves_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    simplifier: Callable[..., Tuple[onnx.ModelProto, bool]],
    status: str,
    reason: str,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxsim", SimpleNamespace(simplify=simplifier))
    model = relu()
    before = model.SerializeToString()
    after, step = simplify(model, Guard(model, [X]))
    assert after.SerializeToString() == before == model.SerializeToString()
    assert (step.name, step.status) == ("simplify", status)
    assert reason in step.reason


def test_a_missing_simplifier_is_a_step_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxsim", None)
    model = relu()
    after, step = simplify(model, Guard(model, [X]))
    assert after is model
    assert step.status == "skipped"
