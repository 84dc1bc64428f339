"""AveragePool with dilations, LpPool with dilations and ceil_mode."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from expansion_graphs import draw, off_the_cores, refusal  # noqa: E402
from hypothesis import assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx_graphs import lowered, one_node, operators  # noqa: E402

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def windows(draw_one: st.DrawFn) -> dict:
    kernel = draw_one(pairs)
    pads = [draw_one(st.integers(0, kernel[at % 2] - 1)) for at in range(4)]
    return {
        "kernel_shape": kernel,
        "strides": draw_one(pairs),
        "dilations": draw_one(pairs),
        "ceil_mode": draw_one(st.integers(0, 1)),
        "pads": pads,
    }


@settings(max_examples=60)
@given(window=windows(), with_padding=st.integers(0, 1))
def test_average_pool(window: dict, with_padding: int) -> None:
    feeds = {"x": draw(1, 3, 8, 9)}
    dilated = set(window["dilations"]) != {1}
    assume(dilated or not window["ceil_mode"])  # then it stays AveragePool, nothing to prove here
    model = one_node("AveragePool", feeds, opset=19, count_include_pad=with_padding, **window)
    after = lowered(model, feeds, share=3e-6)
    assert list(operators(after)) == (["Conv", "Mul"] if dilated else ["AveragePool"])
    pads = [item for node in after.graph.node for item in node.attribute if item.name == "pads"]
    assert min(pads[0].ints) >= 0
    assert off_the_cores(after) == []


@settings(max_examples=40)
@given(window=windows(), power=st.integers(1, 4))
def test_lp_pool(window: dict, power: int) -> None:
    feeds = {"x": draw(1, 2, 8, 9)}
    model = one_node("LpPool", feeds, opset=18, p=power, **window)
    after = lowered(model, feeds, share=1e-5)
    plain = set(window["dilations"]) == {1} and not window["ceil_mode"]
    assert list(operators(after)) == (["LpPool"] if plain else ["Abs", "Pow", "Conv", "Pow"])


@pytest.mark.parametrize("shape", [(1, 2, 9), (1, 2, 5, 6, 7)])
def test_one_and_three_axes(shape: tuple) -> None:
    feeds, rank = {"x": draw(*shape)}, len(shape) - 2
    window = {"kernel_shape": [2] * rank, "dilations": [2] * rank}
    lowered(one_node("AveragePool", feeds, opset=19, **window), feeds, share=3e-6)


def test_a_pool_without_news_stays() -> None:
    feeds = {"x": draw(1, 2, 8, 8)}
    for operator in ("AveragePool", "LpPool"):
        model = one_node(operator, feeds, opset=19, kernel_shape=[2, 2])
        assert list(operators(lowered(model, feeds))) == [operator]


def test_automatic_padding_with_dilations_is_refused() -> None:
    feeds = {"x": draw(1, 2, 8, 8)}
    window = {"kernel_shape": [2, 2], "dilations": [2, 2], "auto_pad": "SAME_UPPER"}
    said = refusal(one_node("AveragePool", feeds, opset=19, **window), feeds)
    assert "AveragePool '/net/AveragePool': it pads by auto_pad" in said
