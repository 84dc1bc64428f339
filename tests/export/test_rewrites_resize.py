"""Resize and pooling: the values that the model says, in forms that the board computes."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import helper  # noqa: E402
from rewrite_graphs import (  # noqa: E402
    apply_once,
    apply_rules,
    assert_runs_on_board,
    make_model,
    op_types,
    run_in_half,
)

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe_export.check.rules.layers import MAX_POOL_AREA  # noqa: E402
from atlas_hpe_export.rewrites import (  # noqa: E402
    resize_cubic,
    resize_half_pixel,
    resize_nearest,
    resize_scales,
)
from atlas_hpe_export.rewrites.large_average_pool import RULE as POOL  # noqa: E402
from atlas_hpe_export.rewrites.resize_weights import onnx_weights  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

HALF_PIXEL, CUBIC, NEAREST = (
    resize_half_pixel.RULE,
    resize_cubic.RULE,
    resize_nearest.RULE,
)
COORDINATES = [
    "align_corners",
    "asymmetric",
    "half_pixel",
    "pytorch_half_pixel",
    "tf_half_pixel_for_nn",
]
ROUNDING = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def resize_model(
    x: np.ndarray, after: Sequence[int], *, by_scale: Optional[float] = None, **attributes: object
) -> onnx.ModelProto:
    """A Resize of the last axes of x, by sizes, or by one scale for all of them."""
    constants = {"roi": np.zeros(0, np.float32)}
    lead = x.ndim - len(after)
    if by_scale is None:
        constants["scales"] = np.zeros(0, np.float32)
        constants["sizes"] = np.array([*x.shape[:lead], *after], np.int64)
        inputs = ["x", "roi", "scales", "sizes"]
    else:
        constants["scales"] = np.array([1] * lead + [by_scale] * len(after), np.float32)
        inputs = ["x", "roi", "scales"]
    node = helper.make_node("Resize", inputs, ["y"], name="/up/Resize", **attributes)
    return make_model([node], {"x": x}, constants=constants)


def coordinates_of(model: onnx.ModelProto) -> List[Union[str, bytes]]:
    return [
        item.s
        for node in model.graph.node
        for item in node.attribute
        if item.name == "coordinate_transformation_mode"
    ]


@given(
    before=st.integers(1, 9),
    after=st.integers(1, 9),
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from(COORDINATES),
    rounding=st.sampled_from(ROUNDING),
    exclude=st.booleans(),
)
@settings(max_examples=60)
def test_the_weights_are_those_of_onnx_runtime(
    before: int, after: int, mode: str, coordinates: str, rounding: str, exclude: bool
) -> None:
    """A unit matrix that is resized along one axis is the matrix of weights."""
    if before == after:
        return  # ONNX Runtime copies, and so does the rule
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = rounding
    if mode == "cubic":
        attributes["exclude_outside"] = int(exclude)
    unit = np.eye(before, dtype=np.float32)[:, None, :, None] * np.ones((1, 1, 1, 2), np.float32)
    model = resize_model(unit, (after, 2), **attributes)
    node = _ir_node(model)
    found = run_model(model, [{"x": unit}])[0]["y"][:, 0, :, 0].T
    np.testing.assert_allclose(onnx_weights(node, before, after, after / before), found, atol=2e-5)


def _ir_node(model: onnx.ModelProto) -> object:
    from atlas_hpe_export.graph import as_ir

    return next(iter(as_ir(model).graph))


@given(
    before=st.integers(2, 12),
    factor=st.sampled_from([0.5, 1.5, 2.0, 3.0, 4.0]),
)
@settings(max_examples=15)
def test_linear_half_pixel_is_renamed(before: int, factor: float) -> None:
    after = int(before * factor)
    if after < 2 or after == before or after != before * factor:
        return
    x = picture(1, 2, before, before)
    model = resize_model(x, (after, after), by_scale=factor, mode="linear")
    changed, _ = apply_once(model, HALF_PIXEL, {"x": x})
    assert op_types(changed) == ["Resize"]
    assert coordinates_of(changed) == [b"pytorch_half_pixel"]


def test_one_pixel_that_is_spread_is_renamed_although_all_rules_agree() -> None:
    x = picture(1, 3, 1, 1)
    changed, _ = apply_once(resize_model(x, (5, 4), mode="linear"), HALF_PIXEL, {"x": x})
    assert coordinates_of(changed) == [b"pytorch_half_pixel"]


@pytest.mark.parametrize("coordinates", ["pytorch_half_pixel", "align_corners", "asymmetric"])
def test_linear_that_the_board_understands_is_left(coordinates: str) -> None:
    x = picture(1, 2, 4, 6)
    model = resize_model(x, (8, 12), mode="linear", coordinate_transformation_mode=coordinates)
    after, steps = apply_rules(model, [HALF_PIXEL, CUBIC, NEAREST], [{"x": x}])
    assert steps == ()
    assert coordinates_of(after) == [coordinates.encode()]


@pytest.mark.parametrize("after", [(1, 1), (1, 4), (3, 1)])
def test_linear_to_one_pixel_is_a_product(after: Tuple[int, int]) -> None:
    x = picture(2, 3, 4, 6)
    changed, _ = apply_once(resize_model(x, after, mode="linear"), HALF_PIXEL, {"x": x})
    assert "Resize" not in op_types(changed)


def test_a_scale_that_is_not_the_ratio_of_sizes_is_a_product() -> None:
    """The plugin takes the size, 11, and would use 11/7 where the model says 1.7."""
    x = picture(1, 2, 7, 7)
    model = resize_model(x, (11, 11), by_scale=1.7, mode="linear")
    changed, _ = apply_once(model, HALF_PIXEL, {"x": x})
    assert "MatMul" in op_types(changed)


def test_a_resize_that_changes_nothing_is_left() -> None:
    x = picture(1, 2, 4, 4)
    for mode in ("linear", "nearest"):
        model = resize_model(x, (4, 4), mode=mode)
        after, steps = apply_rules(model, [HALF_PIXEL, NEAREST], [{"x": x}])
        assert steps == ()
        assert op_types(after) == ["Resize"]


def test_a_volume_is_resized_by_products() -> None:
    x = picture(1, 2, 3, 4, 5)
    model = resize_model(x, (6, 4, 5), mode="linear", coordinate_transformation_mode="asymmetric")
    changed, _ = apply_once(model, HALF_PIXEL, {"x": x})
    assert "Resize" not in op_types(changed)


@pytest.mark.parametrize("sizes", [((4, 5), (8, 10)), ((8, 8), (3, 5)), ((6, 6), (1, 9))])
@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "pytorch_half_pixel"])
def test_cubic_is_two_products(
    sizes: Tuple[Tuple[int, int], Tuple[int, int]], coordinates: str
) -> None:
    x = picture(2, 3, *sizes[0])
    model = resize_model(
        x,
        sizes[1],
        mode="cubic",
        cubic_coeff_a=-0.75,
        coordinate_transformation_mode=coordinates,
    )
    changed, _ = apply_once(model, CUBIC, {"x": x})
    assert op_types(changed).count("MatMul") == 2
    found, exact = run_in_half(changed, {"x": x})["y"], run_model(model, [{"x": x}])[0]["y"]
    np.testing.assert_allclose(found, exact, atol=1e-2)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("rounding", ROUNDING)
@pytest.mark.parametrize("sizes", [(4, 8), (5, 15), (6, 4), (7, 10), (5, 1), (1, 3)])
def test_nearest_takes_the_pixels_that_the_model_names(
    coordinates: str, rounding: str, sizes: Tuple[int, int]
) -> None:
    x = picture(1, 2, sizes[0], 3)
    model = resize_model(
        x,
        (sizes[1], 6),
        mode="nearest",
        coordinate_transformation_mode=coordinates,
        nearest_mode=rounding,
    )
    after, steps = apply_rules(model, [NEAREST], [{"x": x}])
    assert all(step.status == "applied" for step in steps)
    feeds = [{"x": x}]
    np.testing.assert_array_equal(run_model(after, feeds)[0]["y"], run_model(model, feeds)[0]["y"])
    assert_runs_on_board(after)
    plain = [item for item in coordinates_of(after) if item != b"asymmetric"]
    assert not plain


def test_a_nearest_scale_that_is_not_the_ratio_of_sizes_is_a_choice_of_pixels() -> None:
    x = picture(1, 2, 7, 7)
    plain = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    model = resize_model(x, (11, 11), by_scale=1.7, mode="nearest", **plain)
    changed, _ = apply_once(model, NEAREST, {"x": x})
    assert op_types(changed) == ["Gather", "Gather"]


def test_a_nearest_volume_is_a_choice_of_pixels() -> None:
    x = picture(1, 2, 2, 3, 2)
    plain = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    changed, _ = apply_once(resize_model(x, (4, 6, 4), **plain), NEAREST, {"x": x})
    assert op_types(changed) == ["Gather"] * 3


def test_a_whole_enlargement_with_half_pixel_centres_stays_a_resize() -> None:
    x = picture(1, 2, 4, 4)
    model = resize_model(x, (8, 12), mode="nearest", nearest_mode="round_prefer_floor")
    changed, _ = apply_once(model, NEAREST, {"x": x})
    assert op_types(changed) == ["Resize"]
    assert coordinates_of(changed) == [b"asymmetric"]


@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
def test_unknown_sizes_are_an_error_that_names_the_place(mode: str) -> None:
    x = picture(1, 2, 4, 4)
    model = resize_model(x, (8, 8), by_scale=2.0, mode=mode)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    model.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(CheckFailedError, match="not known") as caught:
        apply_rules(model, [HALF_PIXEL, CUBIC, NEAREST], [{"x": x}])
    assert "/up/Resize" in str(caught.value.where)


@settings(max_examples=30, deadline=None)
@given(before=st.integers(1, 40), after=st.integers(1, 40))
def test_sizes_of_a_linear_resize_become_factors(before: int, after: int) -> None:
    x = picture(1, 2, before, 3)
    model = resize_model(x, (after, 5), mode="linear", coordinate_transformation_mode="asymmetric")
    changed, _ = apply_once(model, resize_scales.RULE, {"x": x})
    (node,) = changed.graph.node
    assert len(node.input) == 3


@pytest.mark.parametrize(("after", "inputs"), [(20, 3), (38, 4)])
def test_sizes_of_a_nearest_resize_become_factors_that_are_exact(after: int, inputs: int) -> None:
    x = picture(1, 2, 10, 3)
    plain = dict(coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    model = resize_model(x, (after, 6), mode="nearest", **plain)
    changed, steps = apply_rules(model, [resize_scales.RULE], [{"x": x}])
    assert len(changed.graph.node[0].input) == inputs
    assert [step.status for step in steps] == (["applied"] if inputs == 3 else [])


def test_factors_and_unknown_sizes_are_left() -> None:
    x = picture(1, 2, 4, 4)
    model = resize_model(x, (8, 8), by_scale=2.0, mode="linear")
    assert apply_rules(model, [resize_scales.RULE], [{"x": x}])[1] == ()


def test_coordinates_of_a_region_are_an_error() -> None:
    x = picture(1, 2, 4, 4)
    model = resize_model(x, (8, 8), mode="linear")
    node = model.graph.node[0]
    node.attribute.append(
        helper.make_attribute("coordinate_transformation_mode", "tf_crop_and_resize")
    )
    model.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.array([0, 0, 0, 0, 1, 1, 0.5, 0.5], np.float32), "roi")
    )
    with pytest.raises(CheckFailedError) as caught:
        apply_rules(model, [HALF_PIXEL], [{"x": x}])
    assert "tf_crop_and_resize" in str(caught.value.where)


def pool_model(x: np.ndarray, **attributes: object) -> onnx.ModelProto:
    node = helper.make_node("AveragePool", ["x"], ["y"], name="/pool/AveragePool", **attributes)
    return make_model([node], {"x": x})


def test_a_pool_over_the_whole_map_is_a_mean() -> None:
    x = picture(2, 3, 17, 19)
    after, _ = apply_once(pool_model(x, kernel_shape=[17, 19]), POOL, {"x": x})
    assert op_types(after) == ["ReduceMean"]


@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    [(64, 32, 32), (64, 32, 16), (50, 24, 12), (65, 32, 32), (70, 20, 10), (64, 20, 4)],
)
def test_a_window_that_divides_is_two_pools(size: int, kernel: int, stride: int) -> None:
    x = picture(1, 2, size, size)
    model = pool_model(x, kernel_shape=[kernel] * 2, strides=[stride] * 2)
    after, _ = apply_once(model, POOL, {"x": x})
    assert op_types(after) == ["AveragePool", "AveragePool"]
    for node in after.graph.node:
        kernel_shape = next(item.ints for item in node.attribute if item.name == "kernel_shape")
        assert np.prod(kernel_shape) <= MAX_POOL_AREA


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [3, 0, 2, 5], [8, 8, 8, 8]])
@pytest.mark.parametrize("counts", [{}, {"count_include_pad": 1}])
@pytest.mark.parametrize("stride", [1, 17])
def test_other_windows_are_products(pads: List[int], counts: Dict[str, int], stride: int) -> None:
    x = picture(1, 2, 40, 38)
    model = pool_model(x, kernel_shape=[17, 18], strides=[stride] * 2, pads=pads, **counts)
    after, _ = apply_once(model, POOL, {"x": x})
    assert "AveragePool" not in op_types(after)


def test_a_small_window_is_left_and_a_rounded_one_refused() -> None:
    x = picture(1, 2, 40, 40)
    assert apply_rules(pool_model(x, kernel_shape=[15, 17]), [POOL], [{"x": x}])[1] == ()
    model = pool_model(x, kernel_shape=[18, 18], strides=[18, 18], ceil_mode=1)
    _, steps = apply_rules(model, [POOL], [{"x": x}])
    assert [(step.status, "ceil_mode" in step.reason) for step in steps] == [("refused", True)]
