"""What flows between the nodes of a graph: listing it, cutting the graph, running the parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
from google.protobuf.message import EncodeError
from onnx import TensorProto, helper

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export.check.module_path import find_module
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.runners import open_runner
from atlas_hpe_export.wording import first_line

__all__ = [
    "NodeTensor",
    "cut_graph",
    "group_tensors",
    "infer_graph",
    "inputs_of",
    "list_tensors",
    "run_tensors",
    "tensor_info",
]

_FLOAT_BYTES = 4
_MAX_GROUP_BYTES = 256 << 20
_INFERENCE_ERRORS = (
    onnx.shape_inference.InferenceError,
    onnx.defs.SchemaError,
    EncodeError,
    ValueError,
)


@dataclass(frozen=True)
class NodeTensor:
    """A float32 tensor that a node makes.

    Attributes:
        name: Name of the tensor.
        shape: Static shape, None when it is not known without running.
        node: Name of the node; the tensor's where the node has none.
        op_type: Operator.
        module: Path of the PyTorch module, with dots; ``""`` for the outermost one, None when
            nothing tells.
    """

    name: str
    shape: Optional[Tuple[int, ...]]
    node: str
    op_type: str
    module: Optional[str]

    @property
    def bytes(self) -> Optional[int]:
        """Size in memory, None when the shape is not known."""
        if self.shape is None:
            return None
        return _FLOAT_BYTES * int(np.prod(self.shape, dtype=np.int64))


def infer_graph(model: onnx.ModelProto) -> onnx.GraphProto:
    """A copy of the graph with the shapes and types that ONNX's own inference knows.

    Raises:
        ModelFileError: The graph contradicts itself, or is larger than 2 GiB.
    """
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except _INFERENCE_ERRORS as error:
        raise ModelFileError(
            "the shapes of the graph can't be inferred",
            why=first_line(error),
            fix="look at the graph with: atlas-hpe check",
        ) from error


def list_tensors(model: onnx.ModelProto) -> Tuple[NodeTensor, ...]:
    """All float32 tensors that nodes make of the inputs, in the order of the graph.

    Left out are constants, which belong to the nodes that read them, and what is inside If, Loop
    and Scan, which has no one value in a run.
    """
    known = infer_graph(model)
    types = {info.name: info.type for info in (*known.value_info, *known.output)}
    varying = {info.name for info in model.graph.input}
    found: List[NodeTensor] = []
    for node in model.graph.node:
        if varying.isdisjoint(inputs_of(node)):
            continue
        varying.update(node.output)
        for name in node.output:
            kind = types.get(name)
            if kind is not None and kind.tensor_type.elem_type == TensorProto.FLOAT:
                label, module = node.name or name, find_module(node)
                found.append(NodeTensor(name, _shape(kind), label, node.op_type, module))
    return tuple(found)


def _shape(kind: onnx.TypeProto) -> Optional[Tuple[int, ...]]:
    tensor = kind.tensor_type
    if not tensor.HasField("shape"):
        return None
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def group_tensors(
    tensors: Sequence[NodeTensor], max_bytes: int = _MAX_GROUP_BYTES
) -> Iterator[List[NodeTensor]]:
    """Split tensors, in order, into groups that fit into memory together.

    A tensor that is larger than the limit, or whose size is not known, is a group of its own.
    """
    group: List[NodeTensor] = []
    used = 0
    for tensor in tensors:
        size = max_bytes if tensor.bytes is None else tensor.bytes
        if group and used + size > max_bytes:
            yield group
            group, used = [], 0
        group.append(tensor)
        used += size
    if group:
        yield group


def run_tensors(
    model: onnx.ModelProto, names: Sequence[str], feeds: Feeds
) -> Dict[str, np.ndarray]:
    """Run a model as far as some of its float32 tensors.

    Args:
        model: Left as it is.
        names: Tensors that nodes make, or inputs of the graph.
        feeds: An array per input of the graph.

    Returns:
        Name -> value.
    """
    values = {name: np.asarray(feeds[name]) for name in names if name in feeds}
    made = [name for name in names if name not in values]
    if made:
        cut = cut_graph(model, [tensor_info(name) for name in made])
        needed = {info.name: feeds[info.name] for info in cut.graph.input if info.name in feeds}
        with open_runner(cut) as run:
            values.update(run(needed))
    return values


def tensor_info(name: str, array: Optional[np.ndarray] = None) -> onnx.ValueInfoProto:
    """The declaration of a tensor: of an array's shape and type, or float32 of any shape."""
    if array is None:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)


def cut_graph(
    model: onnx.ModelProto,
    ends: Sequence[onnx.ValueInfoProto],
    starts: Optional[Mapping[str, onnx.ValueInfoProto]] = None,
) -> onnx.ModelProto:
    """The part of a graph that makes some tensors, with nothing in it that they do not need.

    Args:
        model: Left as it is.
        ends: Outputs of the part.
        starts: Tensors that are fed instead of made; the walk back from the ends stops there. One
            that is not met is no input of the part.
    """
    starts = starts or {}
    graph = model.graph
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    kept: Set[int] = set()
    met: Set[str] = set()
    waiting = [info.name for info in ends]
    while waiting:
        name = waiting.pop()
        if name in met:
            continue
        met.add(name)
        index = makers.get(name)
        if index is None or name in starts or index in kept:
            continue
        kept.add(index)
        waiting += inputs_of(graph.node[index])
    part = onnx.ModelProto(ir_version=model.ir_version)
    part.opset_import.extend(model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = graph.name or "part"
    part.graph.node.extend(graph.node[index] for index in sorted(kept))
    _hide_starts(part.graph, starts)
    part.graph.initializer.extend(item for item in graph.initializer if item.name in met)
    part.graph.input.extend(starts[name] for name in starts if name in met)
    fed = met - set(starts)
    part.graph.input.extend(info for info in graph.input if info.name in fed)
    part.graph.output.extend(ends)
    return part


def _hide_starts(graph: onnx.GraphProto, starts: Mapping[str, onnx.ValueInfoProto]) -> None:
    """A node that is kept for one output may make a start by another: its result is not used."""
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name in starts:
                node.output[index] = name + "/unused"


def inputs_of(node: onnx.NodeProto) -> List[str]:
    """Names of the tensors that a node reads, with those that flow in the graphs inside it."""
    names = [name for name in node.input if name]
    for item in node.attribute:
        if item.type == onnx.AttributeProto.GRAPH:
            names += [name for inner in item.g.node for name in inputs_of(inner)]
    return names
