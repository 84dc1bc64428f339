"""From a network to ONNX at one opset, through the front end that does it right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, List, Mapping, Optional, Sequence, Tuple, Union

import onnx
import onnx_ir as ir
import torch
from onnx_ir.passes import common
from torch import Tensor, nn

from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe_export.frontends.captured import CAPTURE_OPSET, Captured, Frontend, Request
from atlas_hpe_export.frontends.explain import CAPTURE_ERRORS, explain
from atlas_hpe_export.frontends.gaps import fill_gaps
from atlas_hpe_export.frontends.naming import name_nodes, strip_origins
from atlas_hpe_export.frontends.outputs import FlatOutputs, is_flat, name_outputs
from atlas_hpe_export.frontends.quiet import quiet, readable
from atlas_hpe_export.frontends.torch_export import export_program
from atlas_hpe_export.frontends.torchscript import export_trace
from atlas_hpe_export.frontends.unchanged import unchanged
from atlas_hpe_export.graph import as_proto

__all__ = ["FRONTENDS", "Verify", "capture"]

#: In the order in which they are tried. Another one is a file with a ``Frontend`` and a line here.
FRONTENDS: Mapping[str, Frontend] = {
    "torch-export": export_program,
    "torchscript": export_trace,
}
_AUTO = "auto"
#: None for a good graph, else what is wrong with it.
Verify = Callable[[onnx.ModelProto], Optional[str]]


@dataclass(frozen=True)
class _Failure:
    frontend: str
    reason: str
    fix: Optional[str]


def capture(
    network: nn.Module,
    examples: Sequence[Tensor],
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    frontend: str = _AUTO,
    program: Optional[torch.export.ExportedProgram] = None,
    verify: Optional[Verify] = None,
) -> Captured:
    """Write a network as ONNX with fixed shapes; the network stays as it is.

    Args:
        network: Read in eval mode, whatever mode its parts are in. It may return a tensor, or
            tensors in tuples, lists, dictionaries and dataclasses, also nested.
        examples: Positional inputs of ``forward``; their shapes become the graph's.
        input_names: A name per input.
        output_names: A name per output; empty for names made from keys, fields and positions.
        frontend: One of ``FRONTENDS``; "auto" for the first that succeeds and is verified.
        program: The same network as ``torch.export`` keeps it, where the user has that.
        verify: Compares a graph with the network; None to take what a front end gives.

    Raises:
        UsageError: An unknown front end, one that can't take the network, or outputs that are no
            tensors or have other names.
        CheckFailedError: ``forward`` fails, changes the network, or no front end can write it.
    """
    order = _choose_order(network, frontend)
    if len(input_names) != len(examples):
        raise UsageError(f"there are {len(examples)} inputs, {len(input_names)} are named")
    inputs = tuple(item.detach() for item in examples)
    outputs = _run(network, inputs)
    names = name_outputs(outputs, output_names, input_names)
    flat = network if is_flat(outputs) else FlatOutputs(network)
    request = Request(flat, inputs, tuple(input_names), names, program)
    failures: List[_Failure] = []
    for name in order:
        outcome = _attempt(name, request, verify)
        if isinstance(outcome, Captured):
            verified = verify is not None
            reason = _describe_choice(name, network, frontend, failures, verified)
            return replace(outcome, reason=reason)
        failures.append(outcome)
    raise _describe_failures(failures)


def _choose_order(network: nn.Module, frontend: str) -> Tuple[str, ...]:
    if frontend != _AUTO and frontend not in FRONTENDS:
        raise UsageError(
            f"there is no front end '{frontend}'", fix="use " + ", ".join((_AUTO, *FRONTENDS))
        )
    if isinstance(network, torch.jit.ScriptModule):
        if frontend not in (_AUTO, "torchscript"):
            raise UsageError(
                f"a TorchScript file can't go through the front end '{frontend}'",
                why="it holds no Python code that could be read again",
                fix="use torchscript, or export from the Python module",
            )
        return ("torchscript",)
    return tuple(FRONTENDS) if frontend == _AUTO else (frontend,)


def _run(network: nn.Module, inputs: Tuple[Tensor, ...]) -> object:
    try:
        with unchanged(network), quiet(), torch.no_grad():
            return network(*inputs)
    except CAPTURE_ERRORS as error:
        raise CheckFailedError(
            "the network fails on the example inputs",
            why=explain(error)[0],
            fix="check the shapes and types of the inputs",
        ) from error


def _attempt(name: str, request: Request, verify: Optional[Verify]) -> Union[Captured, _Failure]:
    try:
        with unchanged(request.network), quiet() as caught, torch.no_grad():
            model = FRONTENDS[name](request)
            fill_gaps(model, CAPTURE_OPSET)
            proto, unused = _finish(model, request)
    except CheckFailedError as error:
        return _Failure(name, "; ".join(filter(None, (error.what, error.why))), error.fix)
    except CAPTURE_ERRORS as error:
        return _Failure(name, *explain(error))
    wrong = verify(proto) if verify is not None else None
    if wrong:
        return _Failure(name, f"its graph does not say what the network says: {wrong}", None)
    said = (*readable(caught), *(f"the network does not use its input '{item}'" for item in unused))
    return Captured(proto, tuple(request.output_names), name, "", said)


def _finish(model: ir.Model, request: Request) -> Tuple[onnx.ModelProto, Tuple[str, ...]]:
    """The graph in the form that was promised, and the inputs that nothing reads."""
    _drop_identities(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    name_nodes(model)
    unused = _declare_inputs(model.graph, request)
    opset = model.graph.opset_imports.get("")
    if opset != CAPTURE_OPSET:
        raise CheckFailedError(f"it wrote opset {opset}, not {CAPTURE_OPSET}")
    outputs = [value.name for value in model.graph.outputs]
    if outputs != list(request.output_names):
        raise CheckFailedError(f"it wrote the outputs {outputs}")
    for value in model.graph.outputs:
        if value.shape is None or not value.shape.is_static():
            raise CheckFailedError(
                f"output '{value.name}' has no fixed size in its graph, {value.shape}",
                fix="the board needs fixed sizes: use topk, or torch.where in place of a mask",
            )
    proto = as_proto(model)
    strip_origins(proto)
    return proto, unused


def _drop_identities(model: ir.Model) -> None:
    """Those that stand for a weight that equals another one; an output keeps its own.

    The pass of onnx_ir gives two outputs with one value the same name.
    """
    for node in list(model.graph.all_nodes()):
        source = node.inputs[0] if node.op_type == "Identity" else None
        if source is not None and not node.outputs[0].is_graph_output() and node.graph is not None:
            node.outputs[0].replace_all_uses_with(source)
            node.graph.remove(node, safe=True)


def _declare_inputs(graph: ir.Graph, request: Request) -> Tuple[str, ...]:
    """TorchScript drops an input that is not used; who feeds the graph gives it all the same."""
    found = {value.name: value for value in graph.inputs}
    inputs = [
        found.get(name)
        or ir.Value(
            name=name,
            shape=ir.Shape(example.shape),
            type=ir.TensorType(ir.DataType.from_numpy(example.cpu().numpy().dtype)),
        )
        for name, example in zip(request.input_names, request.examples)
    ]
    graph.inputs[:] = inputs
    return tuple(
        value.name or "" for value in inputs if not value.uses() and not value.is_graph_output()
    )


def _describe_choice(
    name: str, network: nn.Module, frontend: str, failures: Sequence[_Failure], verified: bool
) -> str:
    end = " and verified" if verified else ""
    if failures:
        failed = "; ".join(f"{item.frontend} failed: {item.reason}" for item in failures)
        return f"{failed}; {name} was tried next{end}"
    if frontend != _AUTO:
        return "asked for"
    if isinstance(network, torch.jit.ScriptModule):
        return "the only one for a TorchScript file" + end
    return "tried first" + end


def _describe_failures(failures: Sequence[_Failure]) -> CheckFailedError:
    fixes = list(dict.fromkeys(item.fix for item in failures if item.fix))
    if len(failures) == 1:
        what = f"the front end '{failures[0].frontend}' can't write the network"
        why = failures[0].reason
    else:
        what = "no front end can write the network"
        why = "; ".join(f"{item.frontend}: {item.reason}" for item in failures)
    return CheckFailedError(what, why=why, fix="; ".join(fixes) or None)
