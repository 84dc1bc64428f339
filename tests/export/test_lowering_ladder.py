"""The ladder as a whole: every operator has its place, refusals are listed, mistakes are caught."""

from __future__ import annotations

from typing import Dict, Set

import numpy as np
import pytest

ir = pytest.importorskip("onnx_ir")
pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import lowered, make_model, one_node, operators  # noqa: E402

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe_export.graph import GraphBuilder, Guard, Outcome, as_ir, as_proto  # noqa: E402
from atlas_hpe_export.lowering import LADDER, OpsetStep, lower  # noqa: E402

X = np.array([[-1.0, 0.5, 2.0], [3.0, -4.0, 1.0]], np.float32)
AXES = {"axes": np.array([1], np.int64)}


def changed_at(version: int) -> Set[str]:
    """Operators of the default domain that came or changed with an opset."""
    return {
        schema.name
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == "" and schema.since_version == version
    }


def test_the_ladder_has_every_rung_from_21_to_12() -> None:
    assert [step.version for step in LADDER] == list(range(21, 11, -1))


@pytest.mark.parametrize("step", LADDER, ids=lambda step: f"opset {step.version}")
def test_every_operator_that_changed_has_its_place(step: OpsetStep) -> None:
    places = [set(step.adapters), set(step.widened), set(step.refused)]
    listed = sorted(name for place in places for name in place)
    assert listed == sorted(changed_at(step.version)), "missing, unknown, or in two places"


@pytest.mark.parametrize("step", LADDER, ids=lambda step: f"opset {step.version}")
def test_tables_are_in_alphabetical_order(step: OpsetStep) -> None:
    assert list(step.adapters) == sorted(step.adapters)
    assert list(step.refused) == sorted(step.refused)


def test_reasons_fit_into_a_list() -> None:
    reasons = [reason for step in LADDER for reason in step.refused.values()]
    assert all(reason and ";" not in reason and not reason.endswith(".") for reason in reasons)


#: Attributes that came with an opset in operators that are only widened. One that holds its default
#: is dropped, so the default must mean what the older form does: compared with the text of both.
DROPPED = {
    (14, "GRU"): {"layout"},
    (14, "LSTM"): {"layout"},
    (14, "RNN"): {"layout"},
    (16, "ScatterElements"): {"reduction"},
    (16, "ScatterND"): {"reduction"},
    (19, "Cast"): {"saturate"},
    (19, "CastLike"): {"saturate"},
    (19, "QuantizeLinear"): {"saturate"},
    (21, "DequantizeLinear"): {"block_size"},
    (21, "QuantizeLinear"): {"block_size", "output_dtype"},
}


def test_no_other_attribute_is_dropped_silently() -> None:
    found: Dict[object, Set[str]] = {}
    for step in LADDER:
        for name in step.widened:
            newer = set(onnx.defs.get_schema(name, step.version).attributes)
            older = set(onnx.defs.get_schema(name, step.version - 1).attributes)
            if newer - older:
                found[step.version, name] = newer - older
    assert found == DROPPED


def reductions(count: int) -> onnx.ModelProto:
    """Reductions over axes that are computed: they have no form at opset 11."""
    nodes = [
        helper.make_node(
            "ReduceMean", ["x", "axes"], [f"y{index}"], name=f"/mean{index}/ReduceMean"
        )
        for index in range(count)
    ]
    return make_model(nodes, {"x": X, **AXES}, [f"y{index}" for index in range(count)], opset=18)


def refusal(model: onnx.ModelProto, **feeds: np.ndarray) -> CheckFailedError:
    with pytest.raises(CheckFailedError, match="no form at opset 11") as caught:
        lower(as_ir(model), LADDER, 11, Guard(model, [feeds]))
    return caught.value


def test_a_refusal_names_the_node_and_the_reason() -> None:
    error = refusal(reductions(1), x=X, **AXES)
    assert error.where == (
        "ReduceMean '/mean0/ReduceMean': its axes are computed in the graph, "
        "below they are part of the node"
    )
    assert error.fix


def test_many_refusals_are_counted() -> None:
    error = refusal(reductions(7), x=X, **AXES)
    assert str(error.where).count("ReduceMean '/mean") == 5
    assert str(error.where).endswith("; and 2 more")


def test_refusals_of_all_opsets_come_in_one_list() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["a"], name="/mean/ReduceMean"),
        helper.make_node("Squeeze", ["a", "axes"], ["y"], name="/squeeze/Squeeze"),
    ]
    error = refusal(make_model(nodes, {"x": X, **AXES}, ["y"], opset=18), x=X, **AXES)
    assert "'/mean/ReduceMean'" in str(error.where)
    assert "'/squeeze/Squeeze'" in str(error.where)


def test_after_a_refusal_nothing_is_run_any_more() -> None:
    """What is left is of no opset: ONNX Runtime would refuse it for other reasons."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["a"], name="/mean/ReduceMean"),
        helper.make_node("Mish", ["a"], ["b"], name="/act/Mish"),
        helper.make_node("HardSwish", ["b"], ["y"], name="/act/HardSwish"),
    ]
    error = refusal(make_model(nodes, {"x": X, **AXES}, ["y"], opset=18), x=X, **AXES)
    assert str(error.where).startswith("ReduceMean '/mean/ReduceMean': its axes are computed")
    assert str(error.where).count("; ") == 0


def test_an_operator_without_an_older_form_is_refused_with_its_reason() -> None:
    feeds = {"x": X, "target": np.array([0, 1])}
    model = one_node("NegativeLogLikelihoodLoss", feeds, opset=13)
    assert "it is a loss" in str(refusal(model, **feeds).where)


def test_a_refused_node_is_listed_once() -> None:
    feeds = {"x": X, "i": np.array([[0, 0, 0]]), "u": X[:1]}
    model = one_node("ScatterElements", feeds, opset=18, reduction="max")
    error = refusal(model, **feeds)
    assert str(error.where).count("ScatterElements '") == 1
    assert "with the reduction 'max'" in str(error.where)


def test_an_operator_that_no_step_knows_is_refused() -> None:
    model = one_node("Mish", {"x": X}, opset=18)
    step = OpsetStep(version=18)
    with pytest.raises(CheckFailedError) as caught:
        lower(as_ir(model), [step], 17, Guard(model, [{"x": X}]))
    assert "Mish has no form below opset 18 here" in str(caught.value.where)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("LayerNormalization", ": there is no LayerNormalization at opset 16"),
        ("Mish", ": its older form needs Mish, and there is no Mish at opset 16"),
    ],
)
def test_new_nodes_must_exist_in_the_older_opset(new: str, reason: str) -> None:
    def same(node: ir.Node, builder: GraphBuilder) -> Outcome:
        return [builder.op(new, *node.inputs)]

    feeds = {"x": X, "s": np.ones(3, np.float32)}
    model = one_node("LayerNormalization", feeds, opset=17)
    step = OpsetStep(version=17, adapters={"LayerNormalization": same})
    with pytest.raises(CheckFailedError) as caught:
        lower(as_ir(model), [step], 16, Guard(model, [feeds]))
    assert str(caught.value.where).endswith(reason)


def test_nodes_that_are_left_must_exist_in_the_older_opset() -> None:
    model = one_node("Mish", {"x": X}, opset=18)
    step = OpsetStep(version=18, adapters={"Mish": lambda node, builder: None})
    with pytest.raises(CheckFailedError) as caught:
        lower(as_ir(model), [step], 17, Guard(model, [{"x": X}]))
    assert "there is no Mish at opset 17" in str(caught.value.where)


def test_a_step_that_moves_a_value_is_caught() -> None:
    def wrong(node: ir.Node, builder: GraphBuilder) -> Outcome:
        return [builder.op("Relu", node.inputs[0])]

    model = one_node("HardSwish", {"x": X}, opset=14)
    step = OpsetStep(version=14, adapters={"HardSwish": wrong, "Add": wrong})
    with pytest.raises(
        CheckFailedError, match="opset 14 to 13 changed what the graph says"
    ) as caught:
        lower(as_ir(model), [step], 13, Guard(model, [{"x": X}]))
    assert caught.value.where == "HardSwish"
    assert "output 'y' moved by" in str(caught.value.why)


def test_a_meaning_that_changed_without_a_replacement_is_caught() -> None:
    model = one_node("Softmax", {"x": X.reshape(1, 2, 3)}, opset=13, axis=1)
    step = OpsetStep(version=13, adapters={"Softmax": lambda node, builder: None})
    with pytest.raises(CheckFailedError, match="opset 13 to 12 changed what the graph says"):
        lower(as_ir(model), [step], 12, Guard(model, [{"x": X.reshape(1, 2, 3)}]))


def test_steps_are_reported_where_something_was_replaced() -> None:
    model = one_node("ReduceMean", {"x": X}, constants=AXES, opset=18)
    steps = lower(as_ir(model), LADDER, 11, Guard(model, [{"x": X}]))
    assert [(step.name, step.status, step.count) for step in steps] == [
        ("opset 18 to 17", "applied", 1)
    ]


def test_a_model_that_is_there_already_stays_as_it_is() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["unused"])]
    for opset in (9, 11):
        model = make_model(nodes, {"x": X}, ["y"], opset=opset)
        edited = as_ir(model)
        assert lower(edited, LADDER, 11, Guard(model, [{"x": X}])) == ()
        assert as_proto(edited) == as_proto(as_ir(model))


def test_what_nothing_uses_is_dropped_on_the_way() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["unused"])]
    model = make_model(nodes, {"x": X}, ["y"], opset=13, domains=[("com.microsoft", 1)])
    after = lowered(model, {"x": X})
    assert operators(after) == ["Relu"]
    assert [item.domain for item in after.opset_import] == [""]


@pytest.mark.parametrize("user", ["CastLike", "Cast"])
def test_what_nothing_uses_is_not_refused(user: str) -> None:
    """A loss that only gives its element type, or nothing at all."""
    nodes = [
        helper.make_node("NegativeLogLikelihoodLoss", ["x", "target"], ["loss"]),
        helper.make_node("CastLike", ["x", "loss"], ["y"])
        if user == "CastLike"
        else helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT),
    ]
    constants = {"target": np.array([0, 1])}
    model = make_model(nodes, {"x": X}, ["y"], opset=15, constants=constants)
    assert operators(lowered(model, {"x": X})) == ["Cast"]


def test_shapes_that_the_file_does_not_hold_are_inferred() -> None:
    x = X.reshape(1, 2, 3)
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("Softmax", ["a"], ["y"], axis=1),
    ]
    model = make_model(nodes, {"x": x}, ["y"], opset=13)
    del model.graph.value_info[:]
    assert operators(lowered(model, {"x": x})) == ["Abs", "Transpose", "Softmax", "Transpose"]


def test_a_model_above_the_ladder_is_refused_with_the_highest_opset() -> None:
    model = one_node("Relu", {"x": X}, opset=22)
    with pytest.raises(CheckFailedError, match="the model is at opset 22") as caught:
        lower(as_ir(model), LADDER, 11, Guard(model, [{"x": X}]))
    assert "opset 21 or below" in str(caught.value.fix)


def test_a_target_above_11_is_where_the_way_ends() -> None:
    model = one_node("Squeeze", {"x": X[:1]}, opset=18)
    edited = as_ir(model)
    assert lower(edited, LADDER, 13, Guard(model, [{"x": X[:1]}])) == ()
    assert edited.graph.opset_imports[""] == 13


def test_operators_of_other_domains_are_left_alone() -> None:
    nodes = [
        helper.make_node("Inverse", ["x"], ["i"], domain="com.microsoft", name="/head/Inverse"),
        helper.make_node("ReduceMean", ["i", "axes"], ["y"], name="/head/ReduceMean"),
    ]
    x = np.array([[[2.0, 1.0], [1.0, 3.0]]], np.float32)
    model = make_model(
        nodes,
        {"x": x},
        ["y"],
        opset=18,
        constants=AXES,
        domains=[("com.microsoft", 1), ("ai.onnx.ml", 3)],
    )
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 2)))
    after = lowered(model, {"x": x})
    assert operators(after) == ["Inverse", "ReduceMean"]
    domains = sorted(item.domain for item in after.opset_import)
    assert domains == ["", "com.microsoft"], "imports that no node needs are dropped"


def test_functions_of_the_model_are_lowered_with_it() -> None:
    body = [helper.make_node("ReduceMean", ["a", "n"], ["b"], keepdims=0)]
    imports = [helper.make_opsetid("", 18)]
    function = helper.make_function("own", "Mean", ["a", "n"], ["b"], body, imports)
    node = helper.make_node("Mean", ["x", "axes"], ["y"], domain="own", name="/pool/Mean")
    feeds = {"x": X}
    model = make_model([node], feeds, ["y"], opset=18, constants=AXES, domains=[("own", 1)])
    model.functions.append(function)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,)))
    after = lowered(model, feeds)
    assert operators(after) == ["ReduceMean"]
    assert not after.functions


@pytest.mark.parametrize("choice", [True, False])
def test_branches_of_if_are_lowered_too(choice: bool) -> None:
    def branch(axis: int) -> onnx.GraphProto:
        info = helper.make_tensor_value_info(f"out{axis}", TensorProto.FLOAT, (1, 1))
        name = f"/branch{axis}"
        array = onnx.numpy_helper.from_array(np.array([0, 1]), f"axes{axis}")
        nodes = [
            helper.make_node(
                "ReduceMean", ["x", array.name], [f"m{axis}"], name=f"{name}/ReduceMean"
            ),
            helper.make_node("Mish", [f"m{axis}"], [info.name], name=f"{name}/Mish"),
        ]
        return helper.make_graph(nodes, f"branch{axis}", [], [info], [array])

    node = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch(0), else_branch=branch(1), name="/If"
    )
    feeds = {"x": X, "c": np.array(choice)}
    after = lowered(make_model([node], feeds, ["y"], opset=18), feeds)
    bodies = [item.g for item in after.graph.node[-1].attribute]
    assert all(body.node[0].op_type == "ReduceMean" for body in bodies)
    assert all(node.op_type != "Mish" for body in bodies for node in body.node)


def test_names_keep_the_path_of_the_module() -> None:
    feeds = {"x": np.ones((1, 4, 2), np.float32)}
    after = lowered(one_node("Softmax", feeds, opset=18, axis=1), feeds)
    assert [node.name for node in after.graph.node] == [
        "/net/Softmax/Transpose",
        "/net/Softmax",
        "/net/Softmax/Transpose_1",
    ]
    assert after.graph.node[-1].output[0] == "y"


def test_shape_arithmetic_that_nobody_folded_does_no_harm() -> None:
    """What TorchScript writes for ``x.view(x.shape[0], -1)``, and a squeeze of a slice."""
    feeds = {"x": np.arange(24, dtype=np.float32).reshape(2, 3, 4)}
    zero, minus = np.array(0), np.array([-1])
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "first"], ["batches"]),
        helper.make_node("Concat", ["batches", "minus"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"], allowzero=1),
        helper.make_node("Shape", ["x"], ["tail"], start=1),
        helper.make_node("Cast", ["tail"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("ReduceProd", ["sizes"], ["count"], keepdims=0),
        helper.make_node("Div", ["flat", "count"], ["y"]),
    ]
    constants = {"zero": zero, "first": np.array([0]), "minus": minus}
    lowered(make_model(nodes, feeds, ["y"], opset=18, constants=constants), feeds)
