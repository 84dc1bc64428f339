"""The guard tells where the values of a changed graph depart from before."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import make_model, one_node  # noqa: E402

from atlas_hpe.errors import ModelFileError  # noqa: E402
from atlas_hpe_export.graph import Guard, as_ir  # noqa: E402

NAN, INF = np.nan, np.inf


def said(before: np.ndarray, after: np.ndarray, share: float = 1e-5) -> Optional[str]:
    """What the guard says when a graph that gave ``before`` gives ``after``."""
    feeds = {"x": np.zeros((), before.dtype)}

    def constant(array: np.ndarray) -> onnx.ModelProto:
        node = helper.make_node("Identity", ["c"], ["y"])
        return make_model([node], feeds, ["y"], opset=13, constants={"c": array})

    return Guard(constant(before), [feeds]).find_change(as_ir(constant(after)), share)


def floats(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (floats(1, 2), floats(1, 2)),
        (floats(1, 200), floats(1.001, 200)),  # a share of the largest
        (floats(0.001, 0), floats(0.001009, 0)),  # or of one
        (floats(1, NAN), floats(1, NAN)),
        (floats(-INF, INF), floats(-INF, INF)),
        (floats(NAN), floats(NAN)),
        (floats(), floats()),
        (np.array([1, 2]), np.array([1, 2])),
        (np.array([1000], np.float16), np.array([1003], np.float16)),
    ],
)
def test_what_is_the_same(before: np.ndarray, after: np.ndarray) -> None:
    assert said(before, after) is None


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (floats(1, 2), floats(1, 2.5), "output 'y' moved by up to 0.5, 2e-05 is allowed"),
        (floats(1, 2), floats(1, NAN), "is infinite or not a number at other places"),
        (floats(1, 2), floats(1, INF), "is infinite or not a number at other places"),
        (floats(1, NAN), floats(1, 2), "is infinite or not a number at other places"),
        (floats(INF), floats(-INF), "is infinite or not a number at other places"),
        (floats(NAN), floats(0), "is infinite or not a number at other places"),
        (np.array([1, 2]), np.array([1, 3]), "has 1 other values"),
        (np.array([True]), np.array([False]), "has 1 other values"),
        (floats(1, 2), floats(1, 2, 3), "is not what it was"),
        (floats(1), np.ones(1), "is not what it was"),
        (np.array([1000], np.float16), np.array([1020], np.float16), "moved by up to 20"),
    ],
)
def test_what_has_changed_is_said(before: np.ndarray, after: np.ndarray, words: str) -> None:
    assert words in str(said(before, after))


def test_every_feed_counts() -> None:
    feeds = [{"x": floats(1)}, {"x": floats(-1)}]
    guard = Guard(one_node("Relu", feeds[0], opset=13), feeds)
    assert "moved" in str(guard.find_change(as_ir(one_node("Abs", feeds[0], opset=13)), 1e-5))


def test_an_output_that_is_gone_is_a_change() -> None:
    feeds = {"x": floats(1)}
    guard = Guard(one_node("Relu", feeds, opset=13), [feeds])
    other = one_node("Relu", feeds, opset=13, outputs=["z"])
    assert guard.find_change(as_ir(other), 1e-5) == "output 'y' is not what it was"


def test_a_graph_that_does_not_run_any_more_is_a_change() -> None:
    feeds = {"x": floats(1)}
    guard = Guard(one_node("Relu", feeds, opset=13), [feeds])
    broken = as_ir(one_node("Cast", feeds, opset=13, to=TensorProto.FLOAT))
    del broken.graph[0].attributes["to"]
    assert "the changed graph does not run: " in str(guard.find_change(broken, 1e-5))


def test_a_graph_that_never_ran_is_an_error() -> None:
    feeds = {"x": floats(1)}
    model = one_node("Relu", feeds, opset=13)
    model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(ModelFileError):
        Guard(model, [feeds])
