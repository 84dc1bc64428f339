"""Shapes of all tensors by ONNX's own inference, without carrying the weights about.

Inference takes the model as bytes and gives it back as bytes. Large weights take no part in it, so
they stay at home: the copy that goes there has their sizes and no data.
"""

from __future__ import annotations

from typing import Callable, Container, Tuple

import onnx

from atlas_hpe_export.check.inference import infer_here, infer_in_child
from atlas_hpe_export.check.well_formed import is_inferable

__all__ = ["infer_shapes", "short_domain"]

#: Constants with more elements than this are never a shape, so inference gets them without data.
_MAX_ELEMENTS = 1024
#: Whether inference gets a node.
_Choice = Callable[[onnx.NodeProto], bool]
_PASSED_BY = "passed.by"  # a domain that nothing knows
_ATTRIBUTE = onnx.AttributeProto


def infer_shapes(
    model: onnx.ModelProto, operators: Container[str], *, isolated: bool
) -> Tuple[onnx.GraphProto, bool]:
    """The graph with all shapes that can be inferred, and large constants without data.

    Functions that the model defines itself are left out.

    Args:
        model: Left as it is.
        operators: Operators that take part; the others, and nodes that are not inferable, are
            passed by.
        isolated: Infer in a process of its own, see ``inference``.

    Returns:
        The graph, and whether inference came back; if not, only the file's own shapes are there.
    """
    slim = onnx.ModelProto(ir_version=model.ir_version)
    for item in model.opset_import:
        slim.opset_import.add(domain=short_domain(item.domain), version=item.version)
    opset = max((item.version for item in slim.opset_import if not item.domain), default=0)

    def takes_part(node: onnx.NodeProto) -> bool:
        return node.op_type in operators and is_inferable(node, opset)

    _copy_graph(model.graph, slim.graph, takes_part)
    if not opset:
        return slim.graph, True  # no operator of ONNX's own, so there is nothing to infer
    known = infer_in_child(slim) if isolated else infer_here(slim)
    return (slim.graph, False) if known is None else (known.graph, True)


def _copy_graph(graph: onnx.GraphProto, copy: onnx.GraphProto, takes_part: _Choice) -> None:
    copy.name = graph.name or "graph"
    copy.input.extend(graph.input)
    copy.output.extend(graph.output)
    copy.value_info.extend(graph.value_info)
    copy.sparse_initializer.extend(graph.sparse_initializer)
    for tensor in graph.initializer:
        copy.initializer.append(_slim_tensor(tensor))
    for node in graph.node:
        _copy_node(node, copy.node.add(), takes_part)


def _copy_node(node: onnx.NodeProto, copy: onnx.NodeProto, takes_part: _Choice) -> None:
    copy.input.extend(node.input)
    copy.output.extend(node.output)
    copy.name, copy.op_type, copy.domain = node.name, node.op_type, short_domain(node.domain)
    for item in node.attribute:
        if item.type == _ATTRIBUTE.TENSOR:
            slim = copy.attribute.add(name=item.name, type=item.type)
            slim.t.CopyFrom(_slim_tensor(item.t))
        elif item.type == _ATTRIBUTE.GRAPH:
            slim = copy.attribute.add(name=item.name, type=item.type)
            _copy_graph(item.g, slim.g, takes_part)
        else:
            copy.attribute.append(item)
    if not takes_part(copy):
        copy.domain = _PASSED_BY


def _slim_tensor(tensor: onnx.TensorProto) -> onnx.TensorProto:
    elements = 1
    for size in tensor.dims:
        elements *= size
    outside = tensor.data_location == onnx.TensorProto.EXTERNAL
    if elements <= _MAX_ELEMENTS and not outside:
        return tensor
    return onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)


def short_domain(name: str) -> str:
    """ONNX's own domain has two spellings, ``""`` and ``"ai.onnx"``; inference knows the first."""
    return "" if name == "ai.onnx" else name
