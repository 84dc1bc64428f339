"""Batch norms, layer norms, softmax: folded, or in numbers that float16 holds."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from rewrite_graphs import (  # noqa: E402
    apply_once,
    apply_rules,
    assert_same_values,
    make_model,
    op_types,
    run_in_half,
)

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe_export.rewrites.batch_norm import RULE as BATCH_NORM  # noqa: E402
from atlas_hpe_export.rewrites.layer_norm_fp16 import RULE as LAYER_NORM  # noqa: E402
from atlas_hpe_export.rewrites.softmax_last_axis import RULE as SOFTMAX  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

Arrays = Dict[str, np.ndarray]


def statistics(channels: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "scale": rng.uniform(0.5, 2, channels).astype(np.float32),
        "bias": rng.standard_normal(channels).astype(np.float32),
        "mean": rng.standard_normal(channels).astype(np.float32),
        "var": rng.uniform(0.5, 2, channels).astype(np.float32),
    }


def norm_node(x: str, y: str, **attributes: object) -> onnx.NodeProto:
    names = [x, "scale", "bias", "mean", "var"]
    return helper.make_node("BatchNormalization", names, [y], name="/bn", **attributes)


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


LAYERS: List[Tuple[str, Tuple[int, ...], Tuple[int, ...], Dict[str, object], int]] = [
    ("Conv", (2, 6, 7, 7), (4, 6, 3, 3), {"kernel_shape": [3, 3]}, 4),
    ("Conv", (2, 6, 7, 7), (4, 3, 3, 3), {"group": 2, "strides": [2, 2]}, 4),
    ("Conv", (2, 6, 9), (4, 6, 3), {"kernel_shape": [3]}, 4),
    ("ConvTranspose", (2, 6, 5, 5), (6, 4, 2, 2), {"strides": [2, 2], "kernel_shape": [2, 2]}, 4),
    ("ConvTranspose", (2, 6, 5, 5), (6, 2, 2, 2), {"group": 2, "kernel_shape": [2, 2]}, 4),
    ("Gemm", (3, 6), (4, 6), {"transB": 1}, 4),
    ("Gemm", (3, 6), (6, 4), {}, 4),
]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_norm_after_a_layer_is_folded(layer: tuple, with_bias: bool) -> None:
    kind, shape, weight, attributes, channels = layer
    constants = {**statistics(channels), "w": values(*weight)}
    if with_bias:
        constants["b"] = values(channels)
    inputs = ["x", "w"] + (["b"] if with_bias else [])
    nodes = [helper.make_node(kind, inputs, ["a"], **attributes), norm_node("a", "y")]
    x = {"x": values(*shape)}
    after, _ = apply_once(make_model(nodes, x, constants=constants), BATCH_NORM, x)
    assert op_types(after) == [kind]


@pytest.mark.parametrize("layer", [item for item in LAYERS if item[0] != "ConvTranspose"])
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_norm_before_a_layer_without_padding_is_folded(layer: tuple, with_bias: bool) -> None:
    kind, shape, weight, attributes, channels = layer
    constants = {**statistics(shape[1]), "w": values(*weight)}
    if with_bias:
        constants["b"] = values(channels)
    inputs = ["a", "w"] + (["b"] if with_bias else [])
    nodes = [norm_node("x", "a"), helper.make_node(kind, inputs, ["y"], **attributes)]
    x = {"x": values(*shape)}
    after, _ = apply_once(make_model(nodes, x, constants=constants), BATCH_NORM, x)
    assert op_types(after) == [kind]


@pytest.mark.parametrize("attributes", [{"pads": [1] * 4}, {"auto_pad": "SAME_UPPER"}])
def test_a_norm_before_a_padded_convolution_stays(attributes: Dict[str, object]) -> None:
    """networks.md section 1: shallow_unet has them; zeros are padded behind the norm."""
    nodes = [norm_node("x", "a"), helper.make_node("Conv", ["a", "w"], ["y"], **attributes)]
    constants = {**statistics(6), "w": values(4, 6, 3, 3)}
    x = {"x": values(1, 6, 7, 7)}
    after, steps = apply_rules(make_model(nodes, x, constants=constants), [BATCH_NORM], [x])
    assert (op_types(after), steps) == (["BatchNormalization", "Conv"], ())


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_norm_with_other_readers_is_not_folded(order: str) -> None:
    if order == "after":
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["a"]),
            norm_node("a", "y"),
            helper.make_node("Relu", ["a"], ["z"]),
        ]
    else:
        nodes = [
            norm_node("x", "z"),
            helper.make_node("Conv", ["z", "w"], ["y"]),
        ]
    constants = {**statistics(4), "w": values(4, 4, 1, 1)}
    x = {"x": values(1, 4, 3, 3)}
    model = make_model(nodes, x, ["y", "z"], constants=constants)
    assert apply_rules(model, [BATCH_NORM], [x])[1] == ()


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("reason", ["factor", "turned", "computed weights", "wide bias"])
def test_a_layer_of_another_form_is_not_folded(order: str, reason: str) -> None:
    attributes = {"factor": {"alpha": 2.0}, "turned": {"transA": 1}}.get(reason, {})
    if (order, reason) == ("after", "turned"):
        return  # how the input lies does not matter behind the layer
    feeds, constants = {"x": values(4, 4)}, statistics(4)
    (feeds if reason == "computed weights" else constants)["w"] = values(4, 4)
    constants["b"] = values(4, 4) if reason == "wide bias" else values(4)
    inner, outer = ("x", "y") if order == "before" else ("a", "y")
    names = ["a", "w", "b"] if order == "before" else ["x", "w", "b"]
    layer = helper.make_node("Gemm", names, ["y" if order == "before" else "a"], **attributes)
    norm = norm_node(inner, "a" if order == "before" else outer)
    nodes = [norm, layer] if order == "before" else [layer, norm]
    model = make_model(nodes, feeds, constants=constants)
    assert apply_rules(model, [BATCH_NORM], [feeds])[1] == ()


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 5), (2, 4, 5, 5)])
def test_a_tiny_variance_is_computed_here(shape: Tuple[int, ...]) -> None:
    constants = {**statistics(4), "var": np.array([1e-9, 1e-7, 1, 0], np.float32)}
    constants["scale"] = np.array([1e-4, 1e-3, 1, 1e-4], np.float32)
    x = {"x": values(*shape)}
    model = make_model([norm_node("x", "y", epsilon=1e-8)], x, constants=constants)
    after, _ = apply_once(model, BATCH_NORM, x)
    assert op_types(after) == ["Mul", "Add"]
    found, exact = run_in_half(after, x)["y"], run_model(model, [x])[0]["y"]
    np.testing.assert_allclose(found, exact, atol=2e-2)
    half = np.float32(1e-9).astype(np.float16) + np.float32(1e-8).astype(np.float16)
    assert half == 0, "float16 would divide by zero"


@pytest.mark.parametrize("field", ["mean", "var"])
def test_statistics_beyond_float16_are_computed_here(field: str) -> None:
    constants = statistics(4)
    constants[field] = np.full(4, 1e5, np.float32)
    constants["scale"] = np.full(4, 1e-3, np.float32)
    x = {"x": values(2, 4, 3, 3)}
    after, _ = apply_once(make_model([norm_node("x", "y")], x, constants=constants), BATCH_NORM, x)
    assert op_types(after) == ["Mul", "Add"]


def test_an_ordinary_norm_on_its_own_stays() -> None:
    x = {"x": values(2, 4, 3, 3)}
    model = make_model([norm_node("x", "y")], x, constants=statistics(4))
    assert apply_rules(model, [BATCH_NORM], [x])[1] == ()


def test_a_norm_in_its_training_form_is_an_error() -> None:
    x = {"x": values(2, 4, 3, 3)}
    names = ["x", "scale", "bias", "mean", "var"]
    node = helper.make_node(
        "BatchNormalization", names, ["y", "m", "v"], name="/stem/bn", training_mode=1
    )
    model = make_model([node], x, ["y", "m"], constants=statistics(4), opset=14)
    with pytest.raises(CheckFailedError, match="eval mode") as caught:
        apply_rules(model, [BATCH_NORM], [x])
    assert "/stem/bn" in str(caught.value.where)


def layer_norm(
    x: np.ndarray, epsilon: float, axes: Sequence[int], form: str = "layer"
) -> onnx.ModelProto:
    """The nodes that a layer norm becomes below opset 17; ``rms`` is the form without a mean."""
    nodes: List[onnx.NodeProto] = []
    data = "x"
    if form != "rms":
        nodes.append(helper.make_node("ReduceMean", ["x"], ["mean"], axes=axes))
        nodes.append(helper.make_node("Sub", ["x", "mean"], ["d"]))
        data = "d"
    square = ["Mul", data, data] if form == "mul" else ["Pow", data, "two"]
    nodes += [
        helper.make_node(square[0], square[1:], ["s"]),
        helper.make_node("ReduceMean", ["s"], ["var"], axes=axes),
        helper.make_node("Add", ["eps", "var"] if form == "mul" else ["var", "eps"], ["sum"]),
        helper.make_node("Sqrt", ["sum"], ["root"]),
    ]
    if form == "rms":
        nodes.append(helper.make_node("Reciprocal", ["root"], ["inverse"]))
        nodes.append(helper.make_node("Mul", ["inverse", "x"], ["y"]))
    else:
        nodes.append(helper.make_node("Div", [data, "root"], ["y"]))
    constants = {"two": np.array(2, np.float32), "eps": np.array(epsilon, np.float32)}
    if square[0] == "Mul":
        del constants["two"]
    return make_model(nodes, {"x": x}, constants=constants)


@pytest.mark.parametrize("form", ["layer", "mul", "rms"])
@pytest.mark.parametrize("epsilon", [1e-5, 1e-12, 0.0])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1000.0, 30000.0])
def test_a_layer_norm_survives_float16(form: str, epsilon: float, scale: float) -> None:
    x = np.random.default_rng(1).uniform(-1, 1, (2, 5, 32)).astype(np.float32) * np.float32(scale)
    model = layer_norm(x, epsilon, [-1], form)
    after, _ = apply_once(model, LAYER_NORM, {"x": x})
    exact = run_model(model, [{"x": x}])[0]["y"]
    halved = run_model(model, [{"x": x.astype(np.float16).astype(np.float32)}])[0]["y"]
    found = run_in_half(after, {"x": x})["y"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, halved, atol=2e-2)
    if scale == 1000.0:
        lost = run_in_half(model, {"x": x})["y"]
        assert not np.allclose(lost, exact, atol=0.1), "the rule would be for nothing"


@pytest.mark.parametrize("axes", [[1], [2, 3], [-1], [1, 2, 3]])
def test_any_axes_of_a_norm(axes: List[int]) -> None:
    x = values(2, 3, 4, 5)
    apply_once(layer_norm(x, 1e-5, axes), LAYER_NORM, {"x": x})


def test_equal_inputs_give_zero() -> None:
    x = np.full((2, 8), 3, np.float32)
    model = layer_norm(x, 1e-5, [-1])
    after, _ = apply_once(model, LAYER_NORM, {"x": x})
    assert not run_in_half(after, {"x": x})["y"].any()


@pytest.mark.parametrize(("epsilon", "stays"), [(1e-5, True), (1e-12, False)])
def test_a_bounded_input_keeps_the_form_that_the_compiler_fuses(
    epsilon: float, stays: bool
) -> None:
    x = values(2, 8)
    model = layer_norm(x, epsilon, [-1])
    first = helper.make_node("Sigmoid", ["x"], ["bounded"])
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = "bounded" if name == "x" else name
    model.graph.node.insert(0, first)
    _, steps = apply_rules(model, [LAYER_NORM], [{"x": x}])
    assert [step.status for step in steps] == ([] if stays else ["applied"])


@pytest.mark.parametrize("change", ["other numerator", "no epsilon", "exponent 3", "no axes"])
def test_what_only_looks_like_a_norm_is_left(change: str) -> None:
    x = np.abs(values(2, 8)) + 1
    model = layer_norm(x, 1e-5, [-1], "layer")
    nodes: Dict[str, onnx.NodeProto] = {node.op_type: node for node in model.graph.node}
    if change == "other numerator":
        nodes["Div"].input[0] = "x"
    elif change == "no epsilon":
        nodes["Add"].input[1] = "mean"
    elif change == "exponent 3":
        nodes["Pow"].input[1] = "eps"
    else:
        del [node for node in model.graph.node if node.op_type == "ReduceMean"][1].attribute[:]
    assert apply_rules(model, [LAYER_NORM], [{"x": x}])[1] == ()


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -2])
def test_a_softmax_over_several_axes_gets_one(kind: str, axis: Optional[int]) -> None:
    x = values(2, 3, 4, 5)
    attributes = {} if axis is None else {"axis": axis}
    model = make_model([helper.make_node(kind, ["x"], ["y"], **attributes)], {"x": x})
    after, _ = apply_once(model, SOFTMAX, {"x": x})
    softmax = next(node for node in after.graph.node if node.op_type == kind)
    used = next(item.i for item in softmax.attribute if item.name == "axis")
    shapes = onnx.shape_inference.infer_shapes(after).graph.value_info
    rank = next(len(i.type.tensor_type.shape.dim) for i in shapes if i.name == softmax.input[0])
    assert used == rank - 1


@pytest.mark.parametrize(("shape", "axis"), [((2, 3), 1), ((2, 3, 4), -1), ((2, 3, 1, 1), 1)])
def test_a_softmax_over_one_axis_is_left(shape: Tuple[int, ...], axis: int) -> None:
    x = values(*shape)
    model = make_model([helper.make_node("Softmax", ["x"], ["y"], axis=axis)], {"x": x})
    assert apply_rules(model, [SOFTMAX], [{"x": x}])[1] == ()


def test_same_values_helper_sees_a_difference() -> None:
    x = {"x": values(2, 3)}
    models = [make_model([helper.make_node(kind, ["x"], ["y"])], x) for kind in ("Abs", "Neg")]
    with pytest.raises(AssertionError):
        assert_same_values(models[0], models[1], x)
