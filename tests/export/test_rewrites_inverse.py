"""Inverses, solutions and determinants: the same values, on the board's operators, in float16."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402
from rewrite_graphs import (  # noqa: E402
    apply_once,
    apply_rules,
    make_model,
    op_types,
    run_in_half,
)

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe_export.rewrites import REWRITES  # noqa: E402
from atlas_hpe_export.rewrites.determinant import RULE as DETERMINANT  # noqa: E402
from atlas_hpe_export.rewrites.inverse import MAX_SIZE  # noqa: E402
from atlas_hpe_export.rewrites.inverse import RULE as INVERSE  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

BATCHES: Tuple[Tuple[int, ...], ...] = ((), (1,), (3,), (2, 2))


def well_conditioned(shape: Sequence[int], seed: int) -> np.ndarray:
    """Random rotations with stretched axes, so that two correct inverses agree to five digits."""
    rng = np.random.default_rng(seed)
    left, _, right = np.linalg.svd(rng.standard_normal(shape))
    stretch = rng.uniform(0.5, 3, shape[:-1])
    return ((left * stretch[..., None, :]) @ right).astype(np.float32)


def inverse_node(name: str = "a", out: str = "y") -> onnx.NodeProto:
    return helper.make_node(
        "Inverse", [name], [out], domain="com.microsoft", name="/camera/Inverse"
    )


def inverse_model(a: np.ndarray) -> onnx.ModelProto:
    return make_model([inverse_node()], {"a": a}, domains=["com.microsoft"])


@pytest.mark.parametrize("size", range(1, MAX_SIZE + 1))
@pytest.mark.parametrize("seed", [0, 1])
def test_an_inverse_of_any_size_up_to_8_keeps_its_values(size: int, seed: int) -> None:
    a = well_conditioned((*BATCHES[(size + 2 * seed) % len(BATCHES)], size, size), seed)
    after, _ = apply_once(inverse_model(a), INVERSE, {"a": a})
    found = run_model(after, [{"a": a}])[0]["y"]
    np.testing.assert_allclose(found @ a, np.broadcast_to(np.eye(size), a.shape), atol=2e-4)


@pytest.mark.parametrize("size", [4, 5, 8])
def test_elimination_finds_its_pivots_where_the_diagonal_is_zero(size: int) -> None:
    permutation = np.roll(np.eye(size, dtype=np.float32), 1, axis=0) * 2
    ties = np.sign(well_conditioned((size, size), 3)) + 3 * np.roll(np.eye(size), 2, axis=0)
    a = np.stack([permutation, ties.astype(np.float32)])
    after, _ = apply_once(inverse_model(a), INVERSE, {"a": a})
    found = run_model(after, [{"a": a}])[0]["y"]
    np.testing.assert_allclose(found, np.linalg.inv(a.astype(np.float64)), atol=1e-4)


@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_a_constant_matrix_is_inverted_at_export(size: int) -> None:
    a = well_conditioned((size, size), 1)
    nodes = [inverse_node("c", "i"), helper.make_node("MatMul", ["i", "x"], ["y"])]
    x = well_conditioned((size, size), 2)
    model = make_model(nodes, {"x": x}, constants={"c": a}, domains=["com.microsoft"])
    after, _ = apply_once(model, INVERSE, {"x": x})
    assert op_types(after) == ["MatMul"]


def test_a_constant_singular_matrix_is_an_error_that_says_so() -> None:
    x = np.ones((2, 2), np.float32)
    nodes = [inverse_node("c", "i"), helper.make_node("Add", ["i", "x"], ["y"])]
    model = make_model(nodes, {"x": x}, constants={"c": x}, domains=["com.microsoft"])
    with pytest.raises(CheckFailedError, match="singular") as caught:
        apply_rules(model, [INVERSE], [{"x": x}])
    assert "/camera/Inverse" in str(caught.value.where)


def test_nine_unknowns_are_an_error_that_says_what_to_do() -> None:
    a = well_conditioned((9, 9), 0)
    with pytest.raises(CheckFailedError, match="up to 8 can be written out") as caught:
        apply_rules(inverse_model(a), [INVERSE], [{"a": a}])
    assert "on the host" in str(caught.value.where)


@pytest.mark.parametrize("size", [2, 4, 6])
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("batches", [((), ()), ((2,), (2,)), ((3, 1), (2,)), ((), (2,))])
def test_a_system_is_solved_without_its_inverse(
    size: int, columns: int, batches: Tuple[Tuple[int, ...], Tuple[int, ...]]
) -> None:
    a = well_conditioned((*batches[0], size, size), 4)
    b = np.random.default_rng(5).standard_normal((*batches[1], size, columns)).astype(np.float32)
    nodes = [inverse_node("a", "i"), helper.make_node("MatMul", ["i", "b"], ["y"])]
    model = make_model(nodes, {"a": a, "b": b}, domains=["com.microsoft"])
    after, _ = apply_once(model, INVERSE, {"a": a, "b": b})
    found = run_model(after, [{"a": a, "b": b}])[0]["y"]
    np.testing.assert_allclose(found, np.linalg.solve(a.astype(np.float64), b), atol=1e-4)


def test_an_inverse_that_is_read_elsewhere_too_is_written_out_once() -> None:
    a = well_conditioned((5, 5), 4)
    nodes = [inverse_node("a", "y"), helper.make_node("MatMul", ["y", "a"], ["z"])]
    model = make_model(nodes, {"a": a}, ["y", "z"], domains=["com.microsoft"])
    after, _ = apply_rules(model, [INVERSE], [{"a": a}])
    values = run_model(after, [{"a": a}])[0]
    np.testing.assert_allclose(values["z"], np.eye(5), atol=1e-4)
    np.testing.assert_allclose(values["y"], np.linalg.inv(a), atol=1e-4)


def camera_model(batch: int) -> Tuple[onnx.ModelProto, dict]:
    """Intrinsics put together in the graph from five numbers, and their inverse."""
    rng = np.random.default_rng(0)
    numbers = np.stack(
        [
            rng.uniform(1300, 1500, batch),
            rng.uniform(-2, 2, batch),
            rng.uniform(600, 700, batch),
            rng.uniform(1300, 1500, batch),
            rng.uniform(300, 400, batch),
        ],
        axis=1,
    ).astype(np.float32)
    constants = {
        "zero": np.zeros((batch, 1), np.float32),
        "one": np.ones((batch, 1), np.float32),
        "shape": np.array([batch, 3, 3]),
    }
    nodes: List[onnx.NodeProto] = [
        helper.make_node("Split", ["k"], ["fx", "s", "cx", "fy", "cy"], axis=1, split=[1] * 5),
        helper.make_node(
            "Concat",
            ["fx", "s", "cx", "zero", "fy", "cy", "zero", "zero", "one"],
            ["flat"],
            axis=1,
        ),
        helper.make_node("Reshape", ["flat", "shape"], ["a"]),
        inverse_node(),
    ]
    model = make_model(nodes, {"k": numbers}, constants=constants, domains=["com.microsoft"])
    return model, {"k": numbers}


def test_camera_intrinsics_are_inverted_by_back_substitution() -> None:
    model, feeds = camera_model(3)
    after, _ = apply_once(model, INVERSE, feeds)
    assert "ReduceMax" not in op_types(after), "the camera was not recognised"
    found, exact = run_model(after, [feeds])[0]["y"], run_model(model, [feeds])[0]["y"]
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-9)


def camera(fx: float, cx: float, skew: float = 0.0) -> np.ndarray:
    return np.array([[[fx, skew, cx], [0, fx + 5, cx / 2], [0, 0, 1]]], np.float32)


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    known = np.abs(exact) > 1e-12
    return float((np.abs(found - exact)[known] / np.abs(exact)[known]).max())


@pytest.mark.parametrize("fx", [291.0, 588.0, 1395.0, 1500.0, 2000.0])
def test_intrinsics_that_are_an_input_survive_float16(fx: float) -> None:
    a = camera(fx, 640.0)
    after, _ = apply_once(inverse_model(a), INVERSE, {"a": a})
    found = run_in_half(after, {"a": a})["y"]
    assert relative_error(found, np.linalg.inv(a.astype(np.float64))) < 1e-2


def test_recognised_intrinsics_survive_float16() -> None:
    model, feeds = camera_model(4)
    after, _ = apply_once(model, INVERSE, feeds)
    found = run_in_half(after, feeds)["y"]
    exact = run_model(model, [feeds])[0]["y"]
    assert (
        relative_error(found[:, [0, 1, 0, 1], [0, 1, 2, 2]], exact[:, [0, 1, 0, 1], [0, 1, 2, 2]])
        < 5e-3
    )


def test_unbalanced_cofactors_would_not_survive_float16() -> None:
    """The emulation is real: it sees what the balancing is for."""
    a = camera(1395.0, 640.0)
    model = make_model([helper.make_node("Mul", ["a", "a"], ["y"])], {"a": a})
    assert np.isinf(run_in_half(model, {"a": a})["y"]).any()


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_matrices_with_large_and_small_rows_survive_float16(size: int) -> None:
    scales = np.logspace(-1, 3, size).astype(np.float32)
    a = well_conditioned((size, size), 7) * scales[:, None]
    after, _ = apply_once(inverse_model(a), INVERSE, {"a": a})
    found = run_in_half(after, {"a": a})["y"] * scales
    exact = np.linalg.inv(a.astype(np.float64)) * scales
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_an_affine_matrix_is_inverted_by_its_parts(size: int, batch: Tuple[int, ...]) -> None:
    top = np.concatenate(
        [
            well_conditioned((*batch, size - 1, size - 1), 3),
            np.full((*batch, size - 1, 1), 250, np.float32),
        ],
        axis=-1,
    )
    row = np.broadcast_to(np.eye(size, dtype=np.float32)[-1:], (*batch, 1, size))
    concat = helper.make_node("Concat", ["t", "row"], ["a"], axis=-2)
    model = make_model(
        [concat, inverse_node()], {"t": top}, constants={"row": row}, domains=["com.microsoft"]
    )
    after, _ = apply_once(model, INVERSE, {"t": top})
    assert "Neg" in op_types(after), "the last row was not recognised"
    found, exact = run_in_half(after, {"t": top})["y"], run_model(model, [{"t": top}])[0]["y"]
    assert np.abs(found - exact).max() < 1e-2 * np.abs(exact).max()


def test_an_affine_matrix_built_by_writing_into_a_slice_is_recognised() -> None:
    """As PyTorch writes ``m = eye(4); m[:3] = t``: ScatterND into a constant, then the inverse."""
    top = np.concatenate([well_conditioned((3, 3), 3), np.ones((3, 1), np.float32)], axis=1)
    scatter = helper.make_node("ScatterND", ["eye", "rows", "t"], ["a"])
    constants = {"eye": np.eye(4, dtype=np.float32), "rows": np.array([[0], [1], [2]])}
    model = make_model(
        [scatter, inverse_node()], {"t": top}, constants=constants, domains=["com.microsoft"]
    )
    after, _ = apply_rules(model, REWRITES, [{"t": top}])
    assert "Neg" in op_types(after)
    assert "ScatterND" not in op_types(after)


def test_an_unknown_size_is_an_error_that_names_the_place() -> None:
    a = well_conditioned((3, 3), 0)
    model = inverse_model(a)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    with pytest.raises(CheckFailedError, match="not known before"):
        apply_rules(model, [INVERSE], [{"a": a}])


def det_model(a: np.ndarray) -> onnx.ModelProto:
    return make_model([helper.make_node("Det", ["a"], ["y"])], {"a": a})


@pytest.mark.parametrize("size", range(1, MAX_SIZE + 1))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_determinant_keeps_its_value_and_sign(size: int, seed: int) -> None:
    a = well_conditioned((*BATCHES[(size + seed) % len(BATCHES)], size, size), seed)
    after, _ = apply_once(det_model(a), DETERMINANT, {"a": a})
    np.testing.assert_allclose(
        run_model(after, [{"a": a}])[0]["y"], np.linalg.det(a.astype(np.float64)), rtol=1e-4
    )


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("kind", ["zeros", "rank one", "equal rows", "swapped rows"])
def test_determinants_of_special_matrices(size: int, kind: str) -> None:
    a = well_conditioned((size, size), 2)
    if kind == "zeros":
        a[0] = 0
    elif kind == "rank one":
        a[:] = a[0]
    elif kind == "equal rows":
        a[1] = a[0]
    else:
        a = np.eye(size, dtype=np.float32)[::-1].copy()
    after, _ = apply_once(det_model(a), DETERMINANT, {"a": a})
    found = run_model(after, [{"a": a}])[0]["y"]
    np.testing.assert_allclose(found, np.linalg.det(a.astype(np.float64)), atol=1e-4)


def test_a_determinant_of_nine_rows_is_left_and_reported() -> None:
    a = well_conditioned((9, 9), 2)
    after, steps = apply_rules(det_model(a), [DETERMINANT], [{"a": a}])
    assert op_types(after) == ["Det"]
    assert steps[0].status == "refused"
    assert "9 x 9" in steps[0].reason


def test_new_nodes_carry_the_path_of_the_module() -> None:
    a = camera(1400, 640)
    after, _ = apply_once(inverse_model(a), INVERSE, {"a": a})
    assert all(node.name.startswith("/camera/Inverse/") for node in after.graph.node)
    assert numpy_helper.to_array(after.graph.initializer[0]).size
