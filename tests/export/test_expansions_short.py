"""The short expansions: activations, triangles, grids, centred cuts, batched indices."""

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

from atlas_hpe_export.parity.half_precision import emulate_half  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

WIDE = np.concatenate([np.linspace(-12, 12, 97), [-80, 80, 0]]).astype(np.float32)
functional = torch.nn.functional


@pytest.mark.parametrize(
    ("operator", "opset", "attributes", "reference", "emitted"),
    [
        ("Gelu", 20, {}, functional.gelu, ["Div", "Erf", "Add", "Mul", "Mul"]),
        (
            "Gelu",
            20,
            {"approximate": "tanh"},
            lambda x: functional.gelu(x, approximate="tanh"),
            ["Mul", "Mul", "Add", "Mul", "Mul", "Tanh", "Add", "Mul", "Mul"],
        ),
        ("Mish", 18, {}, functional.mish, ["Softplus", "Tanh", "Mul"]),
        ("HardSwish", 14, {}, functional.hardswish, ["HardSigmoid", "Mul"]),
    ],
    ids=["gelu", "gelu-tanh", "mish", "hardswish"],
)
def test_activations(
    operator: str, opset: int, attributes: dict, reference: object, emitted: list
) -> None:
    model = one_node(operator, {"x": WIDE}, opset=opset, **attributes)
    after = lowered(model, {"x": WIDE}, share=SHARE)
    assert list(operators(after)) == emitted
    assert off_the_cores(after) == []
    found = run_model(after, [{"x": WIDE}])[0]["y"]
    np.testing.assert_allclose(found, reference(torch.from_numpy(WIDE)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_of_large_numbers_is_finite_on_the_board(approximate: str) -> None:
    """The square of 1000 is infinite in fp16; what becomes of it must not be NaN."""
    x = np.array([-30000, -1000, -300, 300, 1000, 30000], np.float32)
    model = one_node("Gelu", {"x": x}, opset=20, approximate=approximate)
    after = emulate_half(lowered(model, {"x": x}, share=SHARE))
    found = run_model(after, [{"x": x}])[0]["y"]
    np.testing.assert_allclose(found, np.maximum(x, 0), rtol=2e-3)


def test_gelu_in_half_precision_keeps_its_type() -> None:
    x = draw(3, 4).astype(np.float16)
    lowered(one_node("Gelu", {"x": x}, opset=20), {"x": x}, share=2e-3)


@settings(max_examples=40)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    upper=st.sampled_from([None, 0, 1]),
    diagonal=st.one_of(st.none(), st.integers(-5, 5)),
    dtype=st.sampled_from([np.float32, np.int64, np.bool_]),
)
def test_triangles(shape: list, upper: object, diagonal: object, dtype: type) -> None:
    x = (draw(*shape) * 3).astype(dtype)
    constants = {} if diagonal is None else {"k": np.array(diagonal, np.int64)}
    attributes = {} if upper is None else {"upper": upper}
    model = one_node("Trilu", {"x": x}, opset=14, constants=constants, **attributes)
    cut = np.tril if upper == 0 else np.triu
    after = lowered(model, {"x": x})
    np.testing.assert_array_equal(run_model(after, [{"x": x}])[0]["y"], cut(x, diagonal or 0))
    assert off_the_cores(after) == []


def test_infinities_in_the_dropped_triangle_are_gone() -> None:
    x = np.full((1, 3, 3), -np.inf, np.float32)
    x[0, 0, 1] = np.nan
    after = lowered(one_node("Trilu", {"x": x}, opset=14, upper=0), {"x": x})
    found = run_model(after, [{"x": x}])[0]["y"][0]
    assert (found[np.triu_indices(3, 1)] == 0).all()
    assert np.isneginf(found[np.tril_indices(3)]).all()


def test_a_diagonal_from_the_graph_is_refused() -> None:
    feeds = {"x": draw(3, 3), "k": np.array(1)}
    assert "computed by the graph" in refusal(one_node("Trilu", feeds, opset=14), feeds)


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("cells", [(4, 5), (2, 3, 4)])
def test_affine_grids(cells: tuple, aligned: int) -> None:
    rank = len(cells)
    theta, size = draw(2, rank, rank + 1), (2, 3, *cells)
    constants = {"size": np.array(size, np.int64)}
    model = one_node(
        "AffineGrid", {"theta": theta}, opset=20, constants=constants, align_corners=aligned
    )
    after = lowered(model, {"theta": theta}, share=SHARE)
    want = functional.affine_grid(torch.from_numpy(theta), list(size), align_corners=bool(aligned))
    found = run_model(after, [{"theta": theta}])[0]["y"]
    np.testing.assert_allclose(found, want, atol=1e-5)
    assert off_the_cores(after) == []


def test_affine_grids_without_a_size_or_with_one_aligned_cell_are_refused() -> None:
    feeds = {"theta": draw(1, 2, 3), "size": np.array([1, 3, 4, 1])}
    assert "computed by the graph" in refusal(one_node("AffineGrid", feeds, opset=20), feeds)
    theta = {"theta": feeds["theta"]}
    constants = {"size": feeds["size"]}
    model = one_node("AffineGrid", theta, opset=20, constants=constants, align_corners=1)
    assert "no agreed centre" in refusal(model, theta)
    lowered(one_node("AffineGrid", theta, opset=20, constants=constants), theta)


@settings(max_examples=40)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=4),
    data=st.data(),
)
def test_centred_cuts(sizes: list, data: st.DataObject) -> None:
    x = draw(*[size for size, _ in sizes])
    every = st.permutations(range(len(sizes)))
    axes = data.draw(st.one_of(st.none(), every.flatmap(lambda order: st.just(order[:2]))))
    chosen = range(len(sizes)) if axes is None else axes
    constants = {"wanted": np.array([sizes[axis][1] for axis in chosen], np.int64)}
    attributes = {} if axes is None else {"axes": [axis - len(sizes) for axis in axes]}
    model = one_node("CenterCropPad", {"x": x}, opset=18, constants=constants, **attributes)
    after = lowered(model, {"x": x}, share=0)
    assert set(operators(after)) <= {"Slice", "Pad", "Identity"}


def test_centred_cuts_of_integers_and_of_sizes_from_the_graph() -> None:
    x = np.arange(12).reshape(3, 4)
    wanted = np.array([5, 2])
    lowered(one_node("CenterCropPad", {"x": x}, opset=18, constants={"w": wanted}), {"x": x})
    feeds = {"x": x, "w": wanted}
    assert "computed by the graph" in refusal(one_node("CenterCropPad", feeds, opset=18), feeds)


@pytest.mark.parametrize(
    ("shape", "batch", "indices"),
    [
        ((2, 3, 4, 5), 1, (2, 6, 1)),
        ((2, 3, 4, 5), 1, (2, 2)),
        ((2, 3, 4, 5), 2, (2, 3, 1)),
        ((2, 3, 4, 5), 2, (2, 3, 7, 2)),
        ((2, 4), 0, (3, 2)),
    ],
)
def test_batched_indices(shape: tuple, batch: int, indices: tuple) -> None:
    x = draw(*shape)
    limits = np.array(shape[batch : batch + indices[-1]])
    where = np.random.default_rng(1).integers(-limits, limits, indices)
    feeds = {"x": x, "where": where}
    after = lowered(one_node("GatherND", feeds, opset=13, batch_dims=batch), feeds, share=0)
    assert list(operators(after)) == (["Concat", "GatherND"] if batch else ["GatherND"])
    assert not after.graph.node[-1].attribute


def test_batched_indices_of_unknown_number_are_refused() -> None:
    feeds = {"x": draw(2, 3, 4), "where": np.zeros((2, 5, 1), np.int64)}
    model = one_node("GatherND", feeds, opset=13, batch_dims=1)
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_param = "count"
    assert "shape of its input is not known" in refusal(model, feeds)
