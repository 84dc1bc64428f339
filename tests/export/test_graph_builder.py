"""New nodes: their names, their shapes, and the constants that they use."""

from __future__ import annotations

import numpy as np
import pytest

ir = pytest.importorskip("onnx_ir")
pytest.importorskip("onnx")

from atlas_hpe_export.graph import GraphBuilder, constant_of, dtype_of, shape_of  # noqa: E402


def value(name: str, *shape: int, dtype: int = ir.DataType.FLOAT) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))


def builder(
    op_type: str = "LayerNorm", name: str = "/up1/LayerNorm", opset: int = 13
) -> GraphBuilder:
    outputs = [ir.Value(name="y")]
    return GraphBuilder(ir.node(op_type, [value("x", 2, 3)], outputs=outputs, name=name), opset)


def test_new_nodes_are_named_after_the_old_one() -> None:
    build = builder()
    x = build.node.inputs[0]
    for op_type in ("ReduceMean", "Sqrt", "ReduceMean"):
        build.op(op_type, x)
    assert [node.name for node in build.nodes] == [
        "/up1/LayerNorm/ReduceMean",
        "/up1/LayerNorm/Sqrt",
        "/up1/LayerNorm/ReduceMean_1",
    ]


def test_a_node_of_the_same_operator_keeps_the_name() -> None:
    build = builder("Softmax", "/attention/Softmax")
    for op_type in ("Transpose", "Softmax", "Softmax"):
        build.op(op_type, build.node.inputs[0])
    assert [node.name for node in build.nodes] == [
        "/attention/Softmax/Transpose",
        "/attention/Softmax",
        "/attention/Softmax/Softmax",
    ]


def test_a_node_without_a_name_is_called_by_its_output() -> None:
    assert builder("Gelu", "").op("Erf", value("x", 1)).producer().name == "Gelu_y/Erf"


def test_a_name_that_is_taken_gets_a_number() -> None:
    node = ir.node("Gelu", [value("x", 1)], outputs=[ir.Value(name="y")], name="Gelu")
    taken = {"Gelu/Erf", "Gelu/Erf_1", "Gelu/constant"}
    build = GraphBuilder(node, 13, taken)
    assert build.op("Erf", node.inputs[0]).producer().name == "Gelu/Erf_2"
    assert build.constant(np.zeros(1)).name == "Gelu/constant_1"
    assert {"Gelu/Erf_2", "Gelu/constant_1"} <= taken


def test_shapes_and_types_are_inferred_as_nodes_are_made() -> None:
    build = builder()
    turned = build.op("Transpose", build.node.inputs[0], attributes={"perm": [1, 0]})
    assert (shape_of(turned), dtype_of(turned)) == ((3, 2), np.float32)
    split = build.ops("Split", turned, build.ints(1, 2), outputs=2, attributes={"axis": 0})
    assert [shape_of(part) for part in split] == [(1, 2), (2, 2)]
    flat = build.op("Reshape", turned, build.ints(-1))
    assert shape_of(flat) == (6,)


def test_what_inference_does_not_know_stays_open() -> None:
    build = builder()
    unknown = build.op("Relu", ir.Value(name="z"))
    assert (shape_of(unknown), dtype_of(unknown)) == (None, None)
    other = build.op("Inverse", build.node.inputs[0], domain="com.microsoft")
    assert (other.producer().domain, shape_of(other)) == ("com.microsoft", None)
    later = build.op("Gelu", build.node.inputs[0])  # not at opset 13
    assert shape_of(later) is None


def test_an_input_that_is_left_out_stays_left_out() -> None:
    build = builder(opset=11)
    clipped = build.op("Clip", build.node.inputs[0], None, build.like(build.node.inputs[0], 6))
    assert list(clipped.producer().inputs)[1] is None
    assert shape_of(clipped) == (2, 3)


@pytest.mark.parametrize("array", [np.array(3.5, np.float16), np.zeros((0,), np.float32)])
def test_constants_keep_their_shape_and_type(array: np.ndarray) -> None:
    found = builder().constant(array)
    assert (shape_of(found), dtype_of(found)) == (array.shape, array.dtype)
    np.testing.assert_array_equal(constant_of(found), array)


def test_a_constant_that_is_not_contiguous_is_stored_in_order() -> None:
    found = constant_of(builder().constant(np.arange(6).reshape(2, 3).T))
    np.testing.assert_array_equal(found, [[0, 3], [1, 4], [2, 5]])


def test_a_number_like_a_value_has_its_type() -> None:
    build = builder()
    half = constant_of(build.like(value("h", 2, dtype=ir.DataType.FLOAT16), 0.1))
    assert (half.dtype, half.shape) == (np.float16, ())
    with pytest.raises(ValueError, match="element type of 'z'"):
        build.like(ir.Value(name="z"), 1)
