"""Graphs of a few nodes for the rules of the check, and short forms to write them with."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import onnx
from onnx import helper, numpy_helper

from atlas_hpe_export.check import CheckReport, Finding, check_onnx

Shape = Sequence[Union[int, str, None]]
IMAGE: Mapping[str, Shape] = {"x": (1, 3, 8, 8)}


def node(
    op_type: str,
    inputs: str = "x",
    outputs: str = "y",
    *,
    name: Optional[str] = None,
    domain: str = "",
    **attributes: object,
) -> onnx.NodeProto:
    """A node; names are separated by blanks, ``_`` is an input or output that is left out."""
    names = [["" if item == "_" else item for item in text.split()] for text in (inputs, outputs)]
    return helper.make_node(
        op_type,
        *names,
        name=f"/body/{op_type}" if name is None else name,
        domain=domain,
        **attributes,
    )


def constant(array: object, outputs: str = "c", dtype: object = np.float32) -> onnx.NodeProto:
    """A Constant node."""
    return node("Constant", "", outputs, value=numpy_helper.from_array(np.asarray(array, dtype)))


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape] = IMAGE,
    *,
    dtypes: Optional[Mapping[str, int]] = None,
    outputs: Sequence[str] = ("y",),
    weights: Optional[Mapping[str, object]] = None,
    opset: int = 11,
    others: Sequence[Tuple[str, int]] = (),
    ir_version: int = 6,
) -> onnx.ModelProto:
    """A model; outputs have no stated type, weights are float32 unless they are arrays."""
    tensors = [
        numpy_helper.from_array(
            item if isinstance(item, np.ndarray) else np.asarray(item, np.float32), name
        )
        for name, item in (weights or {}).items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [
            helper.make_tensor_value_info(
                name, (dtypes or {}).get(name, onnx.TensorProto.FLOAT), shape
            )
            for name, shape in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        tensors,
    )
    imports = [helper.make_opsetid("", opset)] if opset else []
    imports += [helper.make_opsetid(domain, version) for domain, version in others]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def body(
    nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], name: str = "body"
) -> onnx.GraphProto:
    """A branch of an If."""
    return helper.make_graph(list(nodes), name, [], [onnx.ValueInfoProto(name=o) for o in outputs])


def rules_of(report: CheckReport) -> List[str]:
    """Ids of the rules that found something, in order, each once."""
    return list(dict.fromkeys(item.rule for item in report.findings))


def findings_of(proto: onnx.ModelProto, rule: str, *, cann: str = "6.0") -> Tuple[Finding, ...]:
    """What one rule finds in a model."""
    return tuple(item for item in check_onnx(proto, cann=cann).findings if item.rule == rule)


INTS = onnx.TensorProto.INT64
