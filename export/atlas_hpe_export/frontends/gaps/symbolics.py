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

__all__ = ["recall_shapes", "registered_symbolics"]

_SAME_SIZE = ("inverse", "linalg_inv")
#: Type in PyTorch's schema -> what the exporter calls it.
_DESCRIPTORS = {"int": "i", "bool": "b", "float": "f", "List[int]": "is"}


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


def recall_shapes(node: ir.Node) -> None:
    """Give the inputs of a placeholder the shapes that the tracer knew, in place.

    They come as attributes: the exporter leaves them out of the file, and ONNX does not infer what
    is computed from other shapes, such as the pieces of ``chunk``.
    """
    for index, value in enumerate(node.inputs):
        shape = node.attributes.get(f"input{index}_shape")
        if value is not None and shape is not None:
            value.shape = ir.Shape(shape.as_ints())


def _make_symbolic(name: str) -> Callable[..., object]:
    schema = overload_of(name)._schema

    def symbolic(graph: _GraphContext, *args: torch._C.Value) -> object:
        inputs: List[torch._C.Value] = []
        old = graph.original_node
        attributes: Dict[str, Number] = {}
        for argument, value, traced in zip(schema.arguments, args, old.inputs()):
            if str(argument.type) == "Tensor":
                kind = traced.type()
                if isinstance(kind, torch._C.TensorType) and kind.sizes():
                    attributes[f"input{len(inputs)}_shape_i"] = kind.sizes() or []
                inputs.append(value)
                continue
            number = _read_number(value, str(argument.type))
            if number is not None:
                suffix = "f" if isinstance(number, float) else "i"
                attributes[f"{argument.name}_{suffix}"] = number
        made = graph.op(f"{DOMAIN}::{name}", *inputs, outputs=len(schema.returns), **attributes)
        for new, traced in zip(made if isinstance(made, tuple) else (made,), old.outputs()):
            new.setType(_type_of(name, old, traced))
        return made

    return symbolic


def _type_of(name: str, node: torch._C.Node, output: torch._C.Value) -> torch._C.JitType:
    """What the tracer knew; a loaded archive knows no sizes behind an inverse, its input's hold."""
    kind = output.type()
    unsized = isinstance(kind, torch._C.TensorType) and kind.sizes() is None
    return next(iter(node.inputs())).type() if unsized and name in _SAME_SIZE else kind


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
