"""What ONNX's own inference knows of one node's outputs."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Tuple

import onnx
import onnx_ir as ir

from atlas_hpe_export.graph.facts import constant_of

__all__ = ["infer_outputs"]

_ERRORS = (onnx.shape_inference.InferenceError, onnx.defs.SchemaError, RuntimeError)
_MOST_ELEMENTS = 64  # of a constant that may hold sizes or axes
_Shape = Optional[Tuple[int, ...]]


def infer_outputs(
    node: ir.Node, opset: int, shape_of: Optional[Callable[[ir.Value], _Shape]] = None
) -> Dict[str, onnx.TypeProto]:
    """Types and shapes of a node's outputs by name; empty where the inference knows nothing.

    Args:
        node: A node whose inputs have types.
        opset: Opset in whose form it is written.
        shape_of: Shapes that its inputs shall have instead of their own.
    """
    present = [value for value in node.inputs if value is not None]
    if node.domain or any(value.type is None for value in present):
        return {}
    types, data = {}, {}
    for value in present:
        proto = onnx.ValueInfoProto()
        ir.serde.serialize_value_into(proto, value)
        types[value.name or ""] = proto.type
        if shape_of is not None:
            _set_shape(proto.type, shape_of(value))
        array = constant_of(value)
        if array is not None and array.size <= _MOST_ELEMENTS:
            data[value.name or ""] = onnx.numpy_helper.from_array(array, value.name)
    try:
        schema = onnx.defs.get_schema(node.op_type, opset)
        found: Dict[str, onnx.TypeProto] = onnx.shape_inference.infer_node_outputs(
            schema,
            ir.to_proto(node),
            types,
            data,
            opset_imports=[onnx.helper.make_opsetid("", opset)],
        )
    except _ERRORS:
        return {}
    return {name: kind for name, kind in found.items() if kind.HasField("tensor_type")}


def _set_shape(kind: onnx.TypeProto, shape: _Shape) -> None:
    kind.tensor_type.ClearField("shape")
    for size in shape or ():
        kind.tensor_type.shape.dim.add(dim_value=size)
    if shape == ():
        kind.tensor_type.shape.SetInParent()
