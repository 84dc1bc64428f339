"""What ONNX's own schemas say about a node one opset below."""

from __future__ import annotations

from typing import Optional

import pytest

ir = pytest.importorskip("onnx_ir")
pytest.importorskip("onnx")

from atlas_hpe_export.lowering.older_form import (  # noqa: E402
    find_idle_attributes,
    find_news,
    is_changed,
)


def value(kind: Optional[str], name: str = "v") -> ir.Value:
    tensor = None if kind is None else ir.TensorType(ir.DataType[kind])
    return ir.Value(name=name, shape=ir.Shape([2]), type=tensor)


def node(
    op_type: str, *kinds: Optional[str], out: Optional[str] = None, **attributes: object
) -> ir.Node:
    inputs = [value(kind, f"i{index}") for index, kind in enumerate(kinds)]
    return ir.node(op_type, inputs, attributes, outputs=[value(out, "y")])


def test_operators_that_changed_with_an_opset() -> None:
    assert is_changed("Softmax", 13)
    assert not is_changed("Softmax", 12)
    assert not is_changed("Softmax", 14)
    assert is_changed("NoSuchOperator", 13)


@pytest.mark.parametrize(
    ("found", "version", "words"),
    [
        (node("Mish", "FLOAT"), 17, "there is no Mish at opset 17"),
        (node("Upsample", "FLOAT", "FLOAT"), 11, "there is no Upsample at opset 11"),
        (node("RNN", *["FLOAT"] * 3, layout=1), 13, "its attribute layout came after opset 13"),
        (node("Pad", *["FLOAT", "INT64", "FLOAT", "INT64"]), 17, "more inputs or outputs"),
        (node("Relu", "BFLOAT16", out="BFLOAT16"), 12, "it has no bfloat16 at opset 12"),
        (node("Cast", "FLOAT", out="FLOAT8E4M3FN", to=17), 18, "no float8e4m3fn at opset 18"),
        (node("Max", "INT64", "INT64", out="INT64"), 11, "it has no int64 at opset 11"),
        (node("Pow", "FLOAT", "INT64", out="FLOAT"), 11, "it has no int64 at opset 11"),
        (
            node("Add", "FLOAT", "DOUBLE", out="FLOAT"),
            13,
            "it takes one element type at opset 13, not double with float",
        ),
    ],
)
def test_what_is_new(found: ir.Node, version: int, words: str) -> None:
    assert words in str(find_news(found, version))


@pytest.mark.parametrize(
    ("found", "version"),
    [
        (node("Relu", "FLOAT", out="FLOAT"), 12),
        (node("Relu", None), 12),
        (node("Where", "BOOL", "INT64", "INT64", out="INT64"), 11),
        (node("Concat", "FLOAT16", "FLOAT16", out="FLOAT16", axis=0), 11),
        (node("Gather", "FLOAT", "INT32", out="FLOAT", axis=0), 11),
        (node("RNN", *["FLOAT"] * 3, hidden_size=3), 13),
    ],
)
def test_what_was_there_before(found: ir.Node, version: int) -> None:
    assert find_news(found, version) is None


def test_inputs_that_are_left_out_at_the_end_do_not_count() -> None:
    inputs = [value("FLOAT", "x"), value("INT64", "pads"), None, None]
    assert find_news(ir.node("Pad", inputs, outputs=[value("FLOAT", "y")]), 17) is None


def test_several_element_types_where_the_operator_takes_them() -> None:
    outputs = [value("FLOAT", "a"), value("INT64", "b")]
    assert find_news(ir.node("If", [value("BOOL")], outputs=outputs), 12) is None


def test_types_that_are_no_tensors() -> None:
    sequence = ir.Value(name="s", type=ir.SequenceType(ir.TensorType(ir.DataType.FLOAT)))
    branch = ir.node("If", [value("BOOL")], outputs=[sequence])
    assert find_news(branch, 13) is None
    assert find_news(branch, 12) == "it has no seq(tensor(float)) at opset 12"


def test_new_attributes_that_hold_their_defaults_are_idle() -> None:
    found = node("Reshape", "FLOAT", "INT64", allowzero=0)
    assert find_idle_attributes(found, 13) == ["allowzero"]
    assert find_news(found, 13, ignored=["allowzero"]) is None
    assert find_idle_attributes(node("Reshape", "FLOAT", "INT64", allowzero=1), 13) == []
    assert find_idle_attributes(found, 14) == [], "it is known there"
    scatter = node("ScatterND", "FLOAT", "INT64", "FLOAT", reduction="none")
    assert find_idle_attributes(scatter, 15) == ["reduction"]


def test_dilations_of_one_are_idle() -> None:
    attributes = {"kernel_shape": [3, 3]}
    assert find_idle_attributes(node("AveragePool", "FLOAT", dilations=[1, 1], **attributes), 18)
    assert not find_idle_attributes(
        node("AveragePool", "FLOAT", dilations=[1, 2], **attributes), 18
    )


def test_an_attribute_without_a_default_is_never_idle() -> None:
    assert find_idle_attributes(node("Shape", "FLOAT", end=0), 14) == []
    assert find_idle_attributes(node("Split", "FLOAT", num_outputs=1), 17) == []
