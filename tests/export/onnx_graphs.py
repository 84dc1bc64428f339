"""Small ONNX graphs, and what a lowered one is held to."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence, Tuple

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from atlas_hpe.errors import CheckFailedError
from atlas_hpe_export.graph import Guard, as_ir, as_proto
from atlas_hpe_export.lowering import LADDER, lower
from atlas_hpe_export.runners import run_model

IR_VERSION = 10  # of ONNX 1.16, the release of opset 21

RNG = np.random.default_rng(0)

Arrays = Mapping[str, np.ndarray]


def make_model(
    nodes: Sequence[onnx.NodeProto],
    feeds: Arrays,
    outputs: Sequence[str],
    *,
    opset: int,
    constants: Optional[Arrays] = None,
    domains: Sequence[Tuple[str, int]] = (),
) -> onnx.ModelProto:
    """A model whose inputs have the shapes and types of the feeds."""
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in feeds.items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        inputs,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name, version) for name, version in domains]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def one_node(
    op_type: str,
    feeds: Arrays,
    *,
    opset: int,
    constants: Optional[Arrays] = None,
    order: Optional[Sequence[str]] = None,
    outputs: Sequence[str] = ("y",),
    **attributes: object,
) -> onnx.ModelProto:
    """A model of one node named ``/net/<op_type>``, its inputs in order: feeds, then constants."""
    names = list(order or [*feeds, *(constants or {})])
    node = helper.make_node(op_type, names, list(outputs), name=f"/net/{op_type}", **attributes)
    present = [name for name in outputs if name]
    return make_model([node], feeds, present, opset=opset, constants=constants)


def lowered(model: onnx.ModelProto, feeds: Arrays, *, share: float = 1e-6) -> onnx.ModelProto:
    """The model at opset 11: valid, and with the values of before to a share of the largest."""
    edited = as_ir(model)
    lower(edited, LADDER, 11, Guard(model, [feeds]))
    after = as_proto(edited)
    assert [(item.domain, item.version) for item in after.opset_import if not item.domain] == [
        ("", 11)
    ]
    onnx.checker.check_model(after, full_check=True)
    (expected,), (found,) = run_model(model, [feeds]), run_model(after, [feeds])
    assert list(expected) == list(found)
    for name, want in expected.items():
        have = found[name]
        assert (have.dtype, have.shape) == (want.dtype, want.shape)
        if want.dtype.kind == "f":
            known = np.abs(want[np.isfinite(want)])
            limit = share * max(1.0, float(known.max(initial=0.0)))
            np.testing.assert_allclose(have, want, rtol=0, atol=limit)
        else:
            np.testing.assert_array_equal(have, want)
    return after


def operators(model: onnx.ModelProto) -> Sequence[str]:
    """Operators in order, Constant nodes aside."""
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def draw(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Normal noise, or integers of up to ten; booleans are even."""
    if dtype == "bool":
        return RNG.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return RNG.standard_normal(shape).astype(dtype)
    low = 0 if dtype.startswith("u") else -9
    return RNG.integers(low, 10, shape).astype(dtype)


def ints(*numbers: int) -> np.ndarray:
    """Sizes, axes or pads."""
    return np.array(numbers, np.int64)


def refused(model: onnx.ModelProto, **feeds: np.ndarray) -> str:
    """Run the ladder on a model that it has to refuse; the nodes and the reasons."""
    with pytest.raises(CheckFailedError, match="no form at opset 11") as caught:
        lowered(model, feeds)
    return str(caught.value.where)
