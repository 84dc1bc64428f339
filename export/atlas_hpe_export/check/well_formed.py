"""Does a node have the inputs, outputs and attributes that ONNX says?

A node that does not is worth a finding, and it takes no part in ONNX's shape inference, which
trusts what it gets.
"""

from __future__ import annotations

from typing import Optional

import onnx

__all__ = ["find_flaw", "is_inferable"]

#: The schema of opset 11 wants all of its inputs; every exporter leaves some empty.
_MAY_SKIP = frozenset({"Resize"})
#: Inference of these (onnx 1.23) reads a type that may not be there, and the process ends.
_UNSAFE = frozenset({"EyeLike"})


def find_flaw(node: onnx.NodeProto, opset: int) -> Optional[str]:
    """What a node of ONNX's own domain has against its operator's schema.

    Args:
        node: The node.
        opset: Opset of the model.

    Returns:
        A few words, None when it follows the schema or when the opset has no such operator.
    """
    schema = _schema(node, opset)
    if schema is None:
        return None
    for kind, names, least, most in (
        ("inputs", node.input, schema.min_input, schema.max_input),
        ("outputs", node.output, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            return f"it has {len(names)} {kind}"
    if node.op_type not in _MAY_SKIP and not all(node.input[: schema.min_input]):
        return "an input that it needs is empty"
    return _find_flaw_of_attributes(node, schema)


def is_inferable(node: onnx.NodeProto, opset: int) -> bool:
    """Whether it is safe to ask ONNX for the shapes of a node's results."""
    return (
        _schema(node, opset) is not None
        and node.op_type not in _UNSAFE
        and find_flaw(node, opset) is None
    )


def _schema(node: onnx.NodeProto, opset: int) -> Optional[onnx.defs.OpSchema]:
    try:
        return onnx.defs.get_schema(node.op_type, opset, "")
    except (onnx.defs.SchemaError, TypeError, ValueError):
        return None


def _find_flaw_of_attributes(node: onnx.NodeProto, schema: onnx.defs.OpSchema) -> Optional[str]:
    given = {item.name: item for item in node.attribute}
    if len(given) != len(node.attribute):
        return "an attribute is given twice"
    for name, wanted in schema.attributes.items():
        if wanted.required and name not in given:
            return f"the attribute '{name}' is missing"
    for name, item in given.items():
        if name not in schema.attributes:
            return f"it has no attribute '{name[:40]}' at this opset"
        wanted_kind = str(schema.attributes[name].type).rpartition(".")[2]
        if onnx.AttributeProto.AttributeType.Name(item.type) != wanted_kind:
            return f"the attribute '{name}' is of another kind"
    return None
