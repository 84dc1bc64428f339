"""Writing into parts of a tensor, through both front ends: no scatter where a slice will do."""

from __future__ import annotations

from typing import Dict, Tuple

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from frontend_checks import assert_written  # noqa: E402
from torch import Tensor  # noqa: E402

from atlas_hpe_export.frontends import FRONTENDS  # noqa: E402

both = pytest.mark.parametrize("frontend", FRONTENDS)
only_torch_export = pytest.mark.parametrize("frontend", ["torch-export"])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def update(image: Tensor, name: str) -> Tensor:
    value = image * 1.0
    if name == "range":
        value[:, 1:3] = image[:, :2]
    elif name == "start":
        value[:, :2] += image[:, 2:]
    elif name == "end":
        value[..., -3:] *= 2.0
    elif name == "step":
        value[:, :, 1::2] = image[:, :, ::2]
    elif name == "all":
        value[:, :, :] = image[:, :, :] * 2.0
    elif name == "one":
        value[:, -1] = 0.5
    elif name == "one in place":
        value[:, 2] -= image[:, 0]
    elif name == "corner":
        value[:, 1:3, 2:5, ::3] = 7.0
    elif name == "twice":
        value[:, 0] *= 3.0
        value[:, 1] *= 3.0
    elif name == "scatter":
        value = torch.slice_scatter(value, image[:, :1] * 2.0, 1, 2, 3)
    return value


@only_torch_export
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("range", {"Slice": 3, "Concat": 1}),
        ("start", {"Slice": 3, "Concat": 1, "Add": 1}),
        ("end", {"Slice": 2, "Concat": 1, "Mul": 1}),
        ("step", {"Slice": 1, "Concat": 1, "Gather": 1}),
        ("all", {"Mul": 1, "Slice": 3}),
        ("one", {"Slice": 1, "Concat": 1, "Unsqueeze": 1}),
        ("one in place", {"Gather": 2, "Sub": 1, "Unsqueeze": 1, "Slice": 2, "Concat": 1}),
        ("corner", {"Slice": 6, "Concat": 3, "Gather": 1, "Expand": 1}),
        ("twice", {"Gather": 2, "Mul": 2, "Unsqueeze": 2, "Slice": 3, "Concat": 2}),
        ("scatter", {"Slice": 3, "Mul": 1, "Concat": 1}),
    ],
)
def test_updates_in_place_need_no_scatter(frontend: str, name: str, most: Dict[str, int]) -> None:
    written = assert_written(frontend, lambda image: update(image, name), draw(1, 4, 8, 9))
    written.pop("Identity", None)  # an output that has a name already
    assert set(written) <= set(most), written
    assert all(count <= most[kind] for kind, count in written.items()), written


@both
def test_scatters_that_are_written_as_such(frontend: str) -> None:
    def scatter(image: Tensor) -> Tuple[Tensor, ...]:
        part, line = image[:, :1] * 2.0, image[:, 0] * 3.0
        return (
            torch.slice_scatter(image, part, 1, 2, 3),
            torch.slice_scatter(image, part, dim=1, start=-1),
            torch.slice_scatter(image, image[:, :2] * 2.0, dim=1, step=2),
            torch.slice_scatter(image, part[:, :0], dim=1, start=2, end=1),
            torch.select_scatter(image, line, 1, -2),
            torch.select_scatter(image, image[:, 1], 1, 2),
        )

    assert_written(frontend, scatter, draw(1, 4, 3, 4))


def test_a_part_that_is_the_whole_takes_its_place() -> None:
    written = assert_written(
        "torch-export", lambda image: torch.slice_scatter(image, image * 2, 1), draw(1, 4, 4)
    )
    assert written == {"Mul": 1, "Identity": 1}  # the output has a name already


def test_what_stands_elsewhere_is_not_taken_for_what_is_there() -> None:
    """Each part has the shape of the place, and is read from another one."""

    def move(image: Tensor) -> Tuple[Tensor, ...]:
        return (
            torch.slice_scatter(image, image[:, 2:4], 1, 0, 2),
            torch.slice_scatter(image * 2, image[:, 0:2], 1, 0, 2),
            torch.slice_scatter(image, image[:, 0:4:2], 1, 0, 2),
            torch.select_scatter(image, image[:, 1], 1, 2),
            torch.select_scatter(image, image[:, :, 2], 1, 2),
        )

    assert_written("torch-export", move, draw(1, 4, 4))
