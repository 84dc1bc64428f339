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
from onnx_graphs import RNG, draw, ints, lowered, one_node, operators, refused  # noqa: E402

from atlas_hpe_export.graph import Guard, as_ir  # noqa: E402
from atlas_hpe_export.lowering import LADDER, lower  # noqa: E402

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
    x = draw(2, 3)
    feeds = {"x": np.abs(x) + 0.1 if name == "LogSum" else x}
    for constants in ({}, {"axes": ints()}):
        attributes = {"constants": constants, "noop_with_empty_axes": 1}
        lowered(one_node(f"Reduce{name}", feeds, opset=opset, **attributes), feeds)
    with_axes = one_node(
        f"Reduce{name}", feeds, opset=opset, constants={"axes": ints(1)}, noop_with_empty_axes=1
    )
    lowered(with_axes, feeds)


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


def test_wrapping_that_is_not_constant_or_negative_is_refused() -> None:
    feeds = {"x": draw(3, 4), "axes": ints(1)}
    constants, order = {"pads": ints(1, 1)}, ["x", "pads", "", "axes"]
    attributes = {"constants": constants, "order": order, "mode": "wrap"}
    assert "not constant" in refused(one_node("Pad", feeds, opset=19, **attributes), **feeds)
    feeds = {"x": draw(3, 4)}
    model = one_node("Pad", feeds, opset=19, constants={"pads": ints(0, -1, 0, 2)}, mode="wrap")
    assert "negative" in refused(model, **feeds)


def test_pads_that_are_computed_are_refused_with_axes() -> None:
    feeds = {"x": draw(3, 4), "pads": ints(1, 1)}
    order = ["x", "pads", "", "axes"]
    model = one_node("Pad", feeds, opset=18, constants={"axes": ints(1)}, order=order)
    assert "are not constant" in refused(model, **feeds)


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


def test_a_shape_that_is_computed_is_fine_where_inference_knows_it() -> None:
    feeds = {"x": draw(3, 4), "shape": ints(4, 3)}
    model = one_node("Reshape", feeds, opset=14, allowzero=1)
    assert "its shape has to be known" in refused(model, **feeds)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 3)))
    lowered(model, feeds)


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (0, None), (1, None), (-2, None), (1, -1), (0, 9), (-9, 2)]
)
def test_shape_of_some_axes(start: Optional[int], end: Optional[int]) -> None:
    feeds = {"x": draw(2, 3, 4)}
    bounds = {"start": start, "end": end}
    attributes = {name: number for name, number in bounds.items() if number is not None}
    after = lowered(one_node("Shape", feeds, opset=15, **attributes), feeds)
    assert operators(after) == (["Shape"] if not start and end is None else ["Shape", "Slice"])


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
    asked = {**feeds, "ratio": constants["ratio"], "training": np.array(False)}
    assert "call eval()" in refused(one_node("Dropout", asked, opset=13), **asked)
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


def test_resize_with_all_inputs_stays_as_it_is() -> None:
    feeds = {"x": draw(1, 2, 3, 4)}
    constants = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    model = one_node("Resize", feeds, opset=13, constants=constants)
    assert lower(as_ir(model), LADDER, 11, Guard(model, [feeds])) == ()


def test_roi_align_of_the_older_meaning_only() -> None:
    rois = np.array([[0.5, 1.0, 5.0, 6.0]], np.float32)
    feeds = {"x": draw(1, 2, 8, 8)}
    constants = {"rois": rois, "batch": ints(0)}
    mode = {"coordinate_transformation_mode": "output_half_pixel", "output_height": 2}
    lowered(one_node("RoiAlign", feeds, opset=16, constants=constants, **mode), feeds)
    model = one_node("RoiAlign", feeds, opset=16, constants=constants)
    assert "it aligns with 'half_pixel'" in refused(model, **feeds)


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
