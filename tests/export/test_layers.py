"""Layer by layer: every tensor, in order, in bounded memory."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import List

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from parity_graphs import (  # noqa: E402
    floats,
    get_constant,
    info,
    model_of,
    set_constant,
    unet,
    unet_feeds,
)

from atlas_hpe.errors import ModelFileError, SessionError  # noqa: E402
from atlas_hpe.parity import TOLERANCES, TensorParity  # noqa: E402
from atlas_hpe_export.parity.half_precision import emulate_half  # noqa: E402
from atlas_hpe_export.parity.intermediates import (  # noqa: E402
    NodeTensor,
    cut_graph,
    group_tensors,
    list_tensors,
    run_tensors,
    tensor_info,
)
from atlas_hpe_export.parity.layers import (  # noqa: E402
    LayerParity,
    LayerReport,
    compare_arrays,
    compare_layers,
    describe_layers,
    exceeds,
    layers_to_dict,
)
from atlas_hpe_export.runners import run_model  # noqa: E402

UNET_TENSORS = [
    ("down.conv_raw", "/down/conv/Conv", "down.conv"),
    ("down.conv", "/down/conv/Relu", "down.conv"),
    ("small", "/pool/MaxPool", "pool"),
    ("deep.conv1_raw", "/deep/conv1/Conv", "deep.conv1"),
    ("deep.conv1", "/deep/conv1/Relu", "deep.conv1"),
    ("deep.conv2_raw", "/deep/conv2/Conv", "deep.conv2"),
    ("deep.conv2", "/deep/conv2/Relu", "deep.conv2"),
    ("large", "/up/Resize", "up"),
    ("joined", "/up/Concat", "up"),
    ("up.conv_raw", "/up/conv/Conv", "up.conv"),
    ("up.conv", "/up/conv/Relu", "up.conv"),
    ("heatmaps", "/Sigmoid", ""),
]


def test_a_network_in_half_precision_is_compared_by_name_and_in_order() -> None:
    model, feeds = unet(), unet_feeds()
    report = compare_layers(model, emulate_half(model), feeds)
    found = [(layer.tensor.name, layer.node, layer.module) for layer in report.layers]
    assert found == UNET_TENSORS
    assert report.layers[0].op_type == "Conv"
    assert report.skipped == ()
    assert all(0 < layer.relative < 2e-3 for layer in report.layers)
    assert all(layer.tensor.cosine > 0.999999 for layer in report.layers)


def test_the_figures_of_a_layer_are_those_of_its_arrays() -> None:
    model, feeds = unet(), unet_feeds()
    name = "deep.conv1_raw"
    want = run_tensors(model, [name], feeds)[name]
    have = run_tensors(emulate_half(model), [name], feeds)[name]
    (layer,) = [
        layer
        for layer in compare_layers(model, emulate_half(model), feeds).layers
        if layer.tensor.name == name
    ]
    difference = np.abs(want.astype(np.float64) - have)
    assert layer.tensor.max_abs == difference.max()
    assert layer.tensor.p99_abs == np.percentile(difference, 99)
    assert layer.tensor.scale == np.abs(want).max()
    assert layer.relative == difference.max() / np.abs(want).max()


def test_a_wrong_weight_shows_from_its_layer_on() -> None:
    model, feeds = unet(), unet_feeds()
    weight = get_constant(model, "deep.conv2.weight")
    report = compare_layers(model, set_constant(model, "deep.conv2.weight", -weight), feeds)
    broken = [exceeds(layer.tensor, TOLERANCES["float32"]) for layer in report.layers]
    assert broken.index(True) == 5
    assert report.layers[5].node == "/deep/conv2/Conv"


def test_what_is_not_finite_is_counted() -> None:
    model, feeds = unet(), unet_feeds()
    loud = set_constant(model, "deep.conv1.weight", 1e5 * get_constant(model, "deep.conv1.weight"))
    report = compare_layers(loud, emulate_half(loud), feeds)
    layer = report.layers[3].tensor
    assert layer.reference_not_finite == 0
    assert layer.candidate_not_finite == layer.mismatched_not_finite > 0
    assert exceeds(layer, TOLERANCES["float32"])
    assert any("/deep/conv1/Conv (Conv)" in line for line in describe_layers(report))


def test_large_networks_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, feeds = unet(), unet_feeds()
    whole = compare_layers(model, emulate_half(model), feeds)
    groups: List[int] = []

    def small_groups(tensors: List[NodeTensor]) -> List[List[NodeTensor]]:
        found = list(group_tensors(tensors, max_bytes=10_000))
        groups.extend(len(group) for group in found)
        return found

    monkeypatch.setattr("atlas_hpe_export.parity.layers.group_tensors", small_groups)
    parts = compare_layers(model, emulate_half(model), feeds)
    assert len(parts.layers) == len(whole.layers) == len(UNET_TENSORS)
    assert len(groups) > 3
    for part, layer in zip(parts.layers, whole.layers):
        assert part.tensor.max_abs == pytest.approx(layer.tensor.max_abs, rel=1e-2)


def tensor(name: str, *shape: int) -> NodeTensor:
    return NodeTensor(name, shape or None, "node", "Relu", None)


def test_groups_keep_the_order_and_the_limit() -> None:
    sizes = {"a": 100, "b": 10, "c": 10, "d": 5, "e": 1}
    tensors = [tensor(name, size) for name, size in sizes.items()]
    groups = [[item.name for item in group] for group in group_tensors(tensors, 80)]
    assert groups == [["a"], ["b", "c"], ["d", "e"]]


def test_a_tensor_of_unknown_size_is_alone() -> None:
    tensors = [tensor("a", 1), tensor("b"), tensor("c", 1)]
    groups = [[item.name for item in group] for group in group_tensors(tensors, 80)]
    assert groups == [["a"], ["b"], ["c"]]
    assert list(group_tensors([])) == []


def constant_graph() -> onnx.ModelProto:
    """What is made of constants alone, what is inside If, and integers are no layers."""
    x = floats(4)
    inner = helper.make_graph(
        [helper.make_node("Relu", ["a"], ["hidden"])], "branch", [], [info("hidden", x)]
    )
    other = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["hidden2"])], "branch", [], [info("hidden2", x)]
    )
    nodes = [
        helper.make_node("Identity", ["w"], ["v"]),
        helper.make_node("Add", ["x", "v"], ["a"]),
        helper.make_node("ArgMax", ["a"], ["where"], axis=0),
        helper.make_node("If", ["yes"], ["y"], "/gate/If", then_branch=inner, else_branch=other),
    ]
    constants = {"w": x + 1, "yes": np.array(True)}
    return model_of(nodes, {"x": x}, {"y": x, "where": np.zeros(1, np.int64)}, constants)


def test_only_what_depends_on_the_inputs_is_a_layer() -> None:
    found = list_tensors(constant_graph())
    assert [(item.name, item.node, item.module) for item in found] == [
        ("a", "a", None),
        ("y", "/gate/If", "gate"),
    ]
    assert found[0].shape == (4,)


def test_a_branch_reads_what_is_around_it() -> None:
    feeds = {"x": np.float32([1, -3, 0, 5])}
    np.testing.assert_array_equal(run_tensors(constant_graph(), ["y"], feeds)["y"], [2, 0, 1, 6])


def test_shapes_that_are_not_static_are_unknown() -> None:
    x = floats(2)
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": x}, {"y": x})
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    assert [item.shape for item in list_tensors(model)] == [None]
    assert compare_layers(model, model, {"x": x}).layers[0].tensor.max_abs == 0
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert [item.shape for item in list_tensors(model)] == [None]


def figures(want: object, have: object) -> TensorParity:
    return compare_arrays("a", np.float32(want), np.float32(have))


def test_the_limit_is_a_share_of_the_largest_value_or_of_one() -> None:
    tolerance = replace(TOLERANCES["float32"], tensor=0.1)
    assert not exceeds(figures([100, 0], [109, 0]), tolerance)
    assert exceeds(figures([100, 0], [111, 0]), tolerance)
    assert not exceeds(figures([0.01, 0], [0.05, 0]), tolerance)
    assert exceeds(figures([0.01, 0], [0.12, 0]), tolerance)


def test_what_is_not_finite_in_only_one_is_never_within_a_tolerance() -> None:
    tolerance = replace(TOLERANCES["float32"], tensor=math.inf)
    assert exceeds(figures([1, 2], [1, math.inf]), tolerance)
    assert exceeds(figures([1, math.nan], [1, 2]), tolerance)
    assert not exceeds(figures([1, math.nan, math.inf], [1, math.nan, math.inf]), tolerance)


def test_layers_that_are_not_finite_are_shown_before_those_that_differ() -> None:
    pairs = [("small", 1.1), ("large", 2.0), ("none", 1.0), ("broken", math.inf), ("more", 1.5)]
    layers = [LayerParity(figures([1, 1], [1, have]), name, "Relu", "") for name, have in pairs]
    lines = describe_layers(LayerReport(tuple(layers), ()), shown=1)
    assert [line.split()[0] for line in lines[1:]] == ["broken"]
    lines = describe_layers(LayerReport(tuple(layers), ()), shown=3)
    assert [line.split()[0] for line in lines[1:]] == ["large", "broken", "more"]


def test_tensors_of_other_shapes_are_named_and_skipped() -> None:
    x = floats(2, 3)
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Flatten", ["a"], ["y"])]
    reference = model_of(nodes, {"x": x}, {"y": x})
    nodes = [helper.make_node("Relu", ["x"], ["b"]), helper.make_node("Transpose", ["b"], ["a"])]
    nodes.append(helper.make_node("Transpose", ["a"], ["y"]))
    report = compare_layers(reference, model_of(nodes, {"x": x}, {"y": x}), {"x": x})
    assert [layer.tensor.name for layer in report.layers] == ["y"]
    (reason,) = report.skipped
    assert "'a' is [2, 3] in the reference and [3, 2] in the candidate" in reason
    assert any("not compared" in line for line in describe_layers(report))


def test_feeds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SessionError, match="does not fit"):
        compare_layers(unet(), unet(), {"image": floats(1, 3, 8, 8)})
    with pytest.raises(SessionError, match="do not match"):
        compare_layers(unet(), unet(), {"picture": floats(1, 3, 16, 16)})


def test_a_graph_that_is_none_is_refused() -> None:
    x = floats(2)
    broken = model_of([helper.make_node("Relu", [], ["y"])], {"x": x}, {"y": x})
    with pytest.raises(ModelFileError, match="inferred"):
        compare_layers(broken, broken, {"x": x})


def test_the_report_goes_into_json() -> None:
    model = unet()
    report = compare_layers(model, emulate_half(model), unet_feeds())
    data = json.loads(json.dumps(layers_to_dict(report), allow_nan=False))
    assert len(data["layers"]) == len(UNET_TENSORS)
    assert data["layers"][0]["module"] == "down.conv"
    assert data["layers"][0]["relative"] == report.layers[0].relative
    assert data["skipped"] == []


def test_a_tensor_of_zeros_has_no_relative_error() -> None:
    x = floats(3)
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": x}, {"y": x})
    report = compare_layers(model, model, {"x": x})
    assert report.layers[0].relative is None
    assert len(describe_layers(report)) == 2


def test_the_layers_that_differ_most_are_shown_in_their_order() -> None:
    model, feeds = unet(), unet_feeds()
    weight = get_constant(model, "deep.conv2.weight")
    report = compare_layers(model, set_constant(model, "deep.conv2.weight", -weight), feeds)
    lines = describe_layers(report, shown=3)
    assert lines[0] == "layer by layer: 12 compared, the 3 that differ most"
    assert len(lines) == 4
    nodes = [line.split()[0] for line in lines[1:]]
    order = [layer.node for layer in report.layers]
    assert nodes == sorted(nodes, key=order.index)
    assert all(order.index(node) >= 5 for node in nodes)


# Cutting graphs.


def test_a_cut_holds_nothing_that_its_end_does_not_need() -> None:
    model = unet()
    start = {"small": tensor_info("small", floats(1, 4, 8, 8))}
    cut = cut_graph(model, [tensor_info("deep.conv2")], start)
    assert [node.name for node in cut.graph.node] == [
        "/deep/conv1/Conv",
        "/deep/conv1/Relu",
        "/deep/conv2/Conv",
        "/deep/conv2/Relu",
    ]
    assert [item.name for item in cut.graph.input] == ["small"]
    assert {item.name for item in cut.graph.initializer} == {
        "deep.conv1.weight",
        "deep.conv1.bias",
        "deep.conv2.weight",
        "deep.conv2.bias",
    }
    feeds = unet_feeds()
    whole = run_tensors(model, ["small", "deep.conv2"], feeds)
    (part,) = run_model(cut, [{"small": whole["small"]}])
    np.testing.assert_array_equal(part["deep.conv2"], whole["deep.conv2"])


def test_a_node_with_one_output_fed_and_one_needed_is_kept() -> None:
    x = np.float32([1, 2, 3, 4])
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"]),
        helper.make_node("Neg", ["b"], ["c"]),
        helper.make_node("Add", ["a", "c"], ["y"]),
    ]
    model = model_of(nodes, {"x": x}, {"y": floats(2)})
    start = {"b": tensor_info("b", floats(2))}
    cut = cut_graph(model, [tensor_info("y", floats(2))], start)
    onnx.checker.check_model(cut)
    (result,) = run_model(cut, [{"x": x, "b": np.float32([10, 20])}])
    np.testing.assert_array_equal(result["y"], [-9, -18])


def test_inputs_are_tensors_too_integers_as_well() -> None:
    feeds = {"x": np.float32([5, 6, 7]), "index": np.int64([2, 0])}
    nodes = [helper.make_node("Gather", ["x", "index"], ["y"])]
    model = model_of(nodes, feeds, {"y": floats(2)})
    values = run_tensors(model, ["index", "y"], feeds)
    np.testing.assert_array_equal(values["index"], feeds["index"])
    np.testing.assert_array_equal(values["y"], [7, 5])
    assert set(run_tensors(model, ["x"], feeds)) == {"x"}


def test_a_start_may_be_an_input_and_one_that_is_not_met_is_left_out() -> None:
    starts = {"image": tensor_info("image", floats(1, 3, 16, 16)), "deep": tensor_info("deep")}
    cut = cut_graph(unet(), [tensor_info("down.conv")], starts)
    assert [item.name for item in cut.graph.input] == ["image"]


def test_functions_of_the_model_go_with_the_part() -> None:
    x = np.float32([1, 2])
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    function = helper.make_function(
        "mine", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 11)]
    )
    nodes = [helper.make_node("Twice", ["x"], ["t"], domain="mine")]
    nodes.append(helper.make_node("Relu", ["t"], ["y"]))
    model = model_of(nodes, {"x": x}, {"y": x}, domains=("", "mine"))
    model.ir_version = 8
    model.functions.append(function)
    np.testing.assert_array_equal(run_tensors(model, ["y"], {"x": x})["y"], [2, 4])
