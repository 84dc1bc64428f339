"""What ONNX itself says about an operator's form one opset below."""

from __future__ import annotations

from typing import Optional

import onnx
import onnx_ir as ir

__all__ = ["find_news", "is_changed"]


def is_changed(op_type: str, version: int) -> bool:
    """Whether the operator came or changed with this opset."""
    try:
        return bool(onnx.defs.get_schema(op_type, version).since_version == version)
    except onnx.defs.SchemaError:
        return True


def find_news(node: ir.Node, version: int) -> Optional[str]:
    """Say what a node uses that its operator did not have at ``version``; None when nothing."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version)
    except onnx.defs.SchemaError:
        return f"there is no {node.op_type} at opset {version}"
    unknown = [name for name in node.attributes if name not in schema.attributes]
    if unknown:
        return f"its attribute {', '.join(unknown)} came after opset {version}"
    if len(node.inputs) > schema.max_input or len(node.outputs) > schema.max_output:
        return f"it has more inputs or outputs than at opset {version}"
    return _find_new_type(node, schema)


def _find_new_type(node: ir.Node, schema: onnx.defs.OpSchema) -> Optional[str]:
    allowed = {item.type_param_str: set(item.allowed_type_strs) for item in schema.type_constraints}
    for values, formals in ((node.inputs, schema.inputs), (node.outputs, schema.outputs)):
        for index, value in enumerate(values):
            if value is None or value.dtype is None or not formals:
                continue
            formal = formals[min(index, len(formals) - 1)]
            names = allowed.get(formal.type_str, {formal.type_str})
            if f"tensor({_type_name(value.dtype)})" not in names:
                return f"it has no {value.dtype.name.lower()} at opset {schema.since_version}"
    return None


def _type_name(dtype: ir.DataType) -> str:
    return {"FLOAT": "float", "DOUBLE": "double"}.get(dtype.name, dtype.name.lower())
