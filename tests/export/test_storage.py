"""A graph in float16: same interface, same answers within rounding, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from atlas_hpe.errors import CheckFailedError, UsageError  # noqa: E402
from atlas_hpe.parity import TOLERANCES  # noqa: E402
from atlas_hpe_export import run_ladder  # noqa: E402
from atlas_hpe_export.parity.half_precision import emulate_half  # noqa: E402
from atlas_hpe_export.storage import is_stored_half, store_graph, widen_graph  # noqa: E402


def _network(scale: float = 0.1) -> onnx.ModelProto:
    """y = Resize(relu(conv(x))) + a Constant; one value is both an output and used inside."""
    rng = np.random.default_rng(0)
    weight = (rng.standard_normal((8, 3, 3, 3)) * scale).astype(np.float32)
    scales = np.array([1, 1, 2, 2], np.float32)
    shift = numpy_helper.from_array(np.full((1, 8, 1, 1), 0.25, np.float32))
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["features"]),
        helper.make_node("Constant", [], ["scales"], value=numpy_helper.from_array(scales)),
        helper.make_node("Resize", ["features", "roi", "scales"], ["up"], mode="nearest"),
        helper.make_node("Constant", [], ["shift"], value=shift),
        helper.make_node("Add", ["up", "shift"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [
            helper.make_tensor_value_info("y", 1, [1, 8, 16, 16]),
            helper.make_tensor_value_info("features", 1, [1, 8, 8, 8]),
        ],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.zeros(0, np.float32), "roi"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def _run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs: list[np.ndarray] = session.run(None, {"x": x})
    return outputs


def test_the_answers_stay_within_half_precision_and_the_interface_stays() -> None:
    model = _network()
    stored, steps = store_graph(model, "float16")
    assert [step.status for step in steps] == ["applied"]
    assert [info.name for info in stored.graph.output] == ["y", "features"]
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    for before, after in zip(_run(model, x), _run(stored, x)):
        assert after.dtype == np.float32
        assert 0 < np.abs(before - after).max() < 4e-3


def test_weights_are_plain_float16_constants_and_scales_stay_as_resize_wants_them() -> None:
    stored, _ = store_graph(_network(), "float16")
    weight, roi = stored.graph.initializer
    assert (weight.data_type, roi.data_type) == (TensorProto.FLOAT16, TensorProto.FLOAT)
    assert weight.name in next(n for n in stored.graph.node if n.op_type == "Conv").input
    kinds = {
        node.output[0]: node.attribute[0].t.data_type
        for node in stored.graph.node
        if node.op_type == "Constant"
    }
    assert kinds == {"scales": TensorProto.FLOAT, "shift": TensorProto.FLOAT16}


def test_float32_leaves_the_graph_alone() -> None:
    model = _network()
    same, steps = store_graph(model, "float32")
    assert same is model and steps == ()


def test_the_original_graph_is_left_as_it_was() -> None:
    model = _network()
    before = model.SerializeToString()
    store_graph(model, "float16")
    assert model.SerializeToString() == before


@pytest.mark.parametrize("value", [1e5, np.inf, np.nan])
def test_a_weight_beyond_half_precision_is_refused_by_name(value: float) -> None:
    model = _network()
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[0, 0, 0, 0] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "weight"))
    with pytest.raises(CheckFailedError, match="weight"):
        store_graph(model, "float16")


def test_a_graph_inside_a_node_is_refused() -> None:
    model = _network()
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(
        helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner)
    )
    with pytest.raises(CheckFailedError, match="If"):
        store_graph(model, "float16")


def test_an_unknown_precision_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="float32, float16"):
        store_graph(_network(), "int8")


def test_a_float16_graph_widens_to_the_same_rounded_numbers() -> None:
    stored, _ = store_graph(_network(), "float16")
    widened = widen_graph(stored)
    assert is_stored_half(stored) and not is_stored_half(widened)
    assert {item.data_type for item in widened.graph.initializer} == {TensorProto.FLOAT}
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    for before, after in zip(_run(stored, x), _run(widened, x)):
        np.testing.assert_allclose(after, before, atol=1e-6)


def test_half_precision_of_a_float16_file_is_that_of_the_float32_file() -> None:
    model = _network()
    stored, _ = store_graph(model, "float16")
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    expected, found = _run(emulate_half(model), x), _run(emulate_half(stored), x)
    for want, got in zip(expected, found):
        np.testing.assert_array_equal(got, want)
    assert any((got != plain).any() for got, plain in zip(found, _run(stored, x)))


def test_the_ladder_allows_a_float16_file_its_rounding_and_a_float32_file_none(
    tmp_path: Path,
) -> None:
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    onnx.save(_network(), str(full))
    onnx.save(store_graph(_network(), "float16")[0], str(half))
    for path, tolerance in ((full, "float32"), (half, "float16-graph")):
        report = run_ladder(path, full, rungs=["onnx"])
        assert report.passed
        assert report.rungs[0].parity.tensor_limit == TOLERANCES[tolerance].tensor
