"""Placeholders: how a gap gets through both of PyTorch's exporters, and how it is filled."""

from __future__ import annotations

import contextlib
import re
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union, cast

import onnx_ir as ir
import onnxscript
import torch
from torch.onnx import symbolic_helper, utils
from typing_extensions import Protocol

from atlas_hpe.errors import CheckFailedError
from atlas_hpe_export.frontends.gaps.table import GAPS
from atlas_hpe_export.frontends.naming import copy_mark
from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    infer_shapes,
    replace_nodes,
    tidy,
)

__all__ = ["fill_gaps", "registered_symbolics", "translation_table"]

_DOMAIN = "atlas_hpe"
#: What an attribute of a placeholder can hold.
Number = Union[int, float, List[int]]
#: Type in PyTorch's schema -> what the TorchScript exporter calls it.
_DESCRIPTORS = {"int": "i", "bool": "b", "float": "f", "List[int]": "is"}
#: Name of an element type in TorchScript -> ONNX; gaps have no use for others.
_FLOATS = {
    "Half": ir.DataType.FLOAT16,
    "Float": ir.DataType.FLOAT,
    "Double": ir.DataType.DOUBLE,
}
Translation = Callable[..., Union[ir.Value, Sequence[ir.Value]]]


class _GraphContext(Protocol):
    """What the TorchScript exporter hands to a symbolic function."""

    original_node: torch._C.Node

    def op(
        self, name: str, *inputs: torch._C.Value, outputs: int, **attributes: Number
    ) -> Union[torch._C.Value, Tuple[torch._C.Value, ...]]: ...


def translation_table() -> Dict[Callable[..., object], Translation]:
    """The placeholders for ``torch.onnx.export(dynamo=True, custom_translation_table=...)``."""
    return {_overload(name): _make_translation(name) for name in GAPS}


@contextlib.contextmanager
def registered_symbolics(opset: int) -> Iterator[None]:
    """The placeholders for ``torch.onnx.export(dynamo=False)``, taken out again at the end."""
    names = [f"aten::{name}" for name in GAPS]
    try:
        for name in names:
            utils.register_custom_op_symbolic(name, _make_symbolic(name[6:]), opset)
        yield
    finally:
        for name in names:
            utils.unregister_custom_op_symbolic(name, opset)


def fill_gaps(model: ir.Model, opset: int) -> None:
    """Replace all placeholders, in place.

    Args:
        model: From either front end, its nodes marked with their modules.
        opset: Opset of the default domain.

    Raises:
        CheckFailedError: One of them can't be written with its numbers.
    """
    infer_shapes(model)
    model.graph.opset_imports["com.microsoft"] = 1
    outcome = replace_nodes(model, _fill, opset)
    while outcome.refusals and outcome.count:  # what one of them gives, the next may need to know
        infer_shapes(model)
        outcome = replace_nodes(model, _fill, opset)
    if outcome.refusals:
        raise CheckFailedError(
            "an operator can't be written to ONNX as the network uses it",
            why="; ".join(outcome.refusals),
            fix="use other numbers, or write it with other operators",
        )
    tidy(model)


def _fill(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.domain != _DOMAIN:
        return None
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return Refusal("only its first output can be written")
    _recall_types(node)
    try:
        value = GAPS[node.op_type](node, builder)
    except ValueError as error:
        return Refusal(str(error))
    if isinstance(value, Refusal):
        return value
    for new in builder.nodes:
        copy_mark(node, new)
    return [value] * len(node.outputs)


def _make_translation(name: str) -> Translation:
    schema = _overload(name)._schema

    def translate(*args: object, **kwargs: object) -> Union[ir.Value, Sequence[ir.Value]]:
        inputs: List[Optional[ir.Value]] = []
        numbers: Dict[str, Number] = {}
        given = {**dict(zip((item.name for item in schema.arguments), args)), **kwargs}
        for argument in schema.arguments:
            value = given.get(argument.name)
            if str(argument.type) == "Tensor":
                inputs.append(cast(ir.Value, value))
            elif isinstance(value, (int, float, list)):
                numbers[argument.name] = value
        node = ir.node(name, inputs, numbers, domain=_DOMAIN, num_outputs=len(schema.returns))
        # The exporter collects here the nodes that stand for the operator it is translating.
        onnxscript.evaluator.default().nodes.append(node)  # type: ignore[attr-defined]
        return node.outputs[0] if len(node.outputs) == 1 else node.outputs

    return translate


def _make_symbolic(name: str) -> Callable[..., object]:
    schema = _overload(name)._schema

    def symbolic(graph: _GraphContext, *args: torch._C.Value) -> object:
        inputs: List[torch._C.Value] = []
        numbers: Dict[str, Number] = {}
        old = graph.original_node
        numbers.update(_note_type("output", next(iter(old.outputs()))))
        for argument, value, traced in zip(schema.arguments, args, old.inputs()):
            if str(argument.type) == "Tensor":
                numbers.update(_note_type(f"input{len(inputs)}", traced))
                inputs.append(value)
                continue
            number = _read_number(value, str(argument.type))
            if number is not None:
                kind = "f" if isinstance(number, float) else "i"
                numbers[f"{argument.name}_{kind}"] = number
        made = graph.op(f"{_DOMAIN}::{name}", *inputs, outputs=len(schema.returns), **numbers)
        outputs = made if isinstance(made, tuple) else (made,)
        for new, traced in zip(outputs, old.outputs()):
            new.setType(traced.type())
        return made

    return symbolic


def _note_type(place: str, value: torch._C.Value) -> Dict[str, Number]:
    """Shape and element type for ``_recall_types``.

    ONNX's inference stops at an operator that it does not know, and the TorchScript exporter leaves
    the types that it knows out of the file.
    """
    noted: Dict[str, Number] = {}
    kind = value.type()
    if isinstance(kind, torch._C.TensorType):
        if kind.sizes():
            noted[f"{place}_shape_i"] = list(kind.sizes() or [])
        element = _FLOATS.get(kind.scalarType() or "")
        if element is not None:
            noted[f"{place}_type_i"] = int(element)
    return noted


def _recall_types(node: ir.Node) -> None:
    """Put back what ``_note_type`` noted, where nothing else is known."""
    places = {f"input{index}": value for index, value in enumerate(node.inputs)}
    for place, value in {**places, "output": node.outputs[0]}.items():
        if value is None:
            continue
        shape = attribute_of(node, f"{place}_shape", None)
        kind = attribute_of(node, f"{place}_type", None)
        if value.shape is None and shape is not None:
            value.shape = ir.Shape(shape)
        if value.type is None and kind is not None:
            value.type = ir.TensorType(ir.DataType(kind))


def _read_number(value: torch._C.Value, kind: str) -> Optional[Number]:
    """None for None, for text, and for a size that the tracer computes from another shape."""
    descriptor = _DESCRIPTORS.get(re.sub(r"^Optional\[(.*)\]$", r"\1", kind))
    if descriptor is None:
        return None
    try:
        return cast(Optional[Number], symbolic_helper._parse_arg(value, descriptor))  # type: ignore[arg-type]
    except torch.onnx.errors.SymbolicValueError:
        return None


def _overload(name: str) -> torch._ops.OpOverload:
    return cast(torch._ops.OpOverload, getattr(torch.ops.aten, name).default)
