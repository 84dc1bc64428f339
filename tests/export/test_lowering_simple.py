"""Each short adapter against ONNX Runtime, over shapes, element types and attributes."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx_ir")
pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import lowered, make_model, one_node, operators  # noqa: E402

from atlas_hpe.errors import CheckFailedError  # noqa: E402

RNG = np.random.default_rng(0)
SMALL = ["int8", "uint8", "int16", "uint16"]
INTEGERS = [*SMALL, "int32", "int64"]


def draw(*shape: int, dtype: str = "float32") -> np.ndarray:
    if dtype == "bool":
        return RNG.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return RNG.standard_normal(shape).astype(dtype)
    low = 0 if dtype.startswith("u") else -9
    return RNG.integers(low, 10, shape).astype(dtype)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def refused(model: onnx.ModelProto, **feeds: np.ndarray) -> str:
    with pytest.raises(CheckFailedError, match="no form at opset 11") as caught:
        lowered(model, feeds)
    return str(caught.value.where)


REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


@pytest.mark.parametrize("axes", [None, [], [0], [-1], [1, 2], [0, -2]])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_axes_of_reductions_become_an_attribute(name: str, axes: Optional[Sequence[int]]) -> None:
    feeds = {"x": np.abs(draw(2, 3, 4)) + 0.1}
    constants = {} if axes is None else {"axes": ints(*axes)}
    for keepdims in (0, 1):
        model = one_node(f"Reduce{name}", feeds, constants=constants, opset=18, keepdims=keepdims)
        assert operators(lowered(model, feeds)) == [f"Reduce{name}"]


@pytest.mark.parametrize(
    ("name", "opset"), [("Sum", 13), *[(name, opset) for opset in (18, 20) for name in REDUCTIONS]]
)
def test_a_reduction_over_no_axis_still_does_its_part_to_each_element(
    name: str, opset: int
) -> None:
    feeds = {"x": np.abs(draw(2, 3)) + 0.1}
    for constants in ({}, {"axes": ints()}):
        attributes = {"constants": constants, "noop_with_empty_axes": 1}
        lowered(one_node(f"Reduce{name}", feeds, opset=opset, **attributes), feeds)
    with_axes = one_node(
        f"Reduce{name}", feeds, opset=opset, constants={"axes": ints(1)}, noop_with_empty_axes=1
    )
    lowered(with_axes, feeds)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float32"])
@pytest.mark.parametrize("name", ["ReduceMax", "ReduceMin"])
def test_extremes_of_all_element_types(name: str, dtype: str) -> None:
    feeds = {"x": draw(3, 4, dtype=dtype)}
    lowered(one_node(name, feeds, constants={"axes": ints(1)}, opset=20), feeds)


def test_axes_that_are_computed_are_refused() -> None:
    feeds = {"x": draw(1, 3), "axes": ints(0)}
    for name, opset in (("ReduceMean", 18), ("ReduceSum", 13), ("Squeeze", 13), ("Unsqueeze", 13)):
        model = one_node(name, feeds, opset=opset)
        assert "axes are computed in the graph" in refused(model, **feeds)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("Squeeze", None),
        ("Squeeze", [0]),
        ("Squeeze", [-1, 0]),
        ("Unsqueeze", [0]),
        ("Unsqueeze", [-1, 1]),
        ("Unsqueeze", []),
    ],
)
def test_squeeze_and_unsqueeze(name: str, axes: Optional[Sequence[int]]) -> None:
    feeds = {"x": draw(1, 3, 1)}
    constants = {} if axes is None else {"axes": ints(*axes)}
    lowered(one_node(name, feeds, constants=constants, opset=21), feeds)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_split_into_a_number_of_parts(count: int, axis: int) -> None:
    feeds = {"x": draw(3, 7)}
    outputs = [f"y{index}" for index in range(count)]
    model = one_node("Split", feeds, opset=18, outputs=outputs, num_outputs=count, axis=axis)
    assert operators(lowered(model, feeds)) == ["Split"]


@pytest.mark.parametrize("opset", [13, 18])
def test_split_by_sizes(opset: int) -> None:
    feeds = {"x": draw(2, 6)}
    sizes = {"split": ints(1, 2, 3)}
    names = ["a", "b", "c"]
    lowered(one_node("Split", feeds, opset=opset, constants=sizes, outputs=names, axis=1), feeds)
    if opset == 13:
        lowered(one_node("Split", feeds, opset=opset, outputs=names, axis=1), feeds)


def test_sizes_that_are_computed_are_refused() -> None:
    feeds = {"x": draw(3), "split": ints(1, 2)}
    model = one_node("Split", feeds, opset=13, outputs=["a", "b"])
    assert "sizes are computed in the graph" in refused(model, **feeds)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 3, 1, 1)])
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_over_one_axis(name: str, shape: Sequence[int]) -> None:
    feeds = {"x": draw(*shape)}
    for axis in [None, *range(-len(shape), len(shape))]:
        attributes = {} if axis is None else {"axis": axis}
        after = lowered(one_node(name, feeds, opset=13, **attributes), feeds)
        last = -1 if axis is None else axis
        flat = all(size == 1 for size in shape[last % len(shape) + 1 :])
        assert operators(after) == ([name] if flat else ["Transpose", name, "Transpose"])
        (axis_11,) = [node.attribute[0].i for node in after.graph.node if node.op_type == name]
        assert axis_11 == (last % len(shape) if flat else len(shape) - 1)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("axes", [None, [1, 2], [-1, 0], [1]])
def test_pad_of_some_axes(mode: str, axes: Optional[Sequence[int]]) -> None:
    feeds = {"x": draw(3, 4, 5)}
    count = 3 if axes is None else len(axes)
    constants = {"pads": ints(*RNG.integers(0, 3, 2 * count))}
    order = ["x", "pads", ""]
    if axes is not None:
        constants["axes"] = ints(*axes)
        order.append("axes")
    if mode == "constant":
        constants["number"] = np.array(1.5, np.float32)
        order[2] = "number"
    model = one_node("Pad", feeds, opset=19, constants=constants, order=order, mode=mode)
    lowered(model, feeds)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(0, 9), st.integers(0, 9))
def test_padding_wraps_around_any_number_of_times(size: int, begin: int, end: int) -> None:
    feeds = {"x": np.arange(2 * size, dtype=np.float32).reshape(2, size)}
    constants = {"pads": ints(0, begin, 0, end)}
    model = one_node("Pad", feeds, opset=19, constants=constants, mode="wrap")
    lowered(model, feeds)


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float64"])
def test_pad_of_all_element_types(dtype: str) -> None:
    feeds = {"x": draw(2, 3, dtype=dtype)}
    constants = {"pads": ints(1, 0, 0, 2), "number": np.array(1, dtype)}
    lowered(one_node("Pad", feeds, opset=13, constants=constants), feeds)


def test_pads_that_are_computed_are_refused_with_axes() -> None:
    feeds = {"x": draw(3, 4), "pads": ints(1, 1)}
    order = ["x", "pads", "", "axes"]
    model = one_node("Pad", feeds, opset=18, constants={"axes": ints(1)}, order=order)
    assert "are not constant" in refused(model, **feeds)


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
            lowered(one_node(name, feeds, opset=13), feeds)


@pytest.mark.parametrize("base", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("exponent", ["float32", "float64", "int32", "int64"])
def test_pow_of_two_element_types(base: str, exponent: str) -> None:
    feeds = {"x": np.abs(draw(3, 4, dtype=base)), "e": np.abs(draw(4, dtype=exponent)) % 4}
    lowered(one_node("Pow", feeds, opset=15), feeds)


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


@pytest.mark.parametrize("allowzero", [0, 1])
@pytest.mark.parametrize("target", [(4, 3), (-1,), (2, 3, -1)])
def test_reshape_with_allowzero(target: Sequence[int], allowzero: int) -> None:
    feeds = {"x": draw(3, 4)}
    constants = {"shape": ints(*target)}
    model = one_node("Reshape", feeds, constants=constants, opset=14, allowzero=allowzero)
    after = lowered(model, feeds)
    assert [len(node.attribute) for node in after.graph.node] == [0]


def test_a_zero_in_a_shape_keeps_its_meaning() -> None:
    feeds = {"x": draw(3, 4)}
    kept = one_node("Reshape", feeds, constants={"shape": ints(0, 2, 2)}, opset=14, allowzero=0)
    lowered(kept, feeds)
    empty = {"x": np.zeros((0, 3), np.float32)}
    model = one_node("Reshape", empty, constants={"shape": ints(3, 0)}, opset=14, allowzero=1)
    assert "a tensor without elements" in refused(model, **empty)


def test_a_shape_that_is_computed_is_taken_from_the_inferred_one() -> None:
    feeds = {"x": draw(3, 4), "shape": ints(4, 3)}
    model = one_node("Reshape", feeds, opset=14, allowzero=1)
    assert "its shape has to be constant" in refused(model, **feeds)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 3)))
    lowered(model, feeds)


@pytest.mark.parametrize("dtype", ["int64", "float16", "bool", "uint8"])
@pytest.mark.parametrize("opset", [15, 19])
def test_cast_like(dtype: str, opset: int) -> None:
    feeds = {"x": np.abs(draw(3, 4)), "like": draw(1, dtype=dtype)}
    assert operators(lowered(one_node("CastLike", feeds, opset=opset), feeds)) == ["Cast"]


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (0, None), (1, None), (-2, None), (1, -1), (0, 9), (-9, 2)]
)
def test_shape_of_some_axes(start: Optional[int], end: Optional[int]) -> None:
    feeds = {"x": draw(2, 3, 4)}
    bounds = {"start": start, "end": end}
    attributes = {name: number for name, number in bounds.items() if number is not None}
    lowered(one_node("Shape", feeds, opset=15, **attributes), feeds)


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


@pytest.mark.parametrize("opset", [12, 13])
def test_dropout_drops_nothing(opset: int) -> None:
    feeds = {"x": draw(3, 4)}
    constants = {"ratio": np.array(0.9, np.float32), "training": np.array(False)}
    for outputs in (["y"], ["y", "mask"]):
        lowered(one_node("Dropout", feeds, opset=opset, outputs=outputs), feeds)
        model = one_node("Dropout", feeds, opset=opset, constants=constants, outputs=outputs)
        lowered(model, feeds)


def test_training_mode_is_refused() -> None:
    feeds = {"x": draw(3, 4, 5)}
    constants = {"ratio": np.array(0.0, np.float32), "training": np.array(True)}
    model = one_node("Dropout", feeds, opset=13, constants=constants)
    assert "call eval()" in refused(model, **feeds)
    statistics = {name: np.ones(4, np.float32) for name in "abcd"}
    outputs = ["y", "mean", "var"]
    model = one_node(
        "BatchNormalization",
        feeds,
        opset=15,
        constants=statistics,
        outputs=outputs,
        training_mode=1,
    )
    assert "call eval()" in refused(model, **feeds)


@pytest.mark.parametrize("opset", [14, 15])
@pytest.mark.parametrize("attributes", [{}, {"training_mode": 0}])
def test_batch_normalization_of_a_network_in_use(opset: int, attributes: dict) -> None:
    feeds = {"x": draw(3, 4, 5)}
    statistics = {name: np.abs(draw(4)) + 0.5 for name in ("scale", "bias", "mean", "var")}
    model = one_node("BatchNormalization", feeds, opset=opset, constants=statistics, **attributes)
    lowered(model, feeds)


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
    lowered(one_node("Celu", feeds, opset=12, alpha=alpha), feeds)


@pytest.mark.parametrize("given", ["scales", "sizes"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_without_a_region(mode: str, given: str) -> None:
    feeds = {"x": draw(1, 2, 3, 4)}
    values = {"scales": np.array([1, 1, 2, 2], np.float32), "sizes": ints(1, 2, 5, 7)}
    order = ["x", "", "scales"] if given == "scales" else ["x", "", "", "sizes"]
    constants = {given: values[given]}
    model = one_node("Resize", feeds, opset=13, constants=constants, order=order, mode=mode)
    after = lowered(model, feeds)
    assert len(after.graph.node[0].input) == len(order)
    assert all(after.graph.node[0].input), "Resize-11 has no optional inputs before sizes"


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


def test_roi_align_of_the_older_meaning_only() -> None:
    rois = np.array([[0.5, 1.0, 5.0, 6.0]], np.float32)
    feeds = {"x": draw(1, 2, 8, 8)}
    constants = {"rois": rois, "batch": ints(0)}
    mode = {"coordinate_transformation_mode": "output_half_pixel", "output_height": 2}
    lowered(one_node("RoiAlign", feeds, opset=16, constants=constants, **mode), feeds)
    model = one_node("RoiAlign", feeds, opset=16, constants=constants)
    assert "it aligns with 'half_pixel'" in refused(model, **feeds)


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


@pytest.mark.parametrize("name", ["ScatterND", "ScatterElements"])
def test_scattering_without_a_reduction(name: str) -> None:
    feeds = {"x": draw(4, 3)}
    index = ints(2, 0).reshape(2, 1) if name == "ScatterND" else np.array([[1, 2, 0]])
    updates = draw(2, 3) if name == "ScatterND" else draw(1, 3)
    constants = {"indices": index, "updates": updates}
    for opset, attributes in ((13, {}), (18, {}), (18, {"reduction": "none"})):
        lowered(one_node(name, feeds, opset=opset, constants=constants, **attributes), feeds)
    for opset, reduction in ((16, "add"), (18, "mul"), (18, "max"), (18, "min")):
        attributes = {"constants": constants, "reduction": reduction}
        model = one_node(name, feeds, opset=opset, **attributes)
        assert "reduction" in refused(model, **feeds)


@pytest.mark.parametrize("outputs", [["y"], ["", "h"], ["y", "", "c"]])
def test_outputs_that_are_left_out_stay_left_out(outputs: Sequence[str]) -> None:
    feeds = {"x": draw(3, 2, 4)}
    weights = {"w": draw(1, 20, 4), "r": draw(1, 20, 5)}
    model = one_node(
        "LSTM", feeds, opset=14, constants=weights, outputs=outputs, hidden_size=5, layout=0
    )
    after = lowered(model, feeds)
    assert list(after.graph.node[0].output) == list(outputs)
