"""A graph as the board computes it: values stored in fp16, sums taken in fp32.

``atc`` compiles for the Ascend 310 with ``force_fp16`` unless told otherwise: every operator that
has an fp16 kernel uses it, and the matrix unit multiplies fp16 and adds up in fp32 (ascend.md
section 3.2). So the emulation rounds what is stored and leaves what is added up alone: weights,
inputs and every float tensor that a node makes are numbers of fp16; inside a node ONNX Runtime
computes in float32. Overflow gives infinity, as IEEE 754 says. Softmax, ReduceSum and the like add
up in float32 here, so a sum that overflows only inside such a kernel is not seen. Integers stay as
they are, and so do float64 and bfloat16, which the board does not have.

It is the emulation of the export's parity ladder, for where there is no onnx package.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Mapping, Set, Tuple

import numpy as np

from atlas_hpe.errors import ModelFileError
from atlas_hpe.protowire import WireError
from atlas_hpe_runtime.simulator.engine import open_engine
from atlas_hpe_runtime.simulator.onnx_edit import (
    FLOAT,
    FLOAT16,
    OnnxGraph,
    OnnxNode,
    OnnxTensor,
    cast_node,
    parse_graph,
)

__all__ = ["half_graph"]

#: Operator -> inputs that say how to compute: the compiler reads them, the device stores none.
_PARAMETERS: Mapping[str, Tuple[int, ...]] = {
    "NonMaxSuppression": (3, 4),
    "Resize": (1, 2),
    "Upsample": (1,),
}


def half_graph(onnx: bytes) -> bytes:
    """The same graph with everything that is stored rounded to fp16; see the module for what it is.

    Inputs and outputs keep their names and types. Inside, every float16 tensor becomes a float32
    one: ONNX Runtime has no float16 kernels on a processor, and would round at fewer places than
    the board. The rounded value carries a tensor's name, ``<name>/fp32`` is what was rounded.

    Args:
        onnx: An ONNX file of opset 7 or later, weights included.

    Returns:
        An ONNX file.

    Raises:
        MissingExtraError: onnxruntime is not installed: it tells the types of the tensors.
        ModelFileError: Not an ONNX file, one that ONNX Runtime does not take, or one with weights
            in other files, sparse weights, functions, or graphs inside nodes.
    """
    graph = parse_graph(onnx, widen=True)
    try:
        return _round_graph(graph).encode()
    except WireError as error:
        raise ModelFileError("a weight of the model is damaged", why=str(error)) from error


def _round_graph(graph: OnnxGraph) -> OnnxGraph:
    names = _Names(graph)
    casts = _round_inputs(graph, names)
    _round_tensors(graph, names)
    for node in graph.nodes:
        names.reroute(node)
    floats = _find_floats(replace(graph, nodes=casts + graph.nodes))
    graph.nodes = casts + _round_results(graph, names, floats)
    return graph


class _Names:
    """The names of a graph, and by which ones nodes read a tensor.

    Attributes:
        rounded: Tensor -> name of its rounded value, where that is not its own.
        exact: Tensor -> name of its value in float32, where that is not its own.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self._taken: Set[str] = {*graph.inputs, *(tensor.name for tensor in graph.tensors)}
        for node in graph.nodes:
            self._taken.update((*node.inputs, *node.outputs))
        self.rounded: Dict[str, str] = {}
        self.exact: Dict[str, str] = {}

    def fresh(self, name: str) -> str:
        """A name that no tensor has."""
        count, free = 0, name
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free

    def reroute(self, node: OnnxNode) -> None:
        """Let a node read rounded values, and its parameters exactly."""
        parameters = _parameters_of(node)
        for index, name in enumerate(node.inputs):
            source = self.exact if index in parameters else self.rounded
            node.inputs[index] = source.get(name, name)


def _parameters_of(node: OnnxNode) -> Tuple[int, ...]:
    return () if node.domain else _PARAMETERS.get(node.op_type, ())


def _round_inputs(graph: OnnxGraph, names: _Names) -> List[OnnxNode]:
    """The nodes that round the inputs, or widen them where they are float16 already."""
    nodes: List[OnnxNode] = []
    for name, value in graph.inputs.items():
        if value.dtype not in (FLOAT, FLOAT16):
            continue
        names.rounded[name] = names.fresh(name + "/rounded")
        if value.dtype == FLOAT16:
            nodes.append(cast_node(name, names.rounded[name], FLOAT))
        else:
            nodes += _rounding(name, names.fresh(name + "/half"), names.rounded[name], names)
    return nodes


def _rounding(exact: str, half: str, rounded: str, names: _Names) -> List[OnnxNode]:
    """There and back. ONNX Runtime before 1.15 drops a Cast right behind another: not this one."""
    shape, same = names.fresh(exact + "/shape"), names.fresh(half + "/same")
    return [
        cast_node(exact, half, FLOAT16),
        OnnxNode("Shape", [exact], [shape]),
        OnnxNode("Reshape", [half, shape], [same]),
        cast_node(same, rounded, FLOAT),
    ]


def _round_tensors(graph: OnnxGraph, names: _Names) -> None:
    parameters = {
        node.inputs[index]
        for node in graph.nodes
        for index in _parameters_of(node)
        if index < len(node.inputs)
    }
    tensors: List[OnnxTensor] = []
    for tensor in graph.tensors:
        if tensor.dtype != FLOAT or tensor.name in graph.inputs:
            tensors.append(tensor)  # the default of an input is rounded where it is read
            continue
        values = tensor.values()
        if tensor.name in parameters:
            names.exact[tensor.name] = names.fresh(tensor.name + "/fp32")
            tensors.append(tensor.with_values(values, names.exact[tensor.name]))
        with np.errstate(over="ignore"):
            tensors.append(tensor.with_values(values.astype(np.float16), tensor.name))
    graph.tensors = tensors


def _find_floats(graph: OnnxGraph) -> Set[str]:
    """The results of nodes that are float32 tensors, as ONNX Runtime infers it."""
    results = [name for node in graph.nodes for name in node.outputs if name]
    session = open_engine(graph.encode(results), optimise=False)
    return {item.name for item in session.get_outputs() if item.type == "tensor(float)"}


def _round_results(graph: OnnxGraph, names: _Names, floats: Set[str]) -> List[OnnxNode]:
    """The nodes and those that round what they make; an output of float16 becomes so again."""
    halves = {name for name, value in graph.outputs.items() if value.dtype == FLOAT16} & floats
    for name in sorted(halves):
        names.rounded[name] = names.fresh(name + "/rounded")
    nodes: List[OnnxNode] = []
    for node in graph.nodes:
        names.reroute(node)
        nodes.append(node)
        for index, name in enumerate(node.outputs):
            if name not in floats:
                continue
            exact = names.exact[name] = node.outputs[index] = names.fresh(name + "/fp32")
            half = name if name in halves else names.fresh(name + "/half")
            nodes += _rounding(exact, half, names.rounded.get(name, name), names)
    return nodes
