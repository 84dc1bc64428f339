"""Placeholders in the way of ``torch.onnx.export(dynamo=False)``."""

from __future__ import annotations

import contextlib
import re
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union, cast

import onnx_ir as ir
import torch
from torch.onnx import symbolic_helper, utils
from typing_extensions import Protocol

from atlas_hpe_export.frontends.gaps.placeholder import DOMAIN, Number, overload_of
from atlas_hpe_export.frontends.gaps.table import GAPS

__all__ = ["recall_types", "registered_symbolics"]

#: Type in PyTorch's schema -> what the exporter calls it.
_DESCRIPTORS = {"int": "i", "bool": "b", "float": "f", "List[int]": "is"}
#: Name of an element type in TorchScript -> ONNX; gaps have no use for others.
_FLOATS = {
    "Half": ir.DataType.FLOAT16,
    "Float": ir.DataType.FLOAT,
    "Double": ir.DataType.DOUBLE,
}


class _GraphContext(Protocol):
    """What the exporter hands to a symbolic function."""

    original_node: torch._C.Node

    def op(
        self, name: str, *inputs: torch._C.Value, outputs: int, **attributes: Number
    ) -> Union[torch._C.Value, Tuple[torch._C.Value, ...]]: ...


@contextlib.contextmanager
def registered_symbolics(opset: int) -> Iterator[None]:
    """Hold a symbolic function per gap in PyTorch's registry, and take it out again."""
    try:
        for name in GAPS:
            utils.register_custom_op_symbolic(f"aten::{name}", _make_symbolic(name), opset)
        yield
    finally:
        for name in GAPS:
            utils.unregister_custom_op_symbolic(f"aten::{name}", opset)


def recall_types(node: ir.Node) -> None:
    """Give the values beside a placeholder the types that the tracer knew, in place.

    ONNX's inference stops at an operator that it does not know, and the exporter leaves the types
    that it knows out of the file; so they come as attributes, see ``_note_type``.
    """
    places = {f"input{index}": value for index, value in enumerate(node.inputs)}
    for place, value in {**places, "output": node.outputs[0]}.items():
        shape = node.attributes.get(f"{place}_shape")
        kind = node.attributes.get(f"{place}_type")
        if value is not None and shape is not None:
            value.shape = ir.Shape(shape.as_ints())
        if value is not None and kind is not None:
            value.type = ir.TensorType(ir.DataType(kind.as_int()))


def _make_symbolic(name: str) -> Callable[..., object]:
    schema = overload_of(name)._schema

    def symbolic(graph: _GraphContext, *args: torch._C.Value) -> object:
        inputs: List[torch._C.Value] = []
        old = graph.original_node
        attributes = _note_type("output", next(iter(old.outputs())))
        for argument, value, traced in zip(schema.arguments, args, old.inputs()):
            if str(argument.type) == "Tensor":
                attributes.update(_note_type(f"input{len(inputs)}", traced))
                inputs.append(value)
                continue
            number = _read_number(value, str(argument.type))
            if number is not None:
                kind = "f" if isinstance(number, float) else "i"
                attributes[f"{argument.name}_{kind}"] = number
        made = graph.op(f"{DOMAIN}::{name}", *inputs, outputs=len(schema.returns), **attributes)
        for new, traced in zip(made if isinstance(made, tuple) else (made,), old.outputs()):
            new.setType(traced.type())
        return made

    return symbolic


def _note_type(place: str, value: torch._C.Value) -> Dict[str, Number]:
    noted: Dict[str, Number] = {}
    kind = value.type()
    if isinstance(kind, torch._C.TensorType):
        if kind.sizes():
            noted[f"{place}_shape_i"] = list(kind.sizes() or [])
        element = _FLOATS.get(kind.scalarType() or "")
        if element is not None:
            noted[f"{place}_type_i"] = int(element)
    return noted


def _read_number(value: torch._C.Value, kind: str) -> Optional[Number]:
    """None for None and for text.

    Raises:
        torch.onnx.errors.SymbolicValueError: It is computed in the graph.
    """
    descriptor = _DESCRIPTORS.get(re.sub(r"^Optional\[(.*)\]$", r"\1", kind))
    if descriptor is None:
        return None
    number = symbolic_helper._parse_arg(value, descriptor)  # type: ignore[arg-type]
    return cast(Optional[Number], number)
