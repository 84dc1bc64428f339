"""What float16 does to a graph that was made in float32, as far as the file shows it.

By default every kernel that takes float16 computes in it (ascend.md section 3.2). Its largest
number is 65504; below 2^-14 = 6.1e-5 numbers lose digits, below 2^-25 = 3.0e-8 they become 0; whole
numbers are exact up to 2048 (IEEE 754 binary16).
"""

from __future__ import annotations

from typing import Iterator, Optional, Tuple

import numpy as np

from atlas_hpe_export.check.finding import BLOCKER, NOTE, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node, Value
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["FP16_MAX", "FP16_WHOLE", "RULES"]

FP16_MAX = 65504.0
FP16_WHOLE = 2048.0
_FP16_NORMAL = 2.0**-14
_FP16_ZERO = 2.0**-25  # half of the smallest number, rounded to even
_MAX_ROUNDING = 0.01  # share of a constant that rounding may take without a word
_SOURCE = "ascend.md section 3.2 and section 10, row 6"
_EXP_LIMIT = float(np.log(FP16_MAX))
_SAFE_AS_INFINITE = frozenset({"Clip", "Max", "Min", "Greater", "Less", "Pad"})
_FLOATS = frozenset({"float32", "float64"})
_MAX_READERS = 8
_ADDED = frozenset({"Add", "Sub", "Where"})
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "MatMul", "Mod", "Pow", "Gemm", "Floor"})
_SHAPE_ONLY = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose", "Slice")


def _find_constants(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.2 and section 10, row 6; networks.md section 1."""
    for value in view.constants:
        readers = [node for node, dtype in _readers(value) if dtype in _FLOATS]
        array = value.array() if readers else None
        if array is None or not array.size or array.dtype.kind not in "fiu":
            continue
        for reader in readers[:_MAX_READERS]:
            finding = _look_at(reader, value, array)
            if finding is not None:
                yield finding
                break


def _look_at(reader: Node, value: Value, array: np.ndarray) -> Optional[Finding]:
    return (
        _too_large(reader, value, array)
        or _too_small(reader, value, array)
        or _inexact(reader, value, array)
    )


def _readers(value: Value) -> Iterator[Tuple[Node, Optional[str]]]:
    """Nodes that read it on the board, and the element type that they see.

    Steps that only reshape or cast a constant are folded, so the search goes through them.
    """
    waiting = [value]
    while waiting:
        seen = waiting.pop()
        for node in seen.consumers:
            if not node.is_folded:
                yield node, seen.dtype
            elif node.op_type in (*_SHAPE_ONLY, "Cast"):
                waiting += [item for item in node.outputs if item is not None]


def _too_large(reader: Node, value: Value, array: np.ndarray) -> Optional[Finding]:
    largest = max(float(array.max()), -float(array.min()))
    if not FP16_MAX < largest < np.inf or reader.op_type in _SAFE_AS_INFINITE:
        return None
    added = reader.op_type in _ADDED
    return reader.finding(
        "fp16-constant-overflow",
        WARNING if added else BLOCKER,
        f"the constant '{value.name}' of {reader.op_type} holds {largest:.4g}",
        why=f"in float16 everything beyond {FP16_MAX:.0f} is infinite"
        + ("; harmless for a mask before Softmax unless it covers a whole row" if added else ""),
        fix="use -1e4 for masks" if added else "scale the weights, or keep the step on the host",
        source=_SOURCE,
    )


def _too_small(reader: Node, value: Value, array: np.ndarray) -> Optional[Finding]:
    if array.size > 1:
        return _vanishing_weights(reader, value, array)
    number = abs(float(array.reshape(-1)[0]))
    if not number < _FP16_NORMAL:  # NaN is no small number either
        return None
    half = float(np.float16(number))
    if abs(half - number) <= _MAX_ROUNDING * number:
        return None
    if half:
        return reader.finding(
            "fp16-constant-subnormal",
            NOTE,
            f"the constant {number:.3g} of {reader.op_type} becomes {half:.3g} in float16",
            why=f"below {_FP16_NORMAL:.1e} float16 loses digits",
            fix="use 1e-5 or more, where the value matters",
            source=_SOURCE,
        )
    return reader.finding(
        "fp16-constant-vanishes",
        WARNING,
        f"the constant {number:.3g} of {reader.op_type} becomes 0 in float16",
        why="an epsilon that is 0 protects no division, root or logarithm",
        fix="use an epsilon of 1e-5 or more",
        source=_SOURCE,
    )


def _vanishing_weights(reader: Node, value: Value, array: np.ndarray) -> Optional[Finding]:
    used = array != 0
    total = int(np.count_nonzero(used))
    lost = int(np.count_nonzero(used & (np.abs(array) <= _FP16_ZERO))) if total else 0
    if lost * 2 <= total or not total:
        return None
    return reader.finding(
        "fp16-constant-vanishes",
        WARNING,
        f"{lost} of the {total} values in '{value.name}' of {reader.op_type} are 0 in float16",
        why=f"numbers up to {_FP16_ZERO:.1g} become 0",
        fix="scale the weights up and the result down",
        source=_SOURCE,
    )


def _inexact(reader: Node, value: Value, array: np.ndarray) -> Optional[Finding]:
    """Whole numbers that float16 rounds: grids of pixel indices, sizes, strides."""
    flat = array.reshape(-1)
    is_whole = flat[0] == np.rint(flat[0]) and np.array_equal(flat, np.rint(flat))
    if reader.op_type not in _ARITHMETIC or not is_whole:
        return None
    with np.errstate(over="ignore"):
        if np.array_equal(flat.astype(np.float16), flat):
            return None
    return reader.finding(
        "fp16-whole-numbers",
        WARNING,
        f"the constant '{value.name}' of {reader.op_type} holds whole numbers up to "
        f"{float(np.abs(flat).max()):.0f}",
        why=f"float16 rounds whole numbers beyond {FP16_WHOLE:.0f}: index arithmetic goes wrong",
        fix="compute with coordinates from 0 to 1, or leave index arithmetic to the host",
        source="networks.md section 1",
    )


def _find_index_arithmetic(view: GraphView) -> Iterator[Finding]:
    """networks.md section 1: the flat index of a maximum, turned into a float."""
    for node in view.nodes_of("Cast"):
        result = node.output(0)
        if result is None or result.dtype not in ("float32", "float16", "float64"):
            continue
        maker = _trace_back(node)
        data = maker.input(0) if maker is not None else None
        if maker is None or data is None or data.shape is None:
            continue
        axis = maker.integer("axis", 0 if maker.op_type != "TopK" else -1)
        size = data.shape[axis] if -len(data.shape) <= axis < len(data.shape) else None
        if size is not None and size > FP16_WHOLE + 1:
            yield node.finding(
                "fp16-index",
                WARNING,
                f"an index of {maker.op_type} over {size} places becomes a float",
                why=f"float16 holds whole numbers up to {FP16_WHOLE:.0f} exactly",
                fix="find the maximum of each axis on its own, or on the host",
                source="networks.md section 1",
            )


def _trace_back(node: Node) -> Optional[Node]:
    """The ArgMax, ArgMin or TopK whose indices a node reads, through steps that only reshape."""
    value = node.input(0)
    while value is not None and value.producer is not None:
        maker = value.producer
        if maker.op_type in ("ArgMax", "ArgMin"):
            return maker
        if maker.op_type == "TopK":
            return maker if value is maker.output(1) else None
        if maker.op_type not in _SHAPE_ONLY:
            return None
        value = maker.input(0)
    return None


def _find_squares(view: GraphView) -> Iterator[Finding]:
    """networks.md section 1: the square inside a layer norm."""
    for node in view.nodes_of("Pow", "Mul"):
        result = node.output(0)
        if result is None or node.is_folded or not _is_square(node):
            continue
        sums = [item for item in result.consumers if item.op_type in ("ReduceMean", "ReduceSum")]
        if sums:
            yield node.finding(
                "fp16-square",
                NOTE,
                f"a square goes into {sums[0].op_type}, as in a layer norm",
                why=f"in float16 the square of anything beyond {FP16_MAX**0.5:.0f} is infinite",
                fix="measure it: atlas-hpe check MODEL --inputs SAMPLES.npz; atlas-hpe export "
                "scales the layer norms that it knows",
                source="networks.md section 1",
                rewrite="layer_norm_fp16",
            )


def _is_square(node: Node) -> bool:
    if node.op_type == "Mul":
        return node.input(0) is not None and node.input(0) is node.input(1)
    exponent = node.input(1)
    array = None if exponent is None else exponent.array()
    return array is not None and array.size == 1 and float(array.reshape(-1)[0]) == 2.0


def _find_exponentials(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 10, row 6: exp leaves float16 early."""
    for node in view.nodes_of("Exp"):
        data = node.input(0)
        maker = data.producer if data is not None else None
        if node.is_folded or (maker is not None and _is_never_positive(maker)):
            continue
        yield node.finding(
            "fp16-exp",
            NOTE,
            "Exp of something that may be positive",
            why=f"in float16 exp(x) is infinite from x = {_EXP_LIMIT:.1f} on",
            fix="measure it: atlas-hpe check MODEL --inputs SAMPLES.npz",
            source="ascend.md section 10, row 6",
        )


def _is_never_positive(maker: Node) -> bool:
    """A softmax written out subtracts the largest value first."""
    taken = maker.input(1)
    if maker.op_type != "Sub" or taken is None or taken.producer is None:
        return False
    return taken.producer.op_type == "ReduceMax"


RULES: Tuple[Rule, ...] = (
    _find_constants,
    _find_index_arithmetic,
    _find_squares,
    _find_exponentials,
)
