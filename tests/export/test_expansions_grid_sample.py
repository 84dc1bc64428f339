"""GridSample as gathered pixels: every mode, padding and convention, far coordinates, integers."""

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
from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import lowered, make_model, one_node, operators  # noqa: E402

from atlas_hpe_export.parity.half_precision import emulate_half  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

MODES = ["bilinear", "nearest", "bicubic"]
PADDINGS = ["zeros", "border", "reflection"]


def grid_model(
    image: np.ndarray, grid: np.ndarray, mode: str, padding: str, aligned: bool, opset: int = 16
) -> onnx.ModelProto:
    return one_node(
        "GridSample",
        {"image": image, "grid": grid},
        opset=opset,
        mode=mode,
        padding_mode=padding,
        align_corners=int(aligned),
    )


def half(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(np.float32)


def draw_grid(*shape: int, seed: int = 0, reach: float = 2.5) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-reach, reach, (*shape, 2)).astype(np.float32)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=8)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 4),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    places=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 99),
)
def test_values_are_those_of_onnx_runtime_and_pytorch(
    mode: str,
    padding: str,
    aligned: bool,
    batch: int,
    channels: int,
    height: int,
    width: int,
    places: tuple,
    seed: int,
) -> None:
    image = draw(batch, channels, height, width, seed=seed)
    grid = draw_grid(batch, *places, seed=seed)
    feeds = {"image": image, "grid": grid}
    after = lowered(grid_model(image, grid, mode, padding, aligned), feeds, share=1e-5)
    want = torch.nn.functional.grid_sample(
        torch.from_numpy(image), torch.from_numpy(grid), mode, padding, align_corners=aligned
    )
    np.testing.assert_allclose(run_model(after, [feeds])[0]["y"], want, atol=2e-5)


@pytest.mark.parametrize("mode", MODES)
def test_corners_and_the_centre_are_where_they_should_be(mode: str) -> None:
    image = draw(1, 2, 3, 5)
    grid = np.array([[[[-1, -1], [1, -1], [-1, 1], [1, 1], [0, 0]]]], np.float32)
    feeds = {"image": image, "grid": grid}
    after = lowered(grid_model(image, grid, mode, "zeros", True), feeds, share=SHARE)
    corners = image[:, :, [0, 0, 2, 2, 1], [0, 4, 0, 4, 2]]
    np.testing.assert_allclose(run_model(after, [feeds])[0]["y"][:, :, 0], corners, atol=1e-5)


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("mode", MODES)
def test_a_point_behind_the_camera_makes_no_nan(mode: str, padding: str) -> None:
    image = draw(1, 2, 4, 4)
    grid = np.array([[[[np.inf, 0], [0, -np.inf], [1e30, -1e30], [0.1, 0.2]]]], np.float32)
    model = grid_model(image, draw_grid(1, 1, 4), mode, padding, False)
    after = lowered(model, {"image": image, "grid": draw_grid(1, 1, 4)}, share=SHARE)
    found = run_model(after, [{"image": image, "grid": grid}])[0]["y"]
    assert np.isfinite(found).all()
    if padding == "zeros":
        assert not found[..., :3].any()
    assert found[..., 3].any()


def test_names_of_modes_at_opset_20() -> None:
    image, grid = draw(1, 2, 4, 5), draw_grid(1, 3, 3)
    for mode in ("linear", "nearest", "cubic"):
        model = grid_model(image, grid, mode, "border", True, opset=20)
        lowered(model, {"image": image, "grid": grid}, share=SHARE)


@pytest.mark.parametrize("opset", [16, 20])
def test_defaults_are_those_of_the_operator(opset: int) -> None:
    feeds = {"image": draw(1, 2, 4, 5), "grid": draw_grid(1, 3, 3)}
    lowered(one_node("GridSample", feeds, opset=opset), feeds, share=SHARE)


def test_volumes_are_refused() -> None:
    feeds = {"image": draw(1, 1, 3, 4, 5), "grid": draw(1, 2, 2, 2, 3)}
    said = refusal(one_node("GridSample", feeds, opset=20), feeds)
    assert (
        said
        == "GridSample '/net/GridSample': it samples 3 axes, only pictures with 2 can be lowered"
    )


def test_unknown_sizes_are_refused() -> None:
    model = grid_model(draw(1, 1, 3, 4), draw_grid(1, 2, 2), "bilinear", "zeros", False)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    feeds = {"image": draw(1, 1, 3, 4), "grid": draw_grid(1, 2, 2)}
    assert "shape of its input is not known" in refusal(model, feeds)


@pytest.mark.parametrize("mode", MODES)
def test_rows_and_columns_meet_as_integers_only(mode: str) -> None:
    """In fp16 ``row * width + column`` would lose its last bits from 2048 on."""
    feeds = {"image": draw(2, 3, 4, 5), "grid": draw_grid(2, 3, 3)}
    after = lowered(grid_model(*feeds.values(), mode, "zeros", False), feeds, share=SHARE)
    types = {item.name: item.type.tensor_type.elem_type for item in after.graph.value_info}
    types.update({item.name: item.data_type for item in after.graph.initializer})
    makers = {name: node for node in after.graph.node for name in node.output}
    (gather,) = [node for node in after.graph.node if node.op_type == "Gather"]
    reached, seen = [gather.input[1]], []
    while reached:
        node = makers.get(reached.pop())
        if node is None or node.op_type == "Cast":
            continue
        seen.append(node.op_type)
        assert types[node.output[0]] == TensorProto.INT32
        reached += node.input
    assert {"Mul", "Add"} <= set(seen)


@pytest.mark.parametrize("mode", MODES)
def test_pixels_of_a_large_picture_are_found_in_half_precision(mode: str) -> None:
    """Places on pixel centres, all exact in fp16; most indices are above 2048."""
    height, width = 5, 1025
    image = half(draw(1, 2, height, width))
    columns = np.arange(1, width, 37)
    across = columns / ((width - 1) / 2) - 1
    grid = np.stack(np.broadcast_arrays(across, np.linspace(-1, 1, height)[:, None]), axis=-1)
    feeds = {"image": image, "grid": grid[None].astype(np.float32)}
    model = grid_model(*feeds.values(), mode, "zeros", True)
    after = emulate_half(lowered(model, feeds, share=SHARE))
    np.testing.assert_array_equal(run_model(after, [feeds])[0]["y"], image[..., columns])


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_everything_runs_on_the_ai_core(mode: str, padding: str) -> None:
    feeds = {"image": draw(1, 3, 4, 5), "grid": draw_grid(1, 3, 3)}
    after = lowered(grid_model(*feeds.values(), mode, padding, False), feeds, share=SHARE)
    assert off_the_cores(after) == []
    assert list(operators(after)).count("Gather") == 1


def test_a_flow_field_made_in_the_graph() -> None:
    nodes = [
        helper.make_node("Tanh", ["flow"], ["grid"]),
        helper.make_node("GridSample", ["image", "grid"], ["warped"], name="/warp/GridSample"),
        helper.make_node("Relu", ["warped"], ["y"]),
    ]
    feeds = {"image": draw(1, 4, 6, 6), "flow": draw(1, 6, 6, 2)}
    after = lowered(make_model(nodes, feeds, ["y"], opset=17), feeds, share=SHARE)
    inner = [node.name for node in after.graph.node if node.op_type not in ("Tanh", "Relu")]
    assert all(name.startswith("/warp/GridSample/") for name in inner)
