"""Each rewrite: what it changes, what it refuses and why, and that no value moves."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from atlas_hpe_export.passes import PASSES, drop_identity, resize_half_pixel, static_opset  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402


def make_model(
    nodes: Sequence[onnx.NodeProto],
    in_shape: Sequence[int],
    out_shape: Optional[Sequence[int]],
    constants: Dict[str, np.ndarray],
    domains: Sequence[str] = ("",),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, in_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out_shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid(domain, 11) for domain in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=6)


def resize_model(
    in_size: int, out_size: int, mode: Optional[str] = "half_pixel", channels: int = 2
) -> onnx.ModelProto:
    attributes = {} if mode is None else {"coordinate_transformation_mode": mode}
    node = helper.make_node("Resize", ["x", "roi", "scales"], ["y"], mode="linear", **attributes)
    scale = out_size / in_size
    constants = {
        "roi": np.zeros(0, np.float32),
        "scales": np.array([1, 1, scale, scale], np.float32),
    }
    shape = [1, channels, in_size, in_size]
    return make_model([node], shape, [1, channels, out_size, out_size], constants)


def modes(model: onnx.ModelProto) -> List[bytes]:
    return [
        item.s
        for node in model.graph.node
        for item in node.attribute
        if item.name == "coordinate_transformation_mode"
    ]


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return run_model(model, [{"x": x}])[0]["y"]


def test_every_pass_declares_itself() -> None:
    assert len({item.name for item in PASSES}) == len(PASSES)
    for item in PASSES:
        assert item.name
        assert item.reason
        assert item.precondition
        assert item.postcondition


@given(
    in_size=st.integers(2, 12),
    factor=st.sampled_from([0.5, 1, 1.5, 2, 3, 4]),
    seed=st.integers(0, 9),
)
def test_half_pixel_is_renamed_and_no_value_moves(in_size: int, factor: float, seed: int) -> None:
    out_size = int(in_size * factor)
    if out_size != in_size * factor or out_size < 2:
        return
    model = resize_model(in_size, out_size)
    x = np.random.default_rng(seed).standard_normal((1, 2, in_size, in_size)).astype(np.float32)
    before = run(model, x)
    assert resize_half_pixel.PASS.apply(model) == 1
    assert modes(model) == [b"pytorch_half_pixel"]
    assert resize_half_pixel.PASS.violations(model) == ()
    np.testing.assert_allclose(run(model, x), before, atol=1e-6)


def test_half_pixel_by_default_is_renamed_too() -> None:
    model = resize_model(4, 8, mode=None)
    assert resize_half_pixel.PASS.apply(model) == 1
    assert modes(model) == [b"pytorch_half_pixel"]


@pytest.mark.parametrize("mode", ["pytorch_half_pixel", "align_corners", "asymmetric"])
def test_other_modes_are_left_alone(mode: str) -> None:
    model = resize_model(4, 8, mode=mode)
    assert resize_half_pixel.PASS.apply(model) == 0
    assert resize_half_pixel.PASS.violations(model) == ()
    assert modes(model) == [mode.encode()]


def test_one_output_pixel_is_refused_because_the_values_differ() -> None:
    model = resize_model(4, 1)
    assert resize_half_pixel.PASS.apply(model) == 0
    assert "to one pixel" in resize_half_pixel.PASS.refusals(model)[0]
    assert resize_half_pixel.PASS.violations(model)
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    before = run(model, x)
    renamed = resize_model(4, 1, mode="pytorch_half_pixel")
    assert not np.allclose(run(renamed, x), before), "the refusal would be for nothing"


def test_unknown_sizes_are_refused() -> None:
    model = resize_model(4, 8)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert resize_half_pixel.PASS.apply(model) == 0
    assert "not known" in resize_half_pixel.PASS.refusals(model)[0]


def relu_model(domains: Sequence[str]) -> onnx.ModelProto:
    return make_model([helper.make_node("Relu", ["x"], ["y"])], [2], [2], {}, domains)


def imports(model: onnx.ModelProto) -> List[str]:
    return [item.domain for item in model.opset_import]


@pytest.mark.parametrize("domains", [("", "com.microsoft"), ("ai.onnx",), ("", "ai.onnx.ml", "x")])
def test_one_import_is_left(domains: Sequence[str]) -> None:
    model = relu_model(domains)
    assert static_opset.PASS.violations(model)
    assert static_opset.PASS.apply(model) > 0
    assert imports(model) == [""]
    assert model.opset_import[0].version == 11
    assert static_opset.PASS.violations(model) == ()
    onnx.checker.check_model(model)


def test_a_domain_in_use_is_refused() -> None:
    model = relu_model(("", "com.microsoft"))
    model.graph.node[0].domain = "com.microsoft"
    assert static_opset.PASS.apply(model) == 0
    assert "com.microsoft::Relu" in static_opset.PASS.refusals(model)[0]
    assert imports(model) == ["", "com.microsoft"]


def test_identities_are_bridged_in_chains() -> None:
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Identity", ["c"], ["y"]),
    ]
    model = make_model(nodes, [3], [3], {})
    x = np.array([1, 2, 3], np.float32)
    before = run(model, x)
    assert drop_identity.PASS.apply(model) == 2
    assert [node.op_type for node in model.graph.node] == ["Add", "Identity"]
    assert drop_identity.PASS.violations(model) == ()
    np.testing.assert_array_equal(run(model, x), before)


def test_passes_do_nothing_the_second_time() -> None:
    model = resize_model(4, 8)
    for item in PASSES:
        item.apply(model)
    assert [item.apply(model) for item in PASSES] == [0] * len(PASSES)
