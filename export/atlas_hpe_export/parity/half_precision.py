"""The graph as the board computes it: values stored in fp16, sums taken in fp32.

``atc`` compiles for the Ascend 310 with ``force_fp16`` unless told otherwise: every operator that
has an fp16 kernel uses it, and the matrix unit multiplies fp16 and adds up in fp32 (ascend.md
section 3.2). So the emulation rounds what is stored and leaves what is added up alone:

- weights and graph inputs are rounded to fp16;
- each float tensor that a node makes goes through fp16 before another node reads it;
- inside a node ONNX Runtime computes in float32.

What it is not:

- Overflow gives infinity, as IEEE 754 says; whether a kernel saturates at 65504 is not documented.
- Element by element, the vector unit works in fp16 inside an operator too. Softmax, ReduceSum,
  LayerNormalization and GlobalAveragePool add up in float32 here, so a sum that overflows only
  inside such a kernel is not seen.
- Kernels that ``atc`` fuses, such as convolution, batch norm and ReLU, may keep more digits between
  their parts. Rounding after each part is the careful guess. In front of a ReLU, a Reshape or a
  MaxPool it changes nothing: these give fp16 numbers for fp16 numbers.
- Integers stay as wide as they are, while the board makes int32 of int64.
- Attributes, such as an epsilon or a slope, stay float32, and so do the scales of a Resize: the
  compiler reads them, the device does not store them.
- An operator without an fp16 kernel works in fp32 on the board, between two casts: as here.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, inliner, numpy_helper

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export.model_file import read_tensor
from atlas_hpe_export.parity.intermediates import infer_graph
from atlas_hpe_export.storage import is_stored_half, widen_graph

__all__ = ["emulate_half"]

#: Operator -> inputs that say how to compute and hold no data.
_PARAMETERS: Mapping[str, Tuple[int, ...]] = {
    "NonMaxSuppression": (3, 4),
    "Resize": (1, 2),
    "Upsample": (1,),
}


def emulate_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with everything that is stored rounded to fp16; see the module for what it is.

    Tensors keep their names, the rounded value carrying the name, so the result can be compared
    with the model layer by layer. Inputs and outputs keep their names and types. The opset stays.

    Args:
        model: Any ONNX model whose weights are in memory; left as it is.

    Raises:
        ModelFileError: Weights in other files, sparse or damaged ones, or an operator whose output
            type ONNX does not know.
    """
    if is_stored_half(model):
        model = widen_graph(model)
    if model.functions:
        model = inliner.inline_local_functions(model)
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    emulation = _Emulation(rounded.graph)
    emulation.round_graph(rounded.graph, infer_graph(model), emulation.round_inputs())
    return rounded


class _Emulation:
    """Rounds a graph and the graphs inside its nodes, in place."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        nodes = list(_all_nodes(graph))
        self._taken: Set[str] = set()
        for node in nodes:
            self._taken.update((node.name, *node.input, *node.output))
        self._inputs = [info.name for info in graph.input if _is_float(info.type)]
        self._parameters = {node.input[index] for node in nodes for index in _parameters_of(node)}
        # Tensor -> the name that nodes read it by: rounded, where that is not its own, and exact.
        self._rounded: Dict[str, str] = {}
        self._exact: Dict[str, str] = {}

    def round_inputs(self) -> List[onnx.NodeProto]:
        """The nodes that round the float inputs of the model, which keep their own names."""
        casts: List[onnx.NodeProto] = []
        for name in self._inputs:
            self._rounded[name] = self._fresh(name + "/rounded")
            casts += self._casts(name, name, self._rounded[name])
        return casts

    def round_graph(
        self, graph: onnx.GraphProto, known: onnx.GraphProto, first: Sequence[onnx.NodeProto] = ()
    ) -> None:
        """Round a graph in place.

        Args:
            graph: The graph.
            known: The same graph with inferred types.
            first: Nodes to put in front.
        """
        self._round_constants(graph)
        types = {info.name: info.type for info in (*known.value_info, *known.output)}
        nodes = list(first)
        for node, twin in zip(graph.node, known.node):
            self._reroute_inputs(node)
            for item, like in zip(node.attribute, twin.attribute):
                if item.type == onnx.AttributeProto.GRAPH:
                    self.round_graph(item.g, like.g)
            nodes += [node, *self._round_outputs(node, types)]
        result = [_copy(node) for node in nodes]  # emptying the field takes its nodes away
        del graph.node[:]
        graph.node.extend(result)

    def _round_constants(self, graph: onnx.GraphProto) -> None:
        if graph.sparse_initializer:
            raise ModelFileError(
                "sparse weights can't be rounded", fix="store them as dense tensors"
            )
        for tensor in list(graph.initializer):
            if tensor.data_type != TensorProto.FLOAT or tensor.name in self._inputs:
                continue  # a default of an input is rounded where it is read
            if tensor.data_location == TensorProto.EXTERNAL:
                raise ModelFileError(
                    "the weights are not in memory",
                    where=tensor.name,
                    fix="load the model with onnx.load, which reads them",
                )
            if tensor.name in self._parameters:
                exact = graph.initializer.add()
                exact.CopyFrom(tensor)
                exact.name = self._exact[tensor.name] = self._fresh(tensor.name + "/fp32")
            with np.errstate(over="ignore"):
                values = read_tensor(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    def _reroute_inputs(self, node: onnx.NodeProto) -> None:
        parameters = _parameters_of(node)
        for index, name in enumerate(node.input):
            source = self._exact if index in parameters else self._rounded
            node.input[index] = source.get(name, name)

    def _round_outputs(
        self, node: onnx.NodeProto, types: Mapping[str, onnx.TypeProto]
    ) -> List[onnx.NodeProto]:
        casts: List[onnx.NodeProto] = []
        for index, name in enumerate(node.output):
            if not name:
                continue
            if not _is_known(types.get(name)):
                operator = f"{node.domain or 'ai.onnx'}::{node.op_type}"
                raise ModelFileError(
                    f"the element type of '{name}' is not known",
                    where=node.name or None,
                    why=f"ONNX can't tell what {operator} gives here",
                    fix="emulate the graph that was made for the board, which has plain operators",
                )
            if _is_float(types[name]):
                self._exact[name] = node.output[index] = self._fresh(name + "/fp32")
                casts += self._casts(node.name or name, self._exact[name], name)
        return casts

    def _casts(self, stem: str, exact: str, rounded: str) -> List[onnx.NodeProto]:
        """There and back; ONNX Runtime keeps such a pair, as it is not the identity."""
        half = self._fresh(rounded + "/half")
        there = helper.make_node("Cast", [exact], [half], to=TensorProto.FLOAT16)
        back = helper.make_node("Cast", [half], [rounded], to=TensorProto.FLOAT)
        for node in (there, back):
            node.name = self._fresh(stem + "/Cast")
        return [there, back]

    def _fresh(self, name: str) -> str:
        count, free = 0, name
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free


def _is_known(kind: Optional[onnx.TypeProto]) -> bool:
    form = None if kind is None else kind.WhichOneof("value")
    if kind is None or form != "tensor_type":
        return form is not None  # sequences and the like hold tensors that are rounded already
    return bool(kind.tensor_type.elem_type != TensorProto.UNDEFINED)


def _is_float(kind: onnx.TypeProto) -> bool:
    return bool(kind.tensor_type.elem_type == TensorProto.FLOAT)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for item in node.attribute:
            if item.type == onnx.AttributeProto.GRAPH:
                yield from _all_nodes(item.g)


def _parameters_of(node: onnx.NodeProto) -> Tuple[int, ...]:
    """Indices of the inputs that are no data."""
    indices = () if node.domain else _PARAMETERS.get(node.op_type, ())
    return tuple(index for index in indices if index < len(node.input))


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
