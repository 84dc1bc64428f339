"""Resize of opsets 18 and 19: axes, aspect ratio, antialias, symmetric coordinates."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from expansion_graphs import attributes_of, draw, off_the_cores, refusal  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx_graphs import lowered, one_node, operators  # noqa: E402

from atlas_hpe_export.lowering.expansions.resize_matrix import (  # noqa: E402
    ResizeFilter,
    resize_matrix,
)
from atlas_hpe_export.runners import run_model  # noqa: E402

SMOOTH = ["linear", "cubic"]
ALL = ["nearest", *SMOOTH]
X = draw(1, 2, 7, 9)


def resize_model(
    *, scales: object = None, sizes: object = None, opset: int = 18, **attributes: object
) -> onnx.ModelProto:
    target = np.array(sizes, np.int64) if scales is None else np.array(scales, np.float32)
    order = ["x", "", "target"] if sizes is None else ["x", "", "", "target"]
    constants = {"target": target}
    return one_node("Resize", {"x": X}, opset=opset, constants=constants, order=order, **attributes)


def resized(share: float = 1e-5, **what: object) -> onnx.ModelProto:
    return lowered(resize_model(**what), {"x": X}, share=share)


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize("axes", [[2, 3], [3, 2], [-2, -1], [3]])
@pytest.mark.parametrize("target", [{"sizes": [13, 15]}, {"sizes": [4, 5]}, {"scales": [1.7, 2]}])
def test_some_axes_become_all(mode: str, axes: list, target: dict) -> None:
    target = {name: numbers[: len(axes)] for name, numbers in target.items()}
    after = resized(mode=mode, axes=axes, share=1e-6, **target)
    assert list(operators(after)) == ["Resize"]
    assert "axes" not in attributes_of(after, "Resize")


@settings(max_examples=60)
@given(
    mode=st.sampled_from(SMOOTH),
    policy=st.sampled_from(["stretch", "not_larger", "not_smaller"]),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    axes=st.sampled_from([[2, 3], [3, 2]]),
    coordinates=st.sampled_from(
        ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    ),
)
def test_aspect_ratio_policies(
    mode: str, policy: str, sizes: tuple, axes: list, coordinates: str
) -> None:
    resized(
        sizes=sizes,
        mode=mode,
        axes=axes,
        keep_aspect_ratio_policy=policy,
        coordinate_transformation_mode=coordinates,
    )


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_nearest_keeps_its_aspect_ratio_where_sizes_are_whole(policy: str) -> None:
    after = resized(sizes=[14, 18], mode="nearest", axes=[2, 3], keep_aspect_ratio_policy=policy)
    assert list(operators(after)) == ["Resize"]


def test_a_scale_whose_last_bit_is_missing_still_makes_the_size() -> None:
    """31 / 7 in float32 times 7 is a little less than 31."""
    assert np.floor(np.float32(7) * np.float32(31 / 7)) == 30
    after = resized(sizes=[31], mode="nearest", axes=[2], keep_aspect_ratio_policy="not_larger")
    assert list(operators(after)) == ["Resize"]


@pytest.mark.parametrize("mode", [{"mode": "nearest"}, {}])
def test_nearest_at_a_rounded_size_is_refused(mode: dict) -> None:
    model = resize_model(sizes=[13, 15], axes=[2, 3], keep_aspect_ratio_policy="not_larger", **mode)
    assert "no form at opset 13" in refusal(model, {"x": X})


@pytest.mark.parametrize("axes", [None, [0, 1, 2, 3]])
def test_cut_regions(axes: object) -> None:
    roi = np.array([0, 0, 0.2, 0.1, 1, 1, 0.8, 0.9], np.float32)
    constants = {"roi": roi, "scales": np.array([1, 1, 1.5, 2], np.float32)}
    what = {"coordinate_transformation_mode": "tf_crop_and_resize", "antialias": 0}
    if axes is not None:
        what["axes"] = axes
    model = one_node("Resize", {"x": X}, opset=18, constants=constants, mode="linear", **what)
    if axes is None:
        assert list(operators(lowered(model, {"x": X}))) == ["Resize"]
    else:
        assert "cuts regions along some of its axes" in refusal(model, {"x": X})


@pytest.mark.parametrize("outside", [0, 1])
@pytest.mark.parametrize("mode", SMOOTH)
@pytest.mark.parametrize("sizes", [(4, 5), (3, 9), (14, 18), (3, 18), (1, 1), (7, 9)])
def test_antialias_is_a_product_with_matrices(mode: str, sizes: tuple, outside: int) -> None:
    """The coefficient is the one that PyTorch uses for antialiasing, other than without."""
    after = resized(
        sizes=[1, 2, *sizes], mode=mode, antialias=1, exclude_outside=outside, cubic_coeff_a=-0.5
    )
    if outside or min(sizes[0] / 7, sizes[1] / 9) < 1:
        assert set(operators(after)) <= {"MatMul", "Identity"}
        assert off_the_cores(after) == []
    if outside:
        torch_mode = {"linear": "bilinear", "cubic": "bicubic"}[mode]
        want = torch.nn.functional.interpolate(
            torch.from_numpy(X), size=sizes, mode=torch_mode, antialias=True
        )
        np.testing.assert_allclose(run_model(after, [{"x": X}])[0]["y"], want, atol=1e-5)


@pytest.mark.parametrize("mode", SMOOTH)
def test_the_only_pixel_of_pytorch_coordinates_is_the_first(mode: str) -> None:
    coordinates = "pytorch_half_pixel"
    resized(sizes=[1, 2, 1, 4], mode=mode, antialias=1, coordinate_transformation_mode=coordinates)


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize("target", [{"scales": [1, 1, 2, 3]}, {"sizes": [1, 2, 8, 5]}])
def test_symmetric_coordinates_at_whole_sizes_are_plain(mode: str, target: dict) -> None:
    coordinates = "half_pixel_symmetric"
    after = resized(mode=mode, opset=19, coordinate_transformation_mode=coordinates, **target)
    found = attributes_of(after, "Resize")["coordinate_transformation_mode"]
    assert found == b"half_pixel"


@pytest.mark.parametrize("mode", SMOOTH)
@pytest.mark.parametrize("scales", [[1, 1, 1.7, 2], [1, 1, 0.6, 0.9], [1, 1, 1, 1.3]])
def test_symmetric_coordinates_at_fractional_sizes_are_a_product(mode: str, scales: list) -> None:
    coordinates = "half_pixel_symmetric"
    after = resized(mode=mode, opset=19, coordinate_transformation_mode=coordinates, scales=scales)
    assert set(operators(after)) == {"MatMul"}


def test_matrices_of_other_axes_are_refused() -> None:
    model = resize_model(sizes=[1, 1, 7, 9], mode="linear", antialias=1)
    assert "other axes than the last two" in refusal(model, {"x": X})


def test_sizes_from_the_graph_are_refused() -> None:
    feeds = {"x": X, "sizes": np.array([3, 4])}
    order = ["x", "", "", "sizes"]
    model = one_node("Resize", feeds, opset=18, order=order, axes=[2, 3], mode="linear")
    assert "computed by the graph" in refusal(model, feeds)


def test_a_resize_without_news_stays_as_it_is() -> None:
    after = resized(sizes=[1, 2, 14, 18], mode="linear")
    assert list(operators(after)) == ["Resize"]


@given(
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    mode=st.sampled_from(SMOOTH),
    antialias=st.booleans(),
    outside=st.booleans(),
)
def test_rows_of_a_matrix_sum_to_one(
    sizes: tuple, mode: str, antialias: bool, outside: bool
) -> None:
    how = ResizeFilter(mode, "half_pixel", antialias, outside, -0.75)
    matrix = resize_matrix(*sizes, sizes[1] / sizes[0], how)
    assert matrix.shape == sizes[::-1]
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
