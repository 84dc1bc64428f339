"""Placeholders in the way of ``torch.onnx.export(dynamo=True)``."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence, Union, cast

import onnx_ir as ir
import onnxscript

from atlas_hpe_export.frontends.gaps.placeholder import DOMAIN, Number, overload_of
from atlas_hpe_export.frontends.gaps.table import GAPS

__all__ = ["translation_table"]

Translation = Callable[..., Union[ir.Value, Sequence[ir.Value]]]


def translation_table() -> Dict[Callable[..., object], Translation]:
    """What ``custom_translation_table`` takes: a translation to a placeholder per gap."""
    return {overload_of(name): _make_translation(name) for name in GAPS}


def _make_translation(name: str) -> Translation:
    schema = overload_of(name)._schema

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
        node = ir.node(name, inputs, numbers, domain=DOMAIN, num_outputs=len(schema.returns))
        # The exporter collects here the nodes that stand for the operator it is translating.
        onnxscript.evaluator.default().nodes.append(node)  # type: ignore[attr-defined]
        return node.outputs[0] if len(node.outputs) == 1 else node.outputs

    return translate
