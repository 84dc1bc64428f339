"""The front end "torch-export": the network as ``torch.export`` sees it, translated to ONNX.

It refuses control flow that depends on the values of a tensor, where the other one would freeze the
branch that the example takes. ``torch.onnx.export`` of a module would also try ``strict=True``
after a failure, which takes twice as long to say the same; so the program is made here.
"""

from __future__ import annotations

import ast

import onnx_ir as ir
import torch

from atlas_hpe_export.frontends.captured import CAPTURE_OPSET, Request
from atlas_hpe_export.frontends.gaps import translation_table
from atlas_hpe_export.frontends.naming import mark_module
from atlas_hpe_export.frontends.outputs import FlatOutputs
from atlas_hpe_export.graph import as_ir

__all__ = ["export_program"]

_SCOPES = "pkg.torch.onnx.name_scopes"
_FUSED = "pkg.onnxscript.rewriter.rule_name"


def export_program(request: Request) -> ir.Model:
    """Write the graph; a ``Frontend``.

    Raises:
        RuntimeError: And whatever else PyTorch and ``forward`` raise on failure.
    """
    program = torch.onnx.export(
        _program_of(request),
        (),
        opset_version=CAPTURE_OPSET,
        input_names=list(request.input_names),
        output_names=list(request.output_names),
        custom_translation_table=translation_table(),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = as_ir(program.model_proto)
    wrapped = isinstance(request.network, FlatOutputs) and request.program is None
    for node in model.graph.all_nodes():
        mark_module(node, _module_path(node), wrapped)
    return model


def _program_of(request: Request) -> torch.export.ExportedProgram:
    if request.program is None:
        return torch.export.export(request.network, request.examples, strict=False)
    if request.program.range_constraints:  # it has open shapes, those of the examples are wanted
        return torch.export.export(request.program.module(), request.examples, strict=False)
    return request.program


def _module_path(node: ir.Node) -> str:
    """From the scopes of a node, ``['', 'decoder', 'decoder.up1', 'conv2d_1']``.

    The last scope is the call itself. A node that the exporter's optimiser made from several, such
    as Conv with the BatchNorm after it, has the scopes of the last one and the weights of the
    first, which is what a reader looks for.
    """
    if _FUSED in node.metadata_props:
        for value in node.inputs:
            if value is not None and value.is_initializer() and "." in (value.name or ""):
                return (value.name or "").rpartition(".")[0]
    scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))
    return str(scopes[-2]) if len(scopes) > 1 else ""
