"""Adapters about element types and values against ONNX Runtime."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

pytest.importorskip("onnx_ir")
pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import RNG, draw, ints, lowered, make_model, one_node, operators, refused  # noqa: E402

from atlas_hpe_export.graph import Guard, as_ir  # noqa: E402
from atlas_hpe_export.lowering import LADDER, lower  # noqa: E402

SMALL = ["int8", "uint8", "int16", "uint16"]
INTEGERS = [*SMALL, "int32", "int64"]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float32"])
@pytest.mark.parametrize("name", ["ReduceMax", "ReduceMin"])
def test_extremes_of_all_element_types(name: str, dtype: str) -> None:
    feeds = {"x": draw(3, 4, dtype=dtype)}
    lowered(one_node(name, feeds, constants={"axes": ints(1)}, opset=20), feeds)


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float64"])
def test_pad_of_all_element_types(dtype: str) -> None:
    feeds = {"x": draw(2, 3, dtype=dtype)}
    constants = {"pads": ints(1, 0, 0, 2), "number": np.array(1, dtype)}
    lowered(one_node("Pad", feeds, opset=13, constants=constants), feeds)


@pytest.mark.parametrize(("low", "high"), [(-3, 4), (None, 4), (-3, None), (None, None), (5, 2)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float32"])
def test_clip(dtype: str, low: Optional[int], high: Optional[int]) -> None:
    feeds = {"x": draw(4, 5, dtype=dtype)}
    bounds = {"low": low, "high": high}
    present = {name: number for name, number in bounds.items() if number is not None}
    if dtype == "uint8" and low == -3:
        present["low"] = 2
    constants = {name: np.array(number, dtype) for name, number in present.items()}
    order = ["x", *[name if name in constants else "" for name in bounds]]
    model = one_node("Clip", feeds, opset=13, constants=constants, order=order)
    lowered(model, feeds)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "float32"])
@pytest.mark.parametrize("name", ["Max", "Min"])
def test_extremes_of_several_tensors(name: str, dtype: str) -> None:
    for shapes in ([(3, 4)], [(3, 4), (4,)], [(3, 1), (1, 4), (3, 4)]):
        arrays = [draw(*shape, dtype=dtype) for shape in shapes]
        feeds = {f"x{index}": array for index, array in enumerate(arrays)}
        if dtype == "uint32":  # not a type that a session takes or gives
            nodes = [
                helper.make_node("Cast", [key], [f"u{key}"], to=TensorProto.UINT32) for key in feeds
            ]
            nodes.append(helper.make_node(name, [f"u{key}" for key in feeds], ["u"]))
            nodes.append(helper.make_node("Cast", ["u"], ["y"], to=TensorProto.INT64))
            feeds = {key: array.astype(np.int64) for key, array in feeds.items()}
            lowered(make_model(nodes, feeds, ["y"], opset=13), feeds)
        else:
            after = lowered(one_node(name, feeds, opset=13), feeds)
            comparison = {"Max": "Greater", "Min": "Less"}[name]
            if dtype == "float32":
                assert operators(after) == [name]
            elif len(feeds) > 1:
                assert operators(after) == [comparison, "Where"] * (len(feeds) - 1)


@pytest.mark.parametrize("base", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("exponent", ["float32", "float64", "int32", "int64"])
def test_pow_of_two_element_types(base: str, exponent: str) -> None:
    feeds = {"x": np.abs(draw(3, 4, dtype=base)), "e": np.abs(draw(4, dtype=exponent)) % 4}
    after = lowered(one_node("Pow", feeds, opset=15), feeds)
    if base == exponent and base.startswith("float"):
        assert operators(after) == ["Pow"]
        model = one_node("Pow", feeds, opset=15)
        assert lower(as_ir(model), LADDER, 11, Guard(model, [feeds])) == ()


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("name", ["GreaterOrEqual", "LessOrEqual"])
def test_comparisons_with_equality(name: str, dtype: str) -> None:
    one, other = draw(4, 5, dtype=dtype), draw(5, dtype=dtype)
    one[1] = other
    if dtype.startswith("float"):
        one[0, 0] = other[1] = np.nan
    feeds = {"a": one, "b": other}
    lowered(one_node(name, feeds, opset=16), feeds)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Div"])
def test_arithmetic_on_small_integers_overflows_alike(name: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    edge = np.array([limits.min, limits.max, 100, 7, 1], dtype)
    other = np.array([1, 3, 2, 100, limits.max], dtype)
    feeds = {"a": edge, "b": other}
    lowered(one_node(name, feeds, opset=14), feeds)


@pytest.mark.parametrize("dtype", ["int8", "int32", "float32", "float64"])
def test_relu_of_integers(dtype: str) -> None:
    feeds = {"x": draw(3, 4, dtype=dtype)}
    lowered(one_node("Relu", feeds, opset=14), feeds)


@pytest.mark.parametrize("dtype", ["int64", "float16", "bool", "uint8"])
@pytest.mark.parametrize("opset", [15, 19])
def test_cast_like(dtype: str, opset: int) -> None:
    feeds = {"x": np.abs(draw(3, 4)), "like": draw(1, dtype=dtype)}
    assert operators(lowered(one_node("CastLike", feeds, opset=opset), feeds)) == ["Cast"]


@pytest.mark.parametrize(
    "attribute", [{"value_float": 0.5}, {"value_floats": [1.0, 2.0]}, {"value_int": 3}]
)
@pytest.mark.parametrize("opset", [12, 13, 19, 21])
def test_constants_in_short_forms(attribute: dict, opset: int) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], **attribute),
        helper.make_node("Cast", ["c"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    feeds = {"x": draw(2)}
    after = lowered(make_model(nodes, feeds, ["y"], opset=opset), feeds)
    assert "Constant" not in [node.op_type for node in after.graph.node]


def test_text_is_refused() -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], value_string=b"text", name="/c/Constant"),
        helper.make_node("Shape", ["c"], ["y"]),
    ]
    assert "board has no text" in refused(make_model(nodes, {}, ["y"], opset=13))


@pytest.mark.parametrize("name", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("last", [0, 1])
def test_the_first_or_last_of_equal_values(name: str, axis: int, last: int) -> None:
    feeds = {"x": RNG.integers(0, 3, (4, 6)).astype(np.float32)}
    for keepdims in (0, 1):
        attributes = {"axis": axis, "keepdims": keepdims, "select_last_index": last}
        lowered(one_node(name, feeds, opset=13, **attributes), feeds)


@pytest.mark.parametrize("alpha", [1.0, 0.5, 2.0])
def test_celu(alpha: float) -> None:
    feeds = {"x": np.array([-90.0, -2.0, -0.5, 0.0, 0.5, 90.0], np.float32)}
    after = lowered(one_node("Celu", feeds, opset=12, alpha=alpha), feeds)
    assert operators(after) == (["Elu"] if alpha == 1 else ["Div", "Elu", "Mul"])


def test_half_precision_where_the_older_form_has_none() -> None:
    feeds = {"x": np.array([[1, np.inf, -np.inf, 2, 0.5]], np.float16)}
    lowered(one_node("IsInf", feeds, opset=20, detect_negative=0), feeds)
    summed = {"x": draw(2, 5, dtype="float16")}
    lowered(one_node("CumSum", summed, opset=14, constants={"axis": np.array(1)}), summed)


def test_max_pool_of_bytes_with_its_indices() -> None:
    feeds = {"x": draw(1, 2, 6, 6, dtype="uint8")}
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    for outputs in (["y"], ["y", "i"]):
        lowered(one_node("MaxPool", feeds, opset=12, outputs=outputs, **attributes), feeds)


def test_quantisation_with_one_scale_only() -> None:
    feeds = {"x": draw(2, 3)}
    one = {"scale": np.array(0.1, np.float32), "zero": np.array(3, np.uint8)}
    each = {"scale": np.full(3, 0.1, np.float32), "zero": np.full(3, 3, np.uint8)}
    for opset in (13, 19, 21):
        lowered(one_node("QuantizeLinear", feeds, opset=opset, constants=one), feeds)
        bytes_ = {"x": draw(2, 3, dtype="uint8")}
        lowered(one_node("DequantizeLinear", bytes_, opset=opset, constants=one), bytes_)
        model = one_node("QuantizeLinear", feeds, opset=opset, constants=each)
        assert "its own scale" in refused(model, **feeds)
