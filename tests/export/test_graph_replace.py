"""New nodes take the place of old ones, wherever these are and whatever uses them."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest

ir = pytest.importorskip("onnx_ir")
pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_graphs import make_model, one_node, operators  # noqa: E402

from atlas_hpe_export.graph import (  # noqa: E402
    GraphBuilder,
    Outcome,
    Refusal,
    as_ir,
    as_proto,
    replace_nodes,
    tidy,
)
from atlas_hpe_export.runners import run_model  # noqa: E402

X = np.array([[-1.0, 2.0, 3.0]], np.float32)


def doubled_relu(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """Relu becomes ``max(x, 0) * 2 / 2``, with constants."""
    if node.op_type != "Relu":
        return None
    two = builder.like(node.inputs[0], 2)
    larger = builder.op("Max", node.inputs[0], builder.like(node.inputs[0], 0))
    return [builder.op("Div", builder.op("Mul", larger, two), two)]


def through(node: ir.Node, builder: GraphBuilder) -> Outcome:
    return [node.inputs[0]] if node.op_type == "Neg" else None


def replaced(model: onnx.ModelProto, rule: object = doubled_relu) -> onnx.ModelProto:
    edited = as_ir(model)
    replace_nodes(edited, rule, 13)
    tidy(edited)
    after = as_proto(edited)
    onnx.checker.check_model(after, full_check=True)
    return after


def outputs(model: onnx.ModelProto, **feeds: np.ndarray) -> List[np.ndarray]:
    return list(run_model(model, [feeds])[0].values())


def test_new_values_take_the_names_of_the_old_ones() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["h"], name="/a/Relu"),
        helper.make_node("Neg", ["h"], ["y"], name="/b/Neg"),
    ]
    after = replaced(make_model(nodes, {"x": X}, ["y", "h"], opset=13))
    assert operators(after) == ["Max", "Mul", "Div", "Neg"]
    assert after.graph.node[2].output[0] == "h"
    assert [item.name for item in after.graph.output] == ["y", "h"]
    y, h = outputs(after, x=X)
    np.testing.assert_array_equal(h, np.maximum(X, 0))
    np.testing.assert_array_equal(y, -h)


def test_nodes_of_the_same_name_do_not_get_in_each_others_way() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["h"], name="Relu"),
        helper.make_node("Relu", ["h"], ["y"], name="Relu"),
    ]
    after = replaced(make_model(nodes, {"x": X}, ["y"], opset=13))
    np.testing.assert_array_equal(outputs(after, x=X)[0], np.maximum(X, 0))


def test_names_that_the_model_has_are_not_used_again() -> None:
    nodes = [
        helper.make_node("Add", ["x", "/a/Relu/constant"], ["/a/Relu/Max_output"]),
        helper.make_node("Relu", ["/a/Relu/Max_output"], ["y"], name="/a/Relu"),
        helper.make_node("Add", ["y", "/a/Relu/constant_1"], ["z"], name="/a/Relu/Mul"),
    ]
    feeds, constants = {"x": X, "/a/Relu/constant": -X}, {"/a/Relu/constant_1": X}
    after = replaced(make_model(nodes, feeds, ["z"], opset=13, constants=constants))
    np.testing.assert_array_equal(outputs(after, **feeds)[0], X)
    names = [node.name for node in after.graph.node if node.name]
    assert len(names) == len(set(names))


def test_an_output_that_becomes_an_input_keeps_its_name() -> None:
    after = replaced(one_node("Neg", {"x": X}, opset=13), through)
    assert operators(after) == ["Identity"]
    np.testing.assert_array_equal(outputs(after, x=X)[0], X)


def test_a_value_that_falls_away_in_the_middle_needs_no_node() -> None:
    nodes = [helper.make_node("Neg", ["x"], ["h"]), helper.make_node("Abs", ["h"], ["y"])]
    assert operators(replaced(make_model(nodes, {"x": X}, ["y"], opset=13), through)) == ["Abs"]


def test_two_outputs_with_the_same_value() -> None:
    def same(node: ir.Node, builder: GraphBuilder) -> Outcome:
        if node.op_type != "Split":
            return None
        value = builder.op("Abs", node.inputs[0])
        return [value, value]

    feeds = {"x": np.array([[-1.0], [1.0]], np.float32)}
    model = one_node("Split", feeds, opset=13, outputs=["a", "b"])
    del model.graph.output[:]
    for name in ("a", "b"):
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 1))
        model.graph.output.append(info)
    after = replaced(model, same)
    assert operators(after) == ["Abs", "Identity"]
    a, b = outputs(after, **feeds)
    np.testing.assert_array_equal(a, [[1], [1]])
    np.testing.assert_array_equal(a, b)


def test_an_output_that_becomes_a_constant_keeps_its_name() -> None:
    def one(node: ir.Node, builder: GraphBuilder) -> Outcome:
        return [builder.constant(np.ones((1, 3), np.float32))] if node.op_type == "Relu" else None

    after = replaced(one_node("Relu", {"x": X}, opset=13), one)
    assert operators(after) == ["Identity"]
    np.testing.assert_array_equal(outputs(after, x=X)[0], [[1, 1, 1]])


def branching_model() -> onnx.ModelProto:
    """``relu(x)`` in one branch of an If and ``-x`` in the other."""

    def branch(op_type: str) -> onnx.GraphProto:
        info = helper.make_tensor_value_info(f"{op_type}_out", TensorProto.FLOAT, X.shape)
        node = helper.make_node(op_type, ["x"], [info.name], name=f"/branch/{op_type}")
        return helper.make_graph([node], op_type, [], [info])

    node = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"), name="/If"
    )
    feeds = {"x": X, "c": np.array(True)}
    return make_model([node], feeds, ["y"], opset=13)


@pytest.mark.parametrize("rule", [doubled_relu, through])
def test_nodes_inside_if_are_replaced_too(rule: object) -> None:
    after = replaced(branching_model(), rule)
    bodies = {item.name: item.g for item in after.graph.node[0].attribute}
    if rule is doubled_relu:
        inside = [node.op_type for node in bodies["then_branch"].node]
        assert inside == ["Max", "Mul", "Div"]
    else:
        assert [node.op_type for node in bodies["else_branch"].node] == ["Identity"]
    for choice in (True, False):
        (found,) = outputs(after, x=X, c=np.array(choice))
        kept = X if rule is through else -X
        np.testing.assert_array_equal(found, np.maximum(X, 0) if choice else kept)


def test_refusals_name_their_nodes_and_leave_them() -> None:
    def refuse(node: ir.Node, builder: GraphBuilder) -> Outcome:
        builder.op("Neg", node.inputs[0])
        return Refusal("it is refused")

    model = one_node("Relu", {"x": X}, opset=13)
    edited = as_ir(model)
    done = replace_nodes(edited, refuse, 13)
    assert (done.count, done.refusals) == (0, ("Relu '/net/Relu': it is refused",))
    assert operators(as_proto(edited)) == ["Relu"]


def test_a_node_that_went_with_another_is_not_offered() -> None:
    seen = []

    def fuse(node: ir.Node, builder: GraphBuilder) -> Outcome:
        seen.append(node.op_type)
        if node.op_type != "Neg":
            return None
        after = node.outputs[0].uses()[0].node
        value = builder.op("Identity", node.inputs[0])
        after.outputs[0].replace_all_uses_with(value, replace_graph_outputs=True)
        value.name, after.outputs[0].name = after.outputs[0].name, None
        after.graph.remove(after, safe=True)
        return [value]

    nodes = [helper.make_node("Neg", ["x"], ["h"]), helper.make_node("Neg", ["h"], ["y"])]
    edited = as_ir(make_model(nodes, {"x": X}, ["y"], opset=13))
    replace_nodes(edited, fuse, 13)
    assert seen == ["Neg"]


def test_too_few_values_are_a_mistake_of_the_rule() -> None:
    edited = as_ir(one_node("Relu", {"x": X}, opset=13))
    with pytest.raises(ValueError, match="0 values for Relu '/net/Relu'"):
        replace_nodes(edited, lambda node, builder: [], 13)


def test_a_scalar_keeps_its_shape() -> None:
    def unknown(node: ir.Node, builder: GraphBuilder) -> Outcome:
        return [builder.op("Inverse", node.inputs[0], domain="com.microsoft")]

    edited = as_ir(one_node("Relu", {"x": np.array(1, np.float32)}, opset=13))
    replace_nodes(edited, unknown, 13)
    (output,) = edited.graph.outputs
    assert output.shape == ir.Shape([])
    assert output.dtype == ir.DataType.FLOAT


def test_a_default_of_an_input_is_left() -> None:
    model = one_node("Relu", {"x": X}, opset=13)
    model.graph.initializer.append(numpy_helper.from_array(X, "x"))
    assert [item.name for item in replaced(model).graph.input] == ["x"]
