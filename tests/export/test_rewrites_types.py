"""int64 and float64 arithmetic in narrower types, and the casts around it."""

from __future__ import annotations

from typing import Dict, List

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from rewrite_graphs import (  # noqa: E402
    apply_rules,
    assert_runs_on_board,
    assert_same_values,
    make_model,
    op_types,
)

from atlas_hpe_export.rewrites.cast_chains import RULE as CAST_CHAINS  # noqa: E402
from atlas_hpe_export.rewrites.drop_identity import RULE as DROP_IDENTITY  # noqa: E402
from atlas_hpe_export.rewrites.float64 import RULE as FLOAT64  # noqa: E402
from atlas_hpe_export.rewrites.index_division import RULE as INDEX_DIVISION  # noqa: E402
from atlas_hpe_export.rewrites.int64_arithmetic import RULE as INT64  # noqa: E402

RULES = [FLOAT64, INT64, CAST_CHAINS, INDEX_DIVISION]
INT64_TYPE, FLOAT, DOUBLE = TensorProto.INT64, TensorProto.FLOAT, TensorProto.DOUBLE


def types_of(model: onnx.ModelProto) -> Dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model)
    return {info.name: info.type.tensor_type.elem_type for info in inferred.graph.value_info}


def heatmaps() -> Dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).standard_normal((1, 21, 64)).astype(np.float32)}


def argmax_to_pixels() -> onnx.ModelProto:
    """Row and column of a maximum, the way PyTorch's ``%`` and ``//`` are exported."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=2, keepdims=0),
        helper.make_node("Mod", ["i", "width"], ["column"]),
        helper.make_node("Div", ["i", "width"], ["row"]),
        helper.make_node("Cast", ["column"], ["u"], to=FLOAT),
        helper.make_node("Cast", ["row"], ["v"], to=FLOAT),
        helper.make_node("Add", ["u", "v"], ["y"]),
    ]
    return make_model(nodes, heatmaps(), constants={"width": np.array(8)})


def test_index_arithmetic_goes_to_int32_and_its_casts_vanish() -> None:
    model = argmax_to_pixels()
    after, steps = apply_rules(model, RULES, [heatmaps()])
    assert_same_values(model, after, heatmaps())
    assert [step.name for step in steps] == ["int64_arithmetic", "cast_chains", "index_division"]
    assert not {"Div", "Mod"} & set(op_types(after))
    wide = [name for name, kind in types_of(after).items() if kind == INT64_TYPE]
    assert wide == ["i"], "only what ArgMax itself gives, which the compiler makes int32"
    assert_runs_on_board(after, ignored=["ai-cpu-type"])


def test_it_has_nothing_to_do_the_second_time() -> None:
    after, _ = apply_rules(argmax_to_pixels(), RULES, [heatmaps()])
    assert apply_rules(after, RULES, [heatmaps()])[1] == ()


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("by", [1, 7, 64, 100])
def test_a_flat_index_is_taken_apart_by_a_table(operator: str, by: int) -> None:
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["best", "i"], axis=-1),
        helper.make_node("Cast", ["i"], ["narrow"], to=TensorProto.INT32),
        helper.make_node("Squeeze", ["narrow"], ["flat"], axes=[0]),
        helper.make_node(operator, ["flat", "by"], ["y"]),
    ]
    constants = {"k": np.array([64]), "by": np.array(by, np.int32)}
    model = make_model(nodes, heatmaps(), constants=constants)
    after, _ = apply_rules(model, [INDEX_DIVISION], [heatmaps()])
    assert op_types(after) == ["TopK", "Cast", "Squeeze", "Gather"]
    assert_same_values(model, after, heatmaps())


@pytest.mark.parametrize("case", ["divisor", "negative", "values", "sum"])
def test_a_division_that_a_table_can_not_do_is_refused(case: str) -> None:
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["best", "i"], axis=-1),
        helper.make_node("Cast", ["best" if case == "values" else "i"], ["n"], to=INT64_TYPE),
        helper.make_node("Sub" if case == "sum" else "Mul", ["n", "one"], ["m"]),
        helper.make_node("Div", ["m" if case == "sum" else "n", "by"], ["d"]),
        helper.make_node("Add", ["d", "m"], ["y"]),
    ]
    by = {"divisor": np.arange(1, 6), "negative": np.array(-3)}.get(case, np.array(3))
    constants = {"k": np.array([5]), "by": by, "one": np.array(1)}
    model = make_model(nodes, heatmaps(), constants=constants)
    after, steps = apply_rules(model, [INDEX_DIVISION], [heatmaps()])
    assert "Div" in op_types(after)
    assert [step.status for step in steps] == ["refused"]


def test_division_of_floats_is_left() -> None:
    model = make_model([helper.make_node("Div", ["x", "x"], ["y"])], heatmaps())
    assert apply_rules(model, [INDEX_DIVISION], [heatmaps()])[1] == ()


def test_a_graph_output_keeps_its_type() -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=2, keepdims=0),
        helper.make_node("Add", ["i", "one"], ["y"]),
    ]
    model = make_model(nodes, heatmaps(), constants={"one": np.array(1)})
    after, _ = apply_rules(model, RULES, [heatmaps()])
    assert_same_values(model, after, heatmaps())
    assert after.graph.output[0].type.tensor_type.elem_type == INT64_TYPE


def test_a_constant_beyond_int32_is_refused() -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=2, keepdims=0),
        helper.make_node("Add", ["i", "big"], ["y"], name="/head/Add"),
    ]
    model = make_model(nodes, heatmaps(), constants={"big": np.array(2**40)})
    after, steps = apply_rules(model, [INT64], [heatmaps()])
    assert op_types(after) == ["ArgMax", "Add"]
    assert [(step.status, "/head/Add" in step.reason) for step in steps] == [("refused", True)]


def test_arithmetic_on_shapes_is_left_to_the_compiler() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Mul", ["n", "two"], ["m"]),
        helper.make_node("Unsqueeze", ["m"], ["u"], axes=[0]),
        helper.make_node("Concat", ["u", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    constants = {"zero": np.array(0), "two": np.array(2), "rest": np.array([-1])}
    x = {"x": np.ones((2, 6), np.float32)}
    model = make_model(nodes, x, constants=constants)
    assert apply_rules(model, [INT64], [x])[1] == ()


@pytest.mark.parametrize("operator", ["Gather", "Where", "Less", "Concat", "ReduceMax", "Slice"])
def test_each_operator_reads_int32(operator: str) -> None:
    feeds = {"i": np.array([[3, 1, 2], [0, 2, 1]])}
    constants = {
        "c": np.array([[1, 1, 1], [2, 2, 2]]),
        "table": np.arange(8.0, dtype=np.float32).reshape(4, 2),
        "cond": np.array([[True, False, True]] * 2),
        "z": np.array([0]),
        "o": np.array([1]),
    }
    made = {
        "Gather": helper.make_node("Gather", ["table", "i"], ["y"]),
        "Where": helper.make_node("Where", ["cond", "i", "c"], ["y"]),
        "Less": helper.make_node("Less", ["i", "c"], ["y"]),
        "Concat": helper.make_node("Concat", ["i", "c"], ["y"], axis=0),
        "ReduceMax": helper.make_node("ReduceMax", ["i"], ["y"], axes=[1]),
        "Slice": helper.make_node("Slice", ["i", "z", "o", "z"], ["y"]),
    }
    used = {k: v for k, v in constants.items() if k in made[operator].input}
    model = make_model([made[operator]], feeds, constants=used)
    after, steps = apply_rules(model, [INT64], [feeds])
    assert [step.status for step in steps] == ["applied"]
    assert_same_values(model, after, feeds)
    node = next(node for node in after.graph.node if node.op_type == operator)
    kinds = types_of(after)
    data = node.input[:1] if operator == "Slice" else node.input
    assert INT64_TYPE not in [kinds[name] for name in data if name in kinds]


def test_float64_goes_to_float32() -> None:
    """``x.double() * numpy_array``, then back."""
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=DOUBLE),
        helper.make_node("Mul", ["d", "c"], ["m"]),
        helper.make_node("Sqrt", ["m"], ["r"]),
        helper.make_node("Cast", ["r"], ["y"], to=FLOAT),
    ]
    x = {"x": np.random.default_rng(0).uniform(1, 2, (2, 3)).astype(np.float32)}
    model = make_model(nodes, x, constants={"c": np.array([0.1, 0.2, 0.3])})
    after, _ = apply_rules(model, RULES, [x])
    assert_same_values(model, after, x, 1e-6)
    assert op_types(after) == ["Mul", "Sqrt", "Identity"], "the output keeps its name"
    assert_runs_on_board(after)


def test_float64_inputs_and_outputs_keep_their_type() -> None:
    x = {"x": np.random.default_rng(0).uniform(1, 2, (2, 3))}
    model = make_model([helper.make_node("Exp", ["x"], ["y"])], x)
    after, _ = apply_rules(model, RULES, [x])
    assert op_types(after) == ["Cast", "Exp", "Cast"]
    assert_same_values(model, after, x, 1e-6)


def test_an_index_of_float64_values_keeps_its_own_type() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=DOUBLE),
        helper.make_node("ArgMax", ["d"], ["y"], axis=2, keepdims=0),
    ]
    model = make_model(nodes, heatmaps())
    after, _ = apply_rules(model, RULES, [heatmaps()])
    assert op_types(after) == ["ArgMax"]
    assert_same_values(model, after, heatmaps())


@pytest.mark.parametrize(
    ("chain", "left"),
    [
        ([DOUBLE, FLOAT], 0),
        ([TensorProto.INT32, INT64_TYPE, FLOAT], 2),
        ([INT64_TYPE, FLOAT], 2),  # cuts off the fraction
        ([TensorProto.FLOAT16, FLOAT], 2),  # rounds
        ([FLOAT], 0),
        ([TensorProto.INT32, INT64_TYPE, TensorProto.INT32, DOUBLE, FLOAT], 2),
    ],
)
def test_casts_that_change_nothing_are_dropped(chain: List[int], left: int) -> None:
    nodes, name = [], "x"
    for index, kind in enumerate(chain):
        nodes.append(helper.make_node("Cast", [name], [f"c{index}"], to=kind))
        name = f"c{index}"
    nodes.append(helper.make_node("Abs", [name], ["y"]))
    x = {"x": np.linspace(-3, 3, 7, dtype=np.float32)}
    model = make_model(nodes, x)
    after, _ = apply_rules(model, [CAST_CHAINS], [x])
    assert op_types(after).count("Cast") == left
    assert_same_values(model, after, x, 0)


def test_a_cast_that_makes_a_graph_output_stays() -> None:
    x = {"x": np.ones(3, np.float32)}
    model = make_model([helper.make_node("Cast", ["x"], ["y"], to=FLOAT)], x)
    after, steps = apply_rules(model, [CAST_CHAINS, DROP_IDENTITY], [x])
    assert (op_types(after), steps) == (["Cast"], ())


def test_identities_and_dropouts_are_bridged_in_chains() -> None:
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Dropout", ["a"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Identity", ["c"], ["y"]),
    ]
    x = {"x": np.ones(3, np.float32)}
    model = make_model(nodes, x)
    after, steps = apply_rules(model, [DROP_IDENTITY], [x])
    assert op_types(after) == ["Add", "Identity"]
    assert steps[0].count == 2
    assert_same_values(model, after, x)
    assert apply_rules(after, [DROP_IDENTITY], [x])[1] == ()


def test_a_dropout_whose_mask_is_read_stays() -> None:
    x = {"x": np.ones(3, np.float32)}
    nodes = [helper.make_node("Dropout", ["x"], ["a", "y"]), helper.make_node("Abs", ["a"], ["z"])]
    model = make_model(nodes, x, ["y", "z"])
    assert apply_rules(model, [DROP_IDENTITY], [x])[1] == ()
