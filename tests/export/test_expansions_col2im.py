"""Col2Im as a transposed convolution, or as a transpose where blocks tile the picture."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from expansion_graphs import draw, off_the_cores, refusal  # noqa: E402
from hypothesis import assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx_graphs import lowered, one_node, operators  # noqa: E402

from atlas_hpe_export.runners import run_model  # noqa: E402


def fold_model(
    columns: np.ndarray, picture: tuple, block: tuple, **attributes: object
) -> onnx.ModelProto:
    sizes = {"picture": np.array(picture, np.int64), "block": np.array(block, np.int64)}
    return one_node("Col2Im", {"x": columns}, opset=18, constants=sizes, **attributes)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=60)
@given(
    batch=st.integers(1, 2),
    channels=st.integers(1, 3),
    picture=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    block=pairs,
    strides=pairs,
    dilations=pairs,
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_sums_are_exact(
    batch: int,
    channels: int,
    picture: tuple,
    block: tuple,
    strides: tuple,
    dilations: tuple,
    pads: tuple,
) -> None:
    room = [picture[at] + 2 * pads[at] - dilations[at] * (block[at] - 1) - 1 for at in (0, 1)]
    assume(min(room) >= 0)
    blocks = int(np.prod([room[at] // strides[at] + 1 for at in (0, 1)]))
    columns = draw(batch, channels * block[0] * block[1], blocks)
    columns = np.round(columns * 64) / 64  # sums of these do not depend on their order
    spacing = {"strides": strides, "dilations": dilations, "pads": [*pads, *pads]}
    after = lowered(fold_model(columns, picture, block, **spacing), {"x": columns}, share=0)
    want = torch.nn.functional.fold(
        torch.from_numpy(columns), picture, block, dilations, pads, strides
    )
    np.testing.assert_array_equal(run_model(after, [{"x": columns}])[0]["y"], want)
    assert off_the_cores(after) == []


def test_patches_side_by_side_are_only_moved() -> None:
    columns = draw(2, 3 * 2 * 4, 3 * 2)
    model = fold_model(columns, (6, 8), (2, 4), strides=(2, 4))
    after = lowered(model, {"x": columns}, share=0)
    assert list(operators(after)) == ["Reshape", "Transpose", "Reshape"]


@pytest.mark.parametrize(
    "changed",
    [{"pads": [0, 0, 0, 1]}, {"dilations": [1, 2]}, {"strides": (2, 3)}, {"picture": (6, 9)}],
)
def test_anything_else_is_summed(changed: dict) -> None:
    what = {"picture": (6, 8), "strides": (2, 4), "dilations": [1, 1], "pads": [0, 0, 0, 0]}
    what.update(changed)
    picture = what.pop("picture")
    pads, dilations, strides = what["pads"], what["dilations"], what["strides"]
    room = [
        picture[at] + pads[at] + pads[at + 2] - dilations[at] * (2, 4)[at] + dilations[at] - 1
        for at in (0, 1)
    ]
    blocks = int(np.prod([room[at] // strides[at] + 1 for at in (0, 1)]))
    columns = draw(1, 3 * 2 * 4, blocks)
    after = lowered(fold_model(columns, picture, (2, 4), **what), {"x": columns}, share=1e-6)
    assert list(operators(after)) == ["Reshape", "ConvTranspose", "Reshape"]


def test_sizes_from_the_graph_are_refused() -> None:
    sizes = {"picture": np.array([4, 4]), "block": np.array([2, 2])}
    feeds = {"x": draw(1, 4, 9), **sizes}
    assert "computed by the graph" in refusal(one_node("Col2Im", feeds, opset=18), feeds)


def test_four_axes_are_refused() -> None:
    columns = draw(1, 2, 1)
    model = fold_model(columns, (1, 1, 1, 2), (1, 1, 1, 2))
    assert "at most 3" in refusal(model, {"x": columns})
