"""What the check says about float16 without running the graph."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
import onnx
import pytest
from check_graphs import INTS, constant, findings_of, model, node, rules_of
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_export.check import check_onnx
from atlas_hpe_export.check.rules.half_precision import FP16_MAX


def with_constant(op_type: str, array: object) -> onnx.ModelProto:
    return model([constant(array), node(op_type, "x c")], {"x": (1, 4)})


def severities(proto: onnx.ModelProto) -> List[Tuple[str, str]]:
    return [(item.rule, item.severity) for item in check_onnx(proto).findings]


@pytest.mark.parametrize(
    ("op_type", "array", "found"),
    [
        ("Mul", 65520.0, [("fp16-constant-overflow", "blocker")]),
        ("Mul", [1.0, 2.0, 3.0, -1e6], [("fp16-constant-overflow", "blocker")]),
        ("Add", -1e9, [("fp16-constant-overflow", "warning")]),
        ("Max", -1e9, []),
        ("Mul", 65504.0, []),
        ("Add", -np.inf, []),
        ("Add", 1e-8, [("fp16-constant-vanishes", "warning")]),
        ("Add", 1e-7, [("fp16-constant-subnormal", "note")]),
        ("Add", 1e-5, []),
        ("Add", 0.0, []),
        ("Mul", [1e-8, 1e-9, 1.0, 0.0], [("fp16-constant-vanishes", "warning")]),
        ("Mul", [1e-8, 1.0, 1.0, 0.0], []),
        ("Mul", [0.0, 2047.0, 2049.0, 1.0], [("fp16-whole-numbers", "warning")]),
        ("Mul", [0.0, 2048.0, 4096.0, 1.0], []),
        ("Mul", [0.0, 2049.5, 0.0, 0.0], []),
        ("PRelu", [0.0, 2049.0, 0.0, 0.0], []),
    ],
)
def test_constants_that_float16_can_not_hold(
    op_type: str, array: object, found: List[Tuple[str, str]]
) -> None:
    assert severities(with_constant(op_type, array)) == found


def test_an_upper_bound_of_a_clamp_may_be_infinite() -> None:
    proto = model([node("Clip", "x low high")], weights={"low": 0.0, "high": 3.4e38})
    assert check_onnx(proto).findings == ()


def test_an_integer_that_becomes_a_float_constant_counts() -> None:
    nodes = [constant([5000, 5001], dtype=np.int64), node("Cast", "c", "f", to=1)]
    proto = model([*nodes, node("Mul", "x f")], {"x": (1, 2)})
    assert rules_of(check_onnx(proto)) == ["fp16-whole-numbers"]


def test_an_integer_that_stays_an_integer_does_not() -> None:
    proto = model([node("Reshape", "x s")], {"x": (1, 5001)}, weights={"s": np.array([5001, 1])})
    assert check_onnx(proto).findings == ()


def test_a_constant_behind_a_reshape_is_seen() -> None:
    weights = {"k": np.float32(1e9), "s": np.array([1, 1])}
    nodes = [node("Reshape", "k s", "c"), node("Mul", "x c")]
    assert rules_of(check_onnx(model(nodes, weights=weights))) == ["fp16-constant-overflow"]


def test_the_second_reader_of_a_constant_counts_too() -> None:
    nodes = [constant(1e9), node("Max", "x c", "h"), node("Mul", "h c")]
    assert rules_of(check_onnx(model(nodes))) == ["fp16-constant-overflow"]


def test_constants_that_nothing_reads_are_left_alone() -> None:
    assert check_onnx(model([node("Relu")], weights={"w": 1e9})).findings == ()


def test_float64_constants_are_work_for_the_ai_cpu() -> None:
    nodes = [constant(0.5, dtype=np.float64), node("Mul", "x c")]
    proto = model(nodes, dtypes={"x": onnx.TensorProto.DOUBLE})
    assert "ai-cpu-type" in rules_of(check_onnx(proto))


@given(st.floats(min_value=2.0**-14, max_value=FP16_MAX, width=32))
def test_no_constant_that_float16_holds_is_reported(number: float) -> None:
    assert not [
        item for item in severities(with_constant("PRelu", number)) if "constant" in item[0]
    ]


@pytest.mark.parametrize(("size", "is_found"), [(64 * 64, True), (45 * 45, True), (2049, False)])
def test_an_index_that_becomes_a_float(size: int, is_found: bool) -> None:
    nodes = [
        node("ArgMax", "x", "i", axis=1, keepdims=1),
        node("Squeeze", "i", "j", axes=[1]),
        node("Cast", "j", to=1),
    ]
    found = findings_of(model(nodes, {"x": (21, size)}), "fp16-index")
    assert bool(found) == (is_found and size > 2049)


def test_indices_of_the_largest_values_count_and_the_values_do_not() -> None:
    def graph(output: str) -> onnx.ModelProto:
        nodes = [node("TopK", "x k", "v i"), node("Cast", output, to=1)]
        return model(nodes, {"x": (1, 4096)}, weights={"k": np.array([1])})

    assert findings_of(graph("i"), "fp16-index")
    assert not findings_of(graph("v"), "fp16-index")


@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_the_square_inside_a_layer_norm(square: str) -> None:
    step = node("Pow", "d two", "s") if square == "Pow" else node("Mul", "d d", "s")
    nodes = [node("ReduceMean", "x", "m", axes=[3]), node("Sub", "x m", "d"), step]
    proto = model([*nodes, node("ReduceMean", "s", axes=[3])], weights={"two": 2.0})
    (found,) = findings_of(proto, "fp16-square")
    assert found.op_type == square
    assert "beyond 256" in found.why


@pytest.mark.parametrize("exponent", [3.0, 0.5])
def test_other_powers_are_no_square(exponent: float) -> None:
    nodes = [node("Pow", "x p", "s"), node("ReduceMean", "s", axes=[3])]
    assert not findings_of(model(nodes, weights={"p": exponent}), "fp16-square")


def test_an_exponential_is_noted_unless_the_largest_value_is_subtracted() -> None:
    assert findings_of(model([node("Exp")]), "fp16-exp")
    nodes = [node("ReduceMax", "x", "m", axes=[3]), node("Sub", "x m", "d"), node("Exp", "d")]
    assert not findings_of(model(nodes), "fp16-exp")
    assert findings_of(model([node("Relu", "x", "h"), node("Exp", "h")]), "fp16-exp")
    nodes = [node("Sub", "x c", "d"), node("Exp", "d")]
    assert findings_of(model([constant(1.0), *nodes]), "fp16-exp")


def test_integers_never_count_as_float_arithmetic() -> None:
    proto = model(
        [node("Add", "x c")], {"x": (2,)}, dtypes={"x": INTS}, weights={"c": np.array([9999])}
    )
    assert "fp16-whole-numbers" not in rules_of(check_onnx(proto))
