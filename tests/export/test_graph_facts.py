"""Facts about values and nodes, and the way from a file to the edited graph and back."""

from __future__ import annotations

import numpy as np
import pytest

ir = pytest.importorskip("onnx_ir")
onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_graphs import make_model, one_node  # noqa: E402

from atlas_hpe.errors import ModelFileError  # noqa: E402
from atlas_hpe_export.graph import (  # noqa: E402
    as_ir,
    as_proto,
    attribute_of,
    constant_of,
    describe_node,
    dtype_of,
    infer_shapes,
    shape_of,
    tidy,
)

X = np.ones((2, 3), np.float32)


def named(model: ir.Model, name: str) -> ir.Value:
    return ir.convenience.create_value_mapping(model.graph)[name]


def test_shapes_are_static_or_not_known() -> None:
    sizes = ["batch", 3]
    assert shape_of(ir.Value(name="a", shape=ir.Shape(sizes))) is None
    assert shape_of(ir.Value(name="a")) is None
    assert shape_of(None) is None
    assert shape_of(ir.Value(name="a", shape=ir.Shape([]))) == ()
    assert shape_of(ir.Value(name="a", shape=ir.Shape([2, 0]))) == (2, 0)


def test_element_types_are_numpys() -> None:
    half = ir.Value(name="a", type=ir.TensorType(ir.DataType.FLOAT16))
    assert dtype_of(half) == np.float16
    assert dtype_of(ir.Value(name="a", type=ir.TensorType(ir.DataType.UNDEFINED))) is None
    assert dtype_of(ir.Value(name="a")) is None
    assert dtype_of(None) is None


def test_constants_are_found_behind_identity_and_cast() -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array([2, 3]))),
        helper.make_node("Identity", ["c"], ["same"]),
        helper.make_node("Cast", ["same"], ["cast"], to=TensorProto.INT32),
        helper.make_node("Identity", ["x"], ["y"]),
    ]
    model = make_model(nodes, {"x": X}, ["y", "cast"], opset=13, constants={"w": X})
    before = model.SerializeToString()
    edited = as_ir(model)
    for name, dtype in (("c", np.int64), ("same", np.int64), ("cast", np.int32)):
        array = constant_of(named(edited, name))
        assert (array.tolist(), array.dtype) == ([2, 3], dtype)
    np.testing.assert_array_equal(constant_of(named(edited, "w")), X)
    assert constant_of(named(edited, "x")) is None
    assert constant_of(named(edited, "y")) is None
    assert constant_of(None) is None
    assert model.SerializeToString() == before, "the model given was changed"


def test_an_input_with_a_default_is_no_constant() -> None:
    model = one_node("Relu", {"x": X}, opset=13)
    model.graph.initializer.append(numpy_helper.from_array(X, "x"))
    assert constant_of(as_ir(model).graph.inputs[0]) is None


def test_a_sparse_constant_is_an_error_that_says_so() -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "values")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    sparse = helper.make_sparse_tensor(values, indices, [3])
    node = helper.make_node("Constant", [], ["c"], sparse_value=sparse)
    model = make_model([node], {}, ["c"], opset=13)
    with pytest.raises(ModelFileError, match="can't be edited") as caught:
        as_ir(model)
    assert "sparse" in str(caught.value.why).lower()


def test_attributes_come_as_plain_values() -> None:
    attributes = {"perm": [1, 0], "mode": "edge", "alpha": 0.5}
    node = ir.node("Any", [], attributes)
    assert attribute_of(node, "perm", [0]) == [1, 0]
    assert isinstance(attribute_of(node, "perm", [0]), list)
    assert attribute_of(node, "mode", "constant") == "edge"
    assert attribute_of(node, "alpha", 1.0) == 0.5
    assert attribute_of(node, "beta", 2.0) == 2.0


def test_a_node_is_described_by_its_name_or_its_output() -> None:
    assert describe_node(ir.node("Relu", [], name="/up1/Relu")) == "Relu '/up1/Relu'"
    assert describe_node(ir.node("Relu", [], outputs=[ir.Value(name="y")])) == "Relu 'y'"
    assert describe_node(ir.node("Relu", [], outputs=[ir.Value(name="")])) == "Relu '?'"


def test_functions_of_a_model_are_inlined() -> None:
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    function = helper.make_function(
        "own", "ReluNeg", ["a"], ["c"], body, [helper.make_opsetid("", 18)]
    )
    node = helper.make_node("ReluNeg", ["x"], ["y"], domain="own", name="/act/ReluNeg")
    model = make_model([node], {"x": X}, ["y"], opset=18, domains=[("own", 1)])
    model.functions.append(function)
    before = model.SerializeToString()
    edited = as_ir(model)
    assert [item.op_type for item in edited.graph] == ["Relu", "Neg"]
    assert not edited.functions
    assert model.SerializeToString() == before, "the model given was changed"


def test_the_default_domain_has_one_name() -> None:
    model = one_node("Relu", {"x": X}, opset=13)
    model.opset_import[0].domain = "ai.onnx"
    model.graph.node[0].domain = "ai.onnx"
    edited = as_ir(model)
    assert dict(edited.graph.opset_imports) == {"": 13}
    assert [item.domain for item in as_proto(edited).graph.node] == [""]


def test_shapes_are_filled_in_and_what_is_unused_goes() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["unused"])]
    model = make_model(
        nodes, {"x": X}, ["y"], opset=13, constants={"w": X}, domains=[("com.microsoft", 1)]
    )
    del model.graph.value_info[:]
    edited = as_ir(model)
    infer_shapes(edited)
    assert shape_of(named(edited, "unused")) == (2, 3)
    tidy(edited)
    assert [node.op_type for node in edited.graph] == ["Relu"]
    assert not edited.graph.initializers
    assert dict(edited.graph.opset_imports) == {"": 13}
