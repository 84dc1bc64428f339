"""Simplifying: under watch, without noise, and nothing of it left in the file."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxsim = pytest.importorskip("onnxsim")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402

from atlas_hpe_export.graph import Guard  # noqa: E402
from atlas_hpe_export.simplify import simplify  # noqa: E402


def shape_soup() -> Tuple[onnx.ModelProto, Guard]:
    """Reshape(x, Shape(x)) + 1, with notes on its input, as exporters leave them."""
    image = helper.make_tensor_value_info("x", 1, [2, 3])
    image.doc_string = "a note"
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Reshape", ["x", "shape"], ["same"]),
        helper.make_node("Add", ["same", "one"], ["y"]),
    ]
    one = onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")
    output = helper.make_tensor_value_info("y", 1, [2, 3])
    graph = helper.make_graph(nodes, "soup", [image], [output], [one])
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return model, Guard(model, [{"x": np.arange(6, dtype=np.float32).reshape(2, 3)}])


def test_what_is_constant_is_folded_and_no_log_is_left() -> None:
    model, guard = shape_soup()
    simpler, step = simplify(model, guard)
    assert step.status == "applied"
    assert "Shape" not in {node.op_type for node in simpler.graph.node}
    assert len(simpler.metadata_props) == 0
    assert len(model.graph.node) == 3


def test_a_simplifier_that_changes_a_value_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    model, guard = shape_soup()

    def wrong(changed: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
        changed.graph.initializer[0].CopyFrom(
            onnx.numpy_helper.from_array(np.full(1, 2, np.float32), "one")
        )
        return changed, True

    monkeypatch.setattr(onnxsim, "simplify", wrong)
    same, step = simplify(model, guard)
    assert step.status == "reverted"
    assert "moved by up to 1" in step.reason
    assert same is model


def test_a_simplifier_that_renames_an_output_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    model, guard = shape_soup()

    def renamed(changed: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
        changed.graph.node[2].output[0] = changed.graph.output[0].name = "z"
        return changed, True

    monkeypatch.setattr(onnxsim, "simplify", renamed)
    assert simplify(model, guard)[1].reason == "the graph's outputs are not what they were"


def test_a_simplifier_that_fails_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("no such node\nand more")

    monkeypatch.setattr(onnxsim, "simplify", fail)
    model, guard = shape_soup()
    same, step = simplify(model, guard)
    assert (same, step.status, step.reason) == (
        model,
        "skipped",
        "onnxsim failed: no such node",
    )


def test_native_notes_stay_off_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import os

    def noisy(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
        os.write(2, b"WARNING: from native code\n")
        return model, True

    monkeypatch.setattr(onnxsim, "simplify", noisy)
    simplify(*shape_soup())
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
