"""What ONNX itself says about an operator's form at an opset."""

from __future__ import annotations

from typing import Collection, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import onnx
import onnx_ir as ir

__all__ = ["find_idle_attributes", "find_news", "is_changed"]

_VARIADIC = onnx.defs.OpSchema.FormalParameterOption.Variadic
Formal = onnx.defs.OpSchema.FormalParameter


def is_changed(op_type: str, version: int) -> bool:
    """Whether the operator came or changed with this opset."""
    try:
        return bool(onnx.defs.get_schema(op_type, version).since_version == version)
    except onnx.defs.SchemaError:
        return True


def find_idle_attributes(node: ir.Node, version: int) -> List[str]:
    """Attributes that came after ``version`` and ask for nothing new: they hold their defaults.

    Dilations have no default in the specification; those of one everywhere count as idle.
    """
    newer = onnx.defs.get_schema(node.op_type, version + 1).attributes
    older = _get_schema(node.op_type, version)
    known = set() if older is None else set(older.attributes)
    return [
        name
        for name, attribute in node.attributes.items()
        if name in newer and name not in known and _is_idle(attribute, newer[name].default_value)
    ]


def _is_idle(attribute: ir.Attr, default: onnx.AttributeProto) -> bool:
    if attribute.name == "dilations":
        return set(attribute.as_ints()) == {1}
    return bool(attribute.value == ir.serde.deserialize_attribute(default).value)


def find_news(node: ir.Node, version: int, ignored: Collection[str] = ()) -> Optional[str]:
    """Say what a node uses that its operator did not have at ``version``; None when nothing.

    Args:
        node: A node of the default domain.
        version: Opset that it should be valid at.
        ignored: Attributes not to look at.
    """
    schema = _get_schema(node.op_type, version)
    if schema is None or schema.deprecated:
        return f"there is no {node.op_type} at opset {version}"
    unknown = [name for name in node.attributes if name not in {*schema.attributes, *ignored}]
    if unknown:
        return f"its attribute {', '.join(unknown)} came after opset {version}"
    if _count(node.inputs) > schema.max_input or _count(node.outputs) > schema.max_output:
        return f"it has more inputs or outputs than at opset {version}"
    return _find_new_type(node, schema, version)


def _get_schema(op_type: str, version: int) -> Optional[onnx.defs.OpSchema]:
    try:
        return onnx.defs.get_schema(op_type, version)
    except onnx.defs.SchemaError:
        return None


def _count(values: Sequence[Optional[ir.Value]]) -> int:
    """Number of values up to the last that is there."""
    present = [index for index, value in enumerate(values) if value is not None and value.name]
    return present[-1] + 1 if present else 0


def _find_new_type(node: ir.Node, schema: onnx.defs.OpSchema, version: int) -> Optional[str]:
    allowed = {item.type_param_str: set(item.allowed_type_strs) for item in schema.type_constraints}
    seen: Dict[str, Set[str]] = {}
    for value, formal in _typed(node, schema):
        name = _type_name(value.type)
        if name not in allowed.get(formal.type_str, {formal.type_str}):
            return f"it has no {_plain(name)} at opset {version}"
        if formal.option != _VARIADIC or formal.is_homogeneous:
            seen.setdefault(formal.type_str, set()).add(name)
    for names in seen.values():
        if len(names) > 1:
            mixed = " with ".join(sorted(map(_plain, names)))
            return f"it takes one element type at opset {version}, not {mixed}"
    return None


def _typed(node: ir.Node, schema: onnx.defs.OpSchema) -> Iterator[Tuple[ir.Value, Formal]]:
    """Inputs and outputs whose type is known, each with what the schema says about it."""
    for values, formals in ((node.inputs, schema.inputs), (node.outputs, schema.outputs)):
        for index, value in enumerate(values):
            if value is not None and value.type is not None and formals:
                yield value, formals[min(index, len(formals) - 1)]


def _type_name(kind: Optional[ir.TypeProtocol]) -> str:
    """A type as schemas write it: ``tensor(float)``, ``seq(tensor(int64))``."""
    if isinstance(kind, ir.SequenceType):
        return f"seq({_type_name(kind.elem_type)})"
    if isinstance(kind, ir.OptionalType):
        return f"optional({_type_name(kind.elem_type)})"
    return f"tensor({kind.dtype.name.lower()})" if isinstance(kind, ir.TensorType) else "?"


def _plain(name: str) -> str:
    return name[len("tensor(") : -1] if name.startswith("tensor(") else name
