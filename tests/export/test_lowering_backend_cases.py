"""ONNX's own node tests, lowered to opset 11 and held against the outputs that they expect."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Set, Tuple

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import numpy_helper  # noqa: E402

from atlas_hpe.errors import AtlasHpeError, CheckFailedError  # noqa: E402
from atlas_hpe_export.graph import Guard, as_ir, as_proto  # noqa: E402
from atlas_hpe_export.lowering import LADDER, lower  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

pytestmark = pytest.mark.slow

TOP = 21
Arrays = Dict[str, np.ndarray]


@dataclass
class Sweep:
    """What became of the cases."""

    tried: int = 0
    lowered: int = 0
    wrong: List[str] = field(default_factory=list)
    refused: Dict[str, Set[str]] = field(default_factory=dict)  # operator -> names of cases


def default_opset(model: onnx.ModelProto) -> int:
    return max((item.version for item in model.opset_import if item.domain == ""), default=0)


def at_most_top(model: onnx.ModelProto) -> onnx.ModelProto:
    """Newer models are said to be of opset 21; those that are not will not run there."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for item in copy.opset_import:
        if item.domain == "":
            item.version = min(item.version, TOP)
    copy.ir_version = min(copy.ir_version, 10)
    return copy


def as_array(item: object) -> Optional[np.ndarray]:
    if isinstance(item, onnx.TensorProto):
        return numpy_helper.to_array(item)
    return np.asarray(item) if isinstance(item, (np.ndarray, np.generic)) else None


def arrays_of(values: object, data: List[object]) -> Optional[Arrays]:
    """By name; None when something is not a tensor."""
    found = {value.name: as_array(item) for value, item in zip(values, data)}
    if len(found) != len(data) or any(item is None for item in found.values()):
        return None
    return found


def agree(want: Arrays, have: Arrays, rtol: float, atol: float) -> bool:
    for name, expected in want.items():
        found = have[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            return False
        if expected.dtype.kind == "f":
            if not np.allclose(found, expected, rtol, max(atol, 1e-6), equal_nan=True):
                return False
        elif not (found == expected).all():
            return False
    return True


def run(model: onnx.ModelProto, feeds: Arrays) -> Optional[Arrays]:
    try:
        return run_model(model, [feeds])[0]
    except AtlasHpeError:
        return None


def with_constants(model: onnx.ModelProto, feeds: Arrays) -> Tuple[onnx.ModelProto, Arrays]:
    """Small inputs after the first become constants, as axes and sizes of a real network are."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    rest = dict(feeds)
    for value in list(copy.graph.input)[1:]:
        if rest[value.name].ndim <= 1:
            copy.graph.initializer.append(numpy_helper.from_array(rest.pop(value.name), value.name))
            copy.graph.input.remove(value)
    return copy, rest


def usable_cases() -> Iterator[Tuple[str, onnx.ModelProto, Arrays, Arrays, float, float]]:
    """Cases above opset 11 with tensors only, on which ONNX Runtime says what they expect."""
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        if default_opset(case.model) <= 11:
            continue
        model = at_most_top(case.model)
        inputs, outputs = case.data_sets[0]
        feeds = arrays_of(model.graph.input, list(inputs))
        want = arrays_of(model.graph.output, list(outputs))
        if feeds is None or want is None:
            continue
        have = run(model, feeds)
        if have is not None and agree(want, have, case.rtol, case.atol):
            yield case.name, model, feeds, want, case.rtol, case.atol


def lower_case(model: onnx.ModelProto, feeds: Arrays) -> onnx.ModelProto:
    edited = as_ir(model)
    lower(edited, LADDER, 11, Guard(model, [feeds]))
    return as_proto(edited)


def try_case(
    sweep: Sweep, name: str, model: onnx.ModelProto, feeds: Arrays, want: Arrays, *limits: float
) -> None:
    refusal = None
    for variant, rest in ((model, feeds), with_constants(model, feeds)):
        if refusal is not None and run(variant, rest) is None:
            break  # ONNX Runtime wants some inputs to be inputs
        try:
            after = lower_case(variant, rest)
        except CheckFailedError as error:
            if not error.what.startswith("the graph has no form"):
                sweep.wrong.append(f"{name}: {error}")
                return
            refusal = error
            continue
        onnx.checker.check_model(after)
        have = run(after, rest)
        if have is None or not agree(want, have, *limits):
            sweep.wrong.append(name)
        sweep.lowered += 1
        return
    for operator in re.findall(r"(?:^|; )(\w+) '", str(refusal.where)):
        sweep.refused.setdefault(operator, set()).add(name)


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    done = Sweep()
    with np.errstate(all="ignore"):
        for case in usable_cases():
            done.tried += 1
            try_case(done, *case)
    return done


def test_every_lowered_case_says_what_it_should(sweep: Sweep) -> None:
    assert sweep.wrong == []


COMPUTED = "in some cases what has to be constant is computed, and nobody folded it"
SIGNAL = "signals are no part of a network here"
LOSS = "losses are no part of an exported network"
BITS = "the board has no kernel for the bits of integers"
REDUCTION = "scattering that adds, multiplies or compares came later"
CHANNELS = "a scale per channel or block, 16 bits, and float16 came later"

#: Operators that some case is refused for, and why.
REFUSED: Dict[str, str] = {
    "BatchNormalization": "training mode",
    "BitwiseAnd": BITS,
    "BitwiseNot": BITS,
    "BitwiseOr": BITS,
    "BitwiseXor": BITS,
    "BlackmanWindow": SIGNAL,
    "DeformConv": "no kernel, and no short form",
    "DequantizeLinear": CHANNELS,
    "Dropout": "training mode",
    "GridSample": "volumes",
    "HammingWindow": SIGNAL,
    "HannWindow": SIGNAL,
    "MelWeightMatrix": SIGNAL,
    "NegativeLogLikelihoodLoss": LOSS,
    "OptionalGetElement": "optional values have no form on the board",
    "OptionalHasElement": "optional values have no form on the board",
    "Pad": COMPUTED,
    "QLinearMatMul": CHANNELS,
    "QuantizeLinear": CHANNELS,
    "ReduceMean": COMPUTED,
    "Reshape": COMPUTED,
    "Resize": "crops, and sizes that keep the aspect ratio by rounding up",
    "RoiAlign": "regions at half pixels",
    "ScatterElements": REDUCTION,
    "ScatterND": REDUCTION,
    "SoftmaxCrossEntropyLoss": LOSS,
    "Split": COMPUTED,
}


def test_what_is_refused_is_known(sweep: Sweep) -> None:
    unknown = {name: sorted(cases) for name, cases in sweep.refused.items() if name not in REFUSED}
    assert unknown == {}
    assert sorted(REFUSED) == sorted(sweep.refused), "listed as refused, but now lowered"


def test_most_cases_are_lowered(sweep: Sweep) -> None:
    assert sweep.tried > 1000
    assert sweep.lowered > 0.8 * sweep.tried
