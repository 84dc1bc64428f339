"""Shape arithmetic done ahead, as the compiler does it.

Exporters write ``x.view(x.size(0), -1)`` as Shape, Gather, Unsqueeze, Concat and Reshape. ONNX's
own inference follows such a chain at some opsets only, and where it does not, everything after it
has no shape. Only small tensors and operators that can't grow them are computed here, by the
reference implementation that comes with onnx.
"""

from __future__ import annotations

from typing import Dict, List, Optional

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

__all__ = ["fold_arithmetic"]

_MAX_ELEMENTS = 1024
_FOLDED = frozenset(
    {
        "Add",
        "Cast",
        "Ceil",
        "Concat",
        "Div",
        "Equal",
        "Floor",
        "Gather",
        "Identity",
        "Mul",
        "ReduceProd",
        "Reshape",
        "Size",
        "Slice",
        "Squeeze",
        "Sub",
        "Unsqueeze",
        "Where",
    }
)
_FAILURES = (
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
    onnx.checker.ValidationError,
)
Arrays = Dict[str, np.ndarray]


def fold_arithmetic(graph: onnx.GraphProto, known: onnx.GraphProto, opset: int) -> int:
    """Replace nodes whose small results are certain by Constant nodes, in place and at their place.

    Args:
        graph: Outermost graph; large constants may be without data.
        known: The same graph with the shapes that inference found.
        opset: Opset of ONNX's own domain.

    Returns:
        How many nodes were replaced.
    """
    shapes = _static_shapes(known)
    arrays = _small_constants(graph)
    count = 0
    for node in graph.node:
        result = _result(node, arrays, shapes, opset)
        if result is not None and result.size <= _MAX_ELEMENTS:
            arrays[node.output[0]] = result
            if node.op_type != "Constant":
                _make_constant(node, result)
                count += 1
    return count


def _static_shapes(known: onnx.GraphProto) -> Dict[str, List[int]]:
    shapes = {}
    for info in (*known.value_info, *known.input, *known.output):
        tensor = info.type.tensor_type
        sizes = [dim.dim_value for dim in tensor.shape.dim if dim.HasField("dim_value")]
        if tensor.HasField("shape") and len(sizes) == len(tensor.shape.dim):
            shapes[info.name] = sizes
    for item in known.initializer:
        shapes[item.name] = list(item.dims)
    return shapes


def _small_constants(graph: onnx.GraphProto) -> Arrays:
    found = {}
    for tensor in graph.initializer:
        array = _read(tensor)
        if array is not None:
            found[tensor.name] = array
    return found


def _read(tensor: onnx.TensorProto) -> Optional[np.ndarray]:
    """The values, None for those that were left at home or are damaged."""
    try:
        array = numpy_helper.to_array(tensor)
    except _FAILURES:
        return None
    return array if array.size <= _MAX_ELEMENTS and array.dtype.kind in "iufb" else None


def _result(
    node: onnx.NodeProto, arrays: Arrays, shapes: Dict[str, List[int]], opset: int
) -> Optional[np.ndarray]:
    if node.domain or len(node.output) != 1:
        return None
    if node.op_type == "Constant":
        tensors = [item.t for item in node.attribute if item.name == "value"]
        return _read(tensors[0]) if tensors else None
    if node.op_type == "Shape" and not node.attribute and node.input:
        sizes = shapes.get(node.input[0])
        return None if sizes is None else np.array(sizes, np.int64)
    names = [name for name in node.input if name]
    if node.op_type not in _FOLDED or not names or not all(name in arrays for name in names):
        return None
    return _compute(node, {name: arrays[name] for name in names}, opset)


def _compute(node: onnx.NodeProto, feeds: Arrays, opset: int) -> Optional[np.ndarray]:
    if any(
        item.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
        for item in node.attribute
    ):
        return None
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in feeds.items()
    ]
    graph = helper.make_graph([node], "node", inputs, [onnx.ValueInfoProto(name=node.output[0])])
    try:
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        with np.errstate(all="ignore"):
            (found,) = ReferenceEvaluator(model).run(None, feeds)
    except _FAILURES:
        return None
    return found if isinstance(found, np.ndarray) else None


def _make_constant(node: onnx.NodeProto, array: np.ndarray) -> None:
    node.op_type = "Constant"
    del node.input[:]
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(array)))
