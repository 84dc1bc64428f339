"""Each gap over a sweep of shapes, against PyTorch, through both front ends."""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from frontend_checks import Calls, assert_written, capture_with  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe_export.frontends import FRONTENDS  # noqa: E402
from atlas_hpe_export.frontends.gaps import GAPS  # noqa: E402
from atlas_hpe_export.frontends.gaps.adaptive_pool import pooling_windows  # noqa: E402

both = pytest.mark.parametrize("frontend", FRONTENDS)
only_torch_export = pytest.mark.parametrize("frontend", ["torch-export"])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def draw_matrices(*shape: int) -> Tensor:
    """Far from singular."""
    return draw(*shape) * 0.3 + 2.0 * torch.eye(shape[-1])


MATRICES = [(2, 2), (3, 3), (1, 4, 4), (2, 3, 5, 5)]


@both
@pytest.mark.parametrize(
    "invert",
    [torch.inverse, torch.linalg.inv, lambda a: torch.linalg.inv_ex(a)[0], Tensor.inverse],
    ids=["inverse", "linalg.inv", "linalg.inv_ex", "Tensor.inverse"],
)
def test_inverse(frontend: str, invert: Callable[[Tensor], Tensor]) -> None:
    written = assert_written(
        frontend,
        lambda *matrices: tuple(invert(item) for item in matrices),
        *(draw_matrices(*shape) for shape in MATRICES),
    )
    assert written == {"Inverse": len(MATRICES)}


def test_a_graph_with_an_inverse_says_whose_operator_it_is() -> None:
    captured = capture_with("torchscript", Calls(torch.inverse).eval(), [draw_matrices(3, 3)])
    assert {item.domain: item.version for item in captured.model.opset_import} == {
        "": 18,
        "com.microsoft": 1,
    }


#: Shapes of A and B, and whether A stands on the left.
SOLVED = [
    ((3, 3), (3,), True),
    ((3, 3), (3, 2), True),
    ((2, 3, 3), (2, 3), True),
    ((2, 3, 3), (2, 3, 4), True),
    ((2, 3, 3), (3,), True),
    ((2, 3, 3), (3, 4), True),
    ((2, 4, 4), (2, 3, 4), False),
]


@both
def test_solve(frontend: str) -> None:
    sides = [left for _, _, left in SOLVED]
    tensors = [item for a, b, _ in SOLVED for item in (draw_matrices(*a), draw(*b, seed=1))]

    def solve_all(*inputs: Tensor) -> Tuple[Tensor, ...]:
        pairs = zip(inputs[::2], inputs[1::2], sides)
        return tuple(torch.linalg.solve(a, b, left=left) for a, b, left in pairs)

    written = assert_written(frontend, solve_all, *tensors)
    assert written["Inverse"] == written["MatMul"] == len(SOLVED)


@both
def test_solve_ex_gives_its_result(frontend: str) -> None:
    written = assert_written(
        frontend, lambda a, b: torch.linalg.solve_ex(a, b)[0], draw_matrices(3, 3), draw(3, 2)
    )
    assert written == {"Inverse": 1, "MatMul": 1}


def test_shapes_beside_an_inverse_are_known() -> None:
    """ONNX infers nothing about an operator that is not its own."""
    network = Calls(lambda a, b: torch.linalg.solve(a, b)).eval()
    model = capture_with("torchscript", network, [draw_matrices(3, 3), draw(3, 2)]).model
    inverse = next(node for node in model.graph.node if node.op_type == "Inverse")
    shapes = {
        item.name: [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        for item in model.graph.value_info
    }
    assert shapes[inverse.output[0]] == [3, 3]


def test_an_output_that_can_not_be_written_is_named() -> None:
    network = Calls(lambda a: torch.linalg.inv_ex(a)[1].float()).eval()
    with pytest.raises(CheckFailedError, match="can't write the network") as caught:
        capture_with("torchscript", network, [draw_matrices(3, 3)])
    assert "linalg_inv_ex" in str(caught.value.why)
    assert "only its first output" in str(caught.value.why)


@given(st.integers(1, 40), st.integers(1, 40))
def test_pooling_windows_are_those_of_pytorch(size: int, cells: int) -> None:
    ramp = torch.arange(float(size)).view(1, 1, size)
    lowest = -functional.adaptive_max_pool1d(-ramp, cells)
    highest = functional.adaptive_max_pool1d(ramp, cells)
    expected = [(int(low), int(high) + 1) for low, high in zip(lowest.flatten(), highest.flatten())]
    assert pooling_windows(size, cells) == expected


#: Input and output sizes of two-dimensional pooling.
PLANES: List[Tuple[Tuple[int, ...], Tuple[int, int]]] = [
    ((1, 2, 8, 8), (1, 1)),
    ((1, 2, 8, 6), (4, 2)),
    ((2, 2, 7, 7), (3, 3)),  # does not divide, one kernel all the same
    ((1, 2, 7, 7), (4, 5)),
    ((1, 2, 7, 8), (7, 3)),  # one axis stays
    ((1, 2, 8, 7), (3, 7)),
    ((1, 2, 3, 2), (7, 5)),  # upwards
    ((1, 2, 1, 1), (3, 2)),
    ((1, 2, 5, 7), (1, 3)),
    ((2, 7, 7), (3, 4)),  # without a batch
    ((2, 8, 8), (2, 2)),
    ((2, 6, 5), (1, 1)),
]
#: Input and output sizes of one-dimensional pooling.
LINES: List[Tuple[Tuple[int, ...], int]] = [
    ((1, 2, 9), 1),
    ((1, 2, 9), 3),
    ((1, 2, 7), 3),
    ((1, 2, 7), 4),
    ((1, 2, 3), 8),
    ((2, 7), 5),
]


@both
@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pooling_of_any_size(frontend: str, kind: str) -> None:
    planes = getattr(functional, f"adaptive_{kind}_pool2d")
    lines = getattr(functional, f"adaptive_{kind}_pool1d")
    sizes = [size for _, size in [*PLANES, *LINES]]

    def pool_all(*inputs: Tensor) -> Tuple[Tensor, ...]:
        return tuple(
            (planes if index < len(PLANES) else lines)(item, size)
            for index, (item, size) in enumerate(zip(inputs, sizes))
        )

    written = assert_written(frontend, pool_all, *(draw(*shape) for shape, _ in [*PLANES, *LINES]))
    allowed = {"Unsqueeze", "Squeeze"} | (
        {"GlobalAveragePool", "AveragePool", "MatMul"}
        if kind == "avg"
        else {"GlobalMaxPool", "MaxPool", "Slice", "ReduceMax", "Concat"}
    )
    assert set(written) == allowed


@both
def test_adaptive_pooling_to_the_size_of_another_tensor(frontend: str) -> None:
    """The usual way to write it."""
    written = assert_written(
        frontend,
        lambda fine, coarse: functional.adaptive_avg_pool2d(fine, coarse.shape[-2:]),
        draw(1, 2, 7, 8),
        draw(1, 3, 4, 3),
    )
    assert written == {"MatMul": 2}


def pool_to(count: int) -> Callable[[Tensor], Tensor]:
    return lambda image: functional.adaptive_avg_pool2d(image, count)


@both
@pytest.mark.parametrize(
    ("shape", "count", "expected"),
    [
        ((1, 2, 8, 8), 1, {"GlobalAveragePool": 1}),
        ((1, 2, 8, 8), 4, {"AveragePool": 1}),
        ((1, 2, 7, 7), 3, {"AveragePool": 1}),
        ((1, 2, 7, 7), 4, {"MatMul": 2}),
        ((1, 2, 8, 7), 8, {"MatMul": 1}),
    ],
)
def test_pooling_takes_the_plainest_form(
    frontend: str, shape: Tuple[int, ...], count: int, expected: Dict[str, int]
) -> None:
    assert assert_written(frontend, pool_to(count), draw(*shape)) == expected


@both
def test_pooling_matrices_have_the_type_of_the_input(frontend: str) -> None:
    assert_written(frontend, pool_to(4), draw(1, 2, 7, 7).double())


@both
def test_pooling_after_pooling_knows_its_sizes(frontend: str) -> None:
    written = assert_written(
        frontend, lambda image: pool_to(4)(pool_to(6)(image)), draw(1, 2, 16, 16)
    )
    assert written == {"MatMul": 4}


@both
def test_what_follows_a_gap_knows_its_type(frontend: str) -> None:
    """Sizes for the resize, a rank for the softmax, a type for the matrices of the next gap."""

    def follow(image: Tensor) -> Tensor:
        deep = torch.relu(pool_to(6)(image)) / 3
        wide = functional.interpolate(pool_to(4)(deep), scale_factor=2.0, mode="bilinear")
        return torch.softmax(pool_to(5)(wide), dim=1).transpose(-1, -2)

    assert_written(frontend, follow, draw(1, 2, 16, 16))


@both
def test_a_gap_after_pieces_of_a_tensor_knows_its_size(frontend: str) -> None:
    """TorchScript computes the sizes of chunks in the graph, so ONNX does not infer them."""

    def shuffle(image: Tensor) -> Tensor:
        left, right = image.chunk(2, dim=1)
        return functional.channel_shuffle(torch.cat([right, left * 2], dim=1), 2)

    assert_written(frontend, shuffle, draw(1, 4, 3, 3))


@both
@pytest.mark.filterwarnings("ignore:Since version 1.3.0:UserWarning")  # about grids of one pixel
@pytest.mark.parametrize("corners", [False, True])
def test_affine_grid(frontend: str, corners: bool) -> None:
    sizes = [(1, 3, 5, 4), (2, 1, 1, 6), (1, 2, 3, 4, 5)]

    def grids(*thetas: Tensor) -> Tuple[Tensor, ...]:
        return tuple(
            functional.affine_grid(theta, list(size), align_corners=corners)
            for theta, size in zip(thetas, sizes)
        )

    written = assert_written(frontend, grids, draw(1, 2, 3), draw(2, 2, 3), draw(1, 3, 4))
    assert written == {"Transpose": 3, "MatMul": 3, "Reshape": 3}


@both
def test_affine_grid_of_another_tensors_size(frontend: str) -> None:
    written = assert_written(
        frontend,
        lambda theta, image: functional.affine_grid(theta, image.size(), align_corners=False),
        draw(1, 2, 3).double(),
        draw(1, 3, 4, 6),
    )
    assert written == {"Transpose": 1, "MatMul": 1, "Reshape": 1}


@both
def test_distances_between_points(frontend: str) -> None:
    def distances(one: Tensor, other: Tensor) -> Tuple[Tensor, ...]:
        batched = [torch.cdist(one, other, p=p) for p in (1.0, 2.0, float("inf"))]
        return (*batched, torch.cdist(one[0], other[0]))

    assert_written(frontend, distances, draw(2, 5, 3), draw(2, 4, 3, seed=1))


@both
def test_a_norm_that_is_not_written_is_refused_with_its_number(frontend: str) -> None:
    network = Calls(lambda one, other: torch.cdist(one, other, p=3.0)).eval()
    with pytest.raises(CheckFailedError) as caught:
        capture_with(frontend, network, [draw(1, 5, 3), draw(1, 4, 3)])
    assert "p = 3 are not written" in str(caught.value.why)


@both
def test_channel_shuffle(frontend: str) -> None:
    written = assert_written(
        frontend,
        lambda *inputs: tuple(functional.channel_shuffle(item, 3) for item in inputs),
        draw(1, 6, 4, 4),
        draw(2, 9, 5),
    )
    assert written == {"Reshape": 4, "Transpose": 2}


@both
def test_matrix_transpose(frontend: str) -> None:
    written = assert_written(
        frontend, lambda *items: tuple(item.mT for item in items), draw(3, 4), draw(2, 1, 3, 4)
    )
    assert written == {"Transpose": 2}


@pytest.mark.parametrize("name", GAPS)
def test_a_gap_is_an_operator_of_pytorch(name: str) -> None:
    assert hasattr(getattr(torch.ops.aten, name), "default")


#: Operators that were suspected to need a gap, and are written well enough by both exporters.
NO_GAP: Dict[str, Callable[[Tensor], Tensor]] = {
    "unfold": lambda x: functional.unfold(x, 3, padding=1, stride=2),
    "pixel_shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: functional.pixel_unshuffle(x, 2),
    "roll": lambda x: torch.roll(x, (2, -1), (2, 3)),
    "repeat_interleave": lambda x: torch.repeat_interleave(x, 2, dim=1),
    "chunk": lambda x: torch.cat(torch.chunk(x, 2, 1)[::-1], 1),
    "atan2": lambda x: torch.atan2(x, x.roll(1, 2)),
    "cross": lambda x: torch.linalg.cross(x[:, :3], x[:, 1:], dim=1),
    "cumsum": lambda x: torch.cumsum(x, 2),
    "logsumexp": lambda x: torch.logsumexp(x, (2, 3)),
    "norm": lambda x: torch.linalg.norm(x, dim=1),
    "det": lambda x: torch.linalg.det(x[..., :4, :4]),
}


@both
def test_operators_without_a_gap(frontend: str) -> None:
    written = assert_written(
        frontend,
        lambda image: tuple(function(image) for function in NO_GAP.values()),
        draw(1, 4, 8, 8),
    )
    assert not {"ScatterND", "NonZero", "Loop", "If"} & set(written)
