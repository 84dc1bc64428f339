"""Changes under watch: undone when a value moves, an error when the board would differ."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Callable, Tuple

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from test_passes import modes, resize_model  # noqa: E402
from toy_networks import TOY_SPEC, example, toy_heatmaps  # noqa: E402

from atlas_hpe.errors import CheckFailedError  # noqa: E402
from atlas_hpe_export.feeds import make_feeds  # noqa: E402
from atlas_hpe_export.frontend import trace_to_onnx  # noqa: E402
from atlas_hpe_export.passes import PASSES, RewritePass, resize_half_pixel  # noqa: E402
from atlas_hpe_export.rewrite import rewrite_graph, simplify_graph  # noqa: E402

FEEDS = make_feeds(TOY_SPEC.inputs, 2)


@pytest.fixture(scope="module")
def toy_model() -> onnx.ModelProto:
    names = {"input_names": ["image"], "output_names": ["heatmaps"]}
    return trace_to_onnx(toy_heatmaps(), [example()], opset=11, **names).model


def test_the_toy_graph_is_made_fit(toy_model: onnx.ModelProto) -> None:
    assert modes(toy_model) == [b"half_pixel"]
    model, steps = rewrite_graph(toy_model, PASSES, FEEDS)
    assert modes(model) == [b"pytorch_half_pixel"]
    assert modes(toy_model) == [b"half_pixel"], "the model given was changed"
    assert [(step.name, step.status, step.count) for step in steps] == [
        ("static_opset", "not needed", 0),
        ("drop_identity", "not needed", 0),
        ("resize_half_pixel", "applied", 1),
    ]


def asymmetric(model: onnx.ModelProto) -> int:
    for node in model.graph.node:
        for item in node.attribute:
            if item.name == "coordinate_transformation_mode":
                item.s = b"asymmetric"
    return 1


def broken(model: onnx.ModelProto) -> int:
    del model.graph.node[-1]
    return 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [(asymmetric, "output 'heatmaps' moved by up to"), (broken, "does not run")],
)
def test_a_rewrite_that_moves_a_value_is_undone_and_reported(
    toy_model: onnx.ModelProto, change: Callable[[onnx.ModelProto], int], reason: str
) -> None:
    wrong: RewritePass = replace(resize_half_pixel.PASS, apply=change, required=False)
    model, steps = rewrite_graph(toy_model, [wrong], FEEDS)
    assert model.SerializeToString() == toy_model.SerializeToString()
    assert steps[0].status == "reverted"
    assert reason in steps[0].reason


def test_what_the_board_needs_and_can_not_get_is_an_error(toy_model: onnx.ModelProto) -> None:
    wrong = replace(resize_half_pixel.PASS, apply=asymmetric)
    with pytest.raises(CheckFailedError, match="moved by up to") as caught:
        rewrite_graph(toy_model, [wrong], FEEDS)
    assert "Resize" in str(caught.value.where)


def test_a_resize_to_one_pixel_is_an_error_that_names_it() -> None:
    model = resize_model(4, 1)
    feeds = make_feeds([replace(TOY_SPEC.inputs[0], name="x", shape=(1, 2, 4, 4))], 1)
    with pytest.raises(CheckFailedError, match="to one pixel"):
        rewrite_graph(model, PASSES, feeds)


def test_simplifying_keeps_names_shapes_and_values(toy_model: onnx.ModelProto) -> None:
    pytest.importorskip("onnxsim")
    model, step = simplify_graph(toy_model, FEEDS)
    assert step.status in ("applied", "not needed")
    assert list(model.graph.input) == list(toy_model.graph.input)
    assert list(model.graph.output) == list(toy_model.graph.output)


def simplifier(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    asymmetric(model)
    return model, True


def renamer(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    model.graph.output[0].name = "other"
    model.graph.node[-1].output[0] = "other"
    return model, True


def opset_changer(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    model.opset_import[0].version = 13
    return model, True


def failing(model: onnx.ModelProto, **_options: object) -> Tuple[onnx.ModelProto, bool]:
    raise RuntimeError("no shape for node 7\nand more")


@pytest.mark.parametrize(
    ("simplify", "status", "reason"),
    [
        (simplifier, "reverted", "moved by up to"),
        (renamer, "reverted", "outputs are not what they were"),
        (opset_changer, "reverted", "the opset became"),
        (failing, "skipped", "onnxsim failed: no shape for node 7"),
    ],
)
def test_a_simplifier_that_misbehaves_changes_nothing(
    toy_model: onnx.ModelProto,
    monkeypatch: pytest.MonkeyPatch,
    simplify: Callable[..., Tuple[onnx.ModelProto, bool]],
    status: str,
    reason: str,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxsim", SimpleNamespace(simplify=simplify))
    before = toy_model.SerializeToString()
    model, step = simplify_graph(toy_model, FEEDS)
    assert model.SerializeToString() == before
    assert (step.name, step.status) == ("simplify", status)
    assert reason in step.reason


def test_a_missing_simplifier_is_a_step_skipped(
    toy_model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxsim", None)
    model, step = simplify_graph(toy_model, FEEDS)
    assert model is toy_model
    assert step.status == "skipped"
