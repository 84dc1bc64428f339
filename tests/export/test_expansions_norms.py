"""LayerNormalization and GroupNormalization in plain operators."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from expansion_graphs import SHARE, draw, off_the_cores, refusal  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx_graphs import lowered, one_node, operators  # noqa: E402

from atlas_hpe_export.runners import run_model  # noqa: E402

FUSED = ["ReduceMean", "Sub", "Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add"]


@settings(max_examples=30)
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    data=st.data(),
    biased=st.booleans(),
    epsilon=st.sampled_from([1e-12, 1e-5, 0.1]),
)
def test_layer_norm_over_any_axes(
    shape: list, data: st.DataObject, biased: bool, epsilon: float
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    shape[-1] += 1  # one element has no variance, and epsilon alone would decide
    feeds = {"x": draw(*shape)}
    constants = {"scale": draw(*shape[axis:], seed=1)}
    if biased:
        constants["bias"] = draw(*shape[axis:], seed=2)
    model = one_node(
        "LayerNormalization", feeds, opset=17, constants=constants, axis=axis, epsilon=epsilon
    )
    after = lowered(model, feeds, share=1e-5)
    assert list(operators(after)) == (FUSED if biased else FUSED[:-1])


def test_layer_norm_is_that_of_pytorch() -> None:
    x, scale, bias = draw(2, 5, 8) * 3 + 1, draw(8, seed=1), draw(8, seed=2)
    constants = {"scale": scale, "bias": bias}
    model = one_node("LayerNormalization", {"x": x}, opset=17, constants=constants, epsilon=1e-3)
    found = run_model(lowered(model, {"x": x}, share=SHARE), [{"x": x}])[0]["y"]
    want = torch.nn.functional.layer_norm(
        torch.from_numpy(x), (8,), torch.from_numpy(scale), torch.from_numpy(bias), 1e-3
    )
    np.testing.assert_allclose(found, want, atol=1e-5)


@pytest.mark.parametrize("outputs", [("y", "mean"), ("y", "mean", "inverse"), ("y", "", "inverse")])
def test_layer_norm_with_its_statistics(outputs: tuple) -> None:
    feeds = {"x": draw(2, 3, 8)}
    constants = {"scale": draw(8), "bias": draw(8)}
    model = one_node("LayerNormalization", feeds, opset=17, constants=constants, outputs=outputs)
    lowered(model, feeds, share=SHARE)


def test_layer_norm_in_half_precision_computes_in_single() -> None:
    """A variance above 65504 is no infinity: ``stash_type`` asks for float32."""
    x = (draw(2, 3, 8) * 1000).astype(np.float16)
    constants = {"scale": draw(8).astype(np.float16), "bias": draw(8).astype(np.float16)}
    model = one_node("LayerNormalization", {"x": x}, opset=17, constants=constants)
    after = lowered(model, {"x": x}, share=2e-3)
    assert list(operators(after)) == ["Cast", *FUSED[:-2], "Cast", *FUSED[-2:]]


@settings(max_examples=25)
@given(
    batch=st.integers(1, 2),
    groups=st.integers(1, 3),
    per_group=st.integers(1, 3),
    rest=st.lists(st.integers(2, 4), min_size=1, max_size=3),
    opset=st.sampled_from([18, 20, 21]),
)
def test_group_norm(batch: int, groups: int, per_group: int, rest: list, opset: int) -> None:
    channels = groups * per_group
    count = channels if opset == 21 else groups
    feeds = {"x": draw(batch, channels, *rest)}
    constants = {"scale": draw(count, seed=1), "bias": draw(count, seed=2)}
    model = one_node(
        "GroupNormalization",
        feeds,
        opset=opset,
        constants=constants,
        num_groups=groups,
        epsilon=0.01,
    )
    after = lowered(model, feeds, share=1e-5)
    assert list(operators(after))[:2] == ["Reshape", "InstanceNormalization"]
    assert off_the_cores(after) == []


def test_group_norm_is_that_of_pytorch() -> None:
    x, scale, bias = draw(2, 6, 4, 5), draw(6, seed=1), draw(6, seed=2)
    constants = {"scale": scale, "bias": bias}
    model = one_node("GroupNormalization", {"x": x}, opset=21, constants=constants, num_groups=2)
    found = run_model(lowered(model, {"x": x}, share=SHARE), [{"x": x}])[0]["y"]
    want = torch.nn.functional.group_norm(
        torch.from_numpy(x), 2, torch.from_numpy(scale), torch.from_numpy(bias)
    )
    np.testing.assert_allclose(found, want, atol=1e-5)


def test_group_norm_in_half_precision_computes_in_single() -> None:
    x = (draw(1, 4, 6) * 1000).astype(np.float16)
    constants = {"scale": draw(4).astype(np.float16), "bias": draw(4).astype(np.float16)}
    model = one_node("GroupNormalization", {"x": x}, opset=21, constants=constants, num_groups=2)
    assert list(operators(lowered(model, {"x": x}, share=4e-3))).count("Cast") == 2


def test_layer_norm_needs_no_sizes() -> None:
    x, constants = draw(1, 4, 6), {"scale": draw(6), "bias": draw(6)}
    model = one_node("LayerNormalization", {"x": x}, opset=17, constants=constants)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    lowered(model, {"x": x}, share=SHARE)


@pytest.mark.parametrize("opset", [18, 21])
def test_group_norm_of_unknown_sizes_is_refused(opset: int) -> None:
    x, constants = draw(1, 4, 6), {"scale": draw(4), "bias": draw(4)}
    if opset == 18:
        constants = {"scale": draw(2), "bias": draw(2)}
    model = one_node("GroupNormalization", {"x": x}, opset=opset, constants=constants, num_groups=2)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    assert "shape of its input is not known" in refusal(model, {"x": x})
