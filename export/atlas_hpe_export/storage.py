"""A graph in half precision: half the file, and what the board computes in anyway."""

from __future__ import annotations

from typing import List, Set, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe_export.steps import Step

__all__ = ["PRECISIONS", "is_stored_half", "store_graph", "widen_graph"]

#: How a file may hold the graph; ``atc`` computes in float16 by default (ascend.md section 3).
PRECISIONS = ("float32", "float16")
_LARGEST = float(np.finfo(np.float16).max)


def store_graph(model: onnx.ModelProto, precision: str) -> Tuple[onnx.ModelProto, Tuple[Step, ...]]:
    """Turn weights and values inside a float32 graph into float16; its interface stays.

    A Cast stands behind each input and before each output. The weights stay plain constants,
    because the compiler's plugins do not look through a Cast (ascend.md section 3.7). ONNX Runtime
    has no float16 kernels on a processor and computes such a graph in float32, at the same speed.

    Args:
        model: A graph that is final; left as it is.
        precision: One of ``PRECISIONS``.

    Raises:
        UsageError: Unknown precision.
        CheckFailedError: A weight does not fit into float16, or the graph holds other graphs.
    """
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise UsageError(f"unknown precision '{precision}'", fix=f"choose one of {known}")
    if precision == "float32":
        return model, ()
    stored = onnx.ModelProto()
    stored.CopyFrom(model)
    graph = stored.graph
    del graph.value_info[:]
    kept = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
    count = _halve_constants(graph, kept)
    before, after = _cast_inputs(graph), _cast_outputs(graph)
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(stored, full_check=True)
    why = "weights rounded to 11 bits, as the board's compiler does by default"
    return stored, (Step("float16", "applied", why, count=count),)


def is_stored_half(model: onnx.ModelProto) -> bool:
    """Whether the weights are float16 while the interface is not, as ``store_graph`` leaves it."""
    infos = (*model.graph.input, *model.graph.output)
    kinds = {info.type.tensor_type.elem_type for info in infos}
    stored = {item.data_type for item in model.graph.initializer}
    return TensorProto.FLOAT16 in stored and TensorProto.FLOAT16 not in kinds


def widen_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float32 graph with the rounded numbers of one that ``store_graph`` made.

    Args:
        model: A graph for which ``is_stored_half`` holds; left as it is.
    """
    widened = onnx.ModelProto()
    widened.CopyFrom(model)
    graph = widened.graph
    del graph.value_info[:]
    tensors = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant":
                tensors.append(attribute.t)
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return widened


def _halve_constants(graph: onnx.GraphProto, kept: Set[str]) -> int:
    """Initializers, Constant nodes and Casts; `kept` names what an operator wants in float32."""
    tensors = [item for item in graph.initializer if item.name not in kept]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise CheckFailedError(
                    "a graph inside a node can't be stored in float16",
                    where=f"{node.op_type} '{node.name}'",
                    fix="store the file in float32",
                )
            if node.op_type == "Constant" and node.output[0] not in kept:
                tensors.append(attribute.t)
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    halved = [tensor for tensor in tensors if tensor.data_type == TensorProto.FLOAT]
    for tensor in halved:
        tensor.CopyFrom(numpy_helper.from_array(_halve(tensor), tensor.name))
    return len(halved)


def _halve(tensor: TensorProto) -> np.ndarray:
    values = numpy_helper.to_array(tensor)
    largest = float(np.abs(values).max()) if values.size else 0.0
    if not largest <= _LARGEST:
        raise CheckFailedError(
            "a constant does not fit into float16",
            where=tensor.name,
            why=f"its largest magnitude is {largest:g}, float16 ends at {_LARGEST:g}",
            fix="store the file in float32; the board, which computes in float16, will overflow",
        )
    halved: np.ndarray = values.astype(np.float16)
    return halved


def _cast_inputs(graph: onnx.GraphProto) -> List[onnx.NodeProto]:
    casts = []
    for info in graph.input:
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            _rename(graph, info.name, f"{info.name}_float16")
            casts.append(_cast(info.name, f"{info.name}_float16", TensorProto.FLOAT16))
    return casts


def _cast_outputs(graph: onnx.GraphProto) -> List[onnx.NodeProto]:
    casts = []
    for info in graph.output:
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            _rename(graph, info.name, f"{info.name}_float16")
            casts.append(_cast(f"{info.name}_float16", info.name, TensorProto.FLOAT))
    return casts


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new


def _cast(source: str, result: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=f"{result}_cast", to=kind)
