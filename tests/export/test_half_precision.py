"""Emulated fp16: what is stored is rounded, what is added up is not, and nothing else changes."""

from __future__ import annotations

import time
from typing import Dict, Mapping

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from parity_graphs import floats, get_constant, info, model_of, unet, unet_feeds  # noqa: E402

from atlas_hpe.errors import ModelFileError  # noqa: E402
from atlas_hpe.models import default_model_path  # noqa: E402
from atlas_hpe_export.parity.half_precision import emulate_half  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

EDGES = np.float32([70000, -70000, 65519, 65520, 2049, 1e-8, 0.1, -0.0, np.inf])


def run(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    return run_model(model, [feeds])[0]


def half(array: object) -> np.ndarray:
    """Rounded to fp16, as float32."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32).astype(np.float16).astype(np.float32)


LEVELS = ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"]


@pytest.mark.parametrize("level", LEVELS)
def test_onnx_runtime_keeps_the_rounding_at_every_level(level: str) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Mul", ["doubled", "half"], ["back"]),
        helper.make_node("Relu", ["back"], ["y"]),
    ]
    constants = {"two": np.float32(2), "half": np.float32(0.5)}
    x = np.float32([70000, 2049, 1e-8, 40000, 1])
    model = emulate_half(model_of(nodes, {"x": x}, {"y": x}, constants))
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": x})
    np.testing.assert_array_equal(y, np.float32([np.inf, 2048, 0, np.inf, 1]))


def test_rounding_is_that_of_ieee_754() -> None:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": EDGES}, {"y": EDGES})
    y = run(emulate_half(model), {"x": EDGES})["y"]
    np.testing.assert_array_equal(y, half(EDGES))
    assert list(y[:4]) == [np.inf, -np.inf, 65504, np.inf]


def test_sums_are_taken_in_float32() -> None:
    # In fp16, 2048 + 1 is 2048: a sum in fp16 would stop there.
    x, w = np.ones((1, 4096), np.float32), np.ones((4096, 1), np.float32)
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": x}, {"y": floats(1, 1)}, {"w": w}
    )
    assert run(emulate_half(model), {"x": x})["y"] == 4096


def test_a_sum_that_fp16_can_not_store_overflows() -> None:
    x, w = np.full((1, 4096), 20, np.float32), np.ones((4096, 1), np.float32)
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": x}, {"y": floats(1, 1)}, {"w": w}
    )
    assert run(model, {"x": x})["y"] == 81920
    assert run(emulate_half(model), {"x": x})["y"] == np.inf


NUMBERS = st.lists(st.floats(-300, 300, width=32), min_size=4, max_size=4)


@given(x=NUMBERS, w=NUMBERS)
def test_elementwise_chains_are_numpys_fp16(x: list, w: list) -> None:
    x, w = np.float32(x), np.float32(w)
    nodes = [
        helper.make_node("Add", ["x", "w"], ["sum"]),
        helper.make_node("Mul", ["sum", "w"], ["product"]),
        helper.make_node("Sub", ["product", "x"], ["y"]),
    ]
    model = emulate_half(model_of(nodes, {"x": x}, {"y": x}, {"w": w}))
    with np.errstate(over="ignore", invalid="ignore"):
        a, b = x.astype(np.float16), w.astype(np.float16)
        expected = (a + b) * b - a
    np.testing.assert_array_equal(run(model, {"x": x})["y"], expected.astype(np.float32))


def test_weights_are_rounded_and_overflow_to_infinity() -> None:
    w = np.float32([0.1, 1e6, 1e-9])
    model = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"x": w}, {"y": w}, {"w": w})
    np.testing.assert_array_equal(get_constant(emulate_half(model), "w"), half(w))
    assert get_constant(model, "w")[1] == 1e6, "the model given was changed"


def test_constant_nodes_are_rounded() -> None:
    value = numpy_helper.from_array(np.float32([0.1, 70000]))
    nodes = [
        helper.make_node("Constant", [], ["c"], value=value),
        helper.make_node("Mul", ["x", "c"], ["y"]),
    ]
    x = np.float32([1, 1])
    y = run(emulate_half(model_of(nodes, {"x": x}, {"y": x})), {"x": x})["y"]
    np.testing.assert_array_equal(y, half([0.1, 70000]))


@pytest.mark.parametrize("form", ["initialiser", "node", "input"])
def test_the_scales_of_a_resize_stay_exact(form: str) -> None:
    # fp16(4 / 3) is below 4 / 3, and three cells would become three instead of four.
    scales = np.float32([1, 1, 4.000001 / 3, 4.000001 / 3])
    x = np.float32(np.arange(2, 11).reshape(1, 1, 3, 3))
    nodes = [
        helper.make_node("Resize", ["x", "roi", "scales"], ["large"], mode="nearest"),
        helper.make_node("Mul", ["large", "scales"], ["y"]),
    ]
    constants: Dict[str, np.ndarray] = {"scales": scales, "roi": floats(0)}
    feeds = {"x": x}
    if form == "node":
        value = numpy_helper.from_array(constants.pop("scales"))
        nodes.insert(0, helper.make_node("Constant", [], ["scales"], value=value))
    elif form == "input":
        feeds["scales"] = constants.pop("scales")
    model = emulate_half(model_of(nodes, feeds, {"y": floats(1, 1, 4, 4)}, constants))
    result = run(model, feeds)["y"]
    assert result.shape == (1, 1, 4, 4)
    # Where the same tensor is data it is rounded all the same.
    assert result[0, 0, -1, -1] == half(10 * half(scales[-1])) != half(10 * scales[-1])


def test_integers_stay_as_they_are() -> None:
    index = np.int64([70001, 3])
    nodes = [
        helper.make_node("Add", ["index", "one"], ["next"]),
        helper.make_node("Cast", ["next"], ["y"], to=TensorProto.FLOAT),
    ]
    feeds, constants = {"index": index}, {"one": np.int64([1, 1])}
    outputs = {"next": index, "y": floats(2)}
    result = run(emulate_half(model_of(nodes, feeds, outputs, constants)), feeds)
    np.testing.assert_array_equal(result["next"], [70002, 4])
    np.testing.assert_array_equal(result["y"], [np.inf, 4])


def test_other_float_types_are_not_touched() -> None:
    x = np.array([70000.0])
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    model = emulate_half(model_of(nodes, {"x": x}, {"y": x}, {"w": np.array([1e-9])}))
    assert run(model, {"x": x})["y"] == 70000.000000001
    assert [node.op_type for node in model.graph.node] == ["Add"]


def test_names_types_opset_and_the_model_given_stay() -> None:
    model = unet()
    before = model.SerializeToString()
    emulated = emulate_half(model)
    assert model.SerializeToString() == before
    assert list(emulated.graph.input) == list(model.graph.input)
    assert list(emulated.graph.output) == list(model.graph.output)
    assert list(emulated.opset_import) == list(model.opset_import)
    assert emulated.ir_version == model.ir_version == 6
    onnx.checker.check_model(emulated, full_check=True)
    rounded = {name for node in emulated.graph.node[2:] for name in node.output}
    assert {name for node in model.graph.node for name in node.output} <= rounded
    names = [node.name for node in emulated.graph.node]
    assert len(set(names)) == len(names)
    assert "/up/conv/Conv/Cast" in names


def test_a_network_differs_by_about_what_fp16_loses() -> None:
    model, feeds = unet(), unet_feeds()
    exact, emulated = run(model, feeds)["heatmaps"], run(emulate_half(model), feeds)["heatmaps"]
    assert 1e-5 < np.abs(exact - emulated).max() < 2e-3
    np.testing.assert_array_equal(emulated, half(emulated))


def test_the_default_model_can_be_emulated() -> None:
    onnx.checker.check_model(emulate_half(onnx.load(str(default_model_path()))), full_check=True)


def test_graphs_inside_nodes_are_rounded_too() -> None:
    """The branch reads an input and a weight of the graph around it, and has one of its own."""
    x = np.float32([0.1, 3000.3])
    inner = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "w"], ["product"]),
            helper.make_node("Add", ["product", "own"], ["inner_y"]),
        ],
        "then",
        [],
        [info("inner_y", x)],
        [numpy_helper.from_array(np.float32([0.3, 0.3]), "own")],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["other_y"])], "else", [], [info("other_y", x)]
    )
    nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=other)]
    feeds = {"x": x, "yes": np.array(True)}
    w = np.float32([0.7, 0.7])
    model = emulate_half(model_of(nodes, feeds, {"y": x}, {"w": w}))
    onnx.checker.check_model(model, full_check=True)
    expected = half(half(half(x) * half(w)) + half([0.3, 0.3]))
    np.testing.assert_array_equal(run(model, feeds)["y"], expected)
    branches = {item.name: item.g for item in model.graph.node[2].attribute}
    operators = [node.op_type for node in branches["then_branch"].node]
    assert operators == ["Mul", "Cast", "Cast", "Add", "Cast", "Cast"]


def test_functions_of_the_model_are_looked_into() -> None:
    x = np.float32([40000, 1.0001])
    body = [
        helper.make_node("Add", ["a", "a"], ["twice"]),
        helper.make_node("Sub", ["twice", "a"], ["b"]),
    ]
    imports = [helper.make_opsetid("", 11)]
    function = helper.make_function("mine", "Same", ["a"], ["b"], body, imports)
    node = helper.make_node("Same", ["x"], ["y"], domain="mine")
    model = model_of([node], {"x": x}, {"y": x}, domains=("", "mine"))
    model.ir_version = 8
    model.functions.append(function)
    y = run(emulate_half(model), {"x": x})["y"]
    np.testing.assert_array_equal(y, [np.inf, 1])


def test_the_default_of_an_input_is_rounded_where_it_is_read() -> None:
    x = np.float32([0.1])
    model = model_of(
        [helper.make_node("Add", ["x", "w"], ["y"])], {"x": x, "w": x}, {"y": x}, {"w": x}
    )
    emulated = emulate_half(model)
    assert get_constant(emulated, "w") == x
    expected = half(half(x) + half(x))
    np.testing.assert_array_equal(run(emulated, {"x": x})["y"], expected)


def test_names_that_are_taken_already_are_not_taken_again() -> None:
    x = np.float32([1])
    nodes = [
        helper.make_node("Relu", ["x"], ["y/fp32"], "x/Cast"),
        helper.make_node("Relu", ["y/fp32"], ["y/half"], "x/Cast_1"),
        helper.make_node("Relu", ["y/half"], ["x/rounded"], "y/Cast"),
        helper.make_node("Relu", ["x/rounded"], ["y"]),
    ]
    emulated = emulate_half(model_of(nodes, {"x": x}, {"y": x}))
    onnx.checker.check_model(emulated, full_check=True)
    assert run(emulated, {"x": x})["y"] == 1


def test_optional_outputs_that_are_left_out_stay_out() -> None:
    x = np.ones((1, 1, 1), np.float32)
    nodes = [helper.make_node("RNN", ["x", "w", "w"], ["", "y"], hidden_size=1)]
    model = emulate_half(model_of(nodes, {"x": x}, {"y": x}, {"w": x}))
    np.testing.assert_array_equal(run(model, {"x": x})["y"], half(np.tanh(x)))


def test_sequences_of_tensors_hold_rounded_ones() -> None:
    x = np.float32([0.1])
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "x"], ["pair"]),
        helper.make_node("SequenceAt", ["pair", "first"], ["y"]),
    ]
    model = emulate_half(model_of(nodes, {"x": x}, {"y": x}, {"first": np.int64(0)}))
    np.testing.assert_array_equal(run(model, {"x": x})["y"], half(x))


@pytest.mark.parametrize("declared", [False, True])
def test_an_operator_that_onnx_does_not_know_is_refused_by_name(declared: bool) -> None:
    x = floats(1, 2, 2)
    nodes = [helper.make_node("Inverse", ["x"], ["y"], "/cam/Inverse", domain="com.microsoft")]
    model = model_of(nodes, {"x": x}, {"z": x}, domains=("", "com.microsoft"))
    model.graph.node.append(helper.make_node("Relu", ["y"], ["z"]))
    if declared:  # with a shape, and without an element type
        model.graph.value_info.append(helper.make_tensor_value_info("y", 0, [1, 2, 2]))
    with pytest.raises(ModelFileError, match="'y' is not known") as caught:
        emulate_half(model)
    assert caught.value.where == "/cam/Inverse"
    assert "com.microsoft::Inverse" in str(caught.value)


def test_sparse_weights_are_refused() -> None:
    x = floats(4)
    model = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"x": x}, {"y": x})
    values = numpy_helper.from_array(np.float32([1]), "w")
    indices = numpy_helper.from_array(np.int64([1]), "w_indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    with pytest.raises(ModelFileError, match="sparse"):
        emulate_half(model)


def test_weights_in_another_file_are_refused() -> None:
    x = floats(4)
    model = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"x": x}, {"y": x}, {"w": x})
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(ModelFileError, match="not in memory") as caught:
        emulate_half(model)
    assert caught.value.where == "w"


@pytest.mark.slow
def test_twenty_million_weights_take_seconds() -> None:
    side = 4472
    x = np.ones((1, side), np.float32)
    w = np.full((side, side), 1 / side, np.float32)
    model = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": x}, {"y": x}, {"w": w})
    start = time.perf_counter()
    y = run(emulate_half(model), {"x": x})["y"]
    assert time.perf_counter() - start < 10
    np.testing.assert_allclose(y, 1, atol=1e-3)
