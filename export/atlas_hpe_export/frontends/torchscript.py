"""The front end "torchscript": the operators that one run of the network calls, one by one.

Branches and loops come out as the example took them; PyTorch says so in its warnings.
"""

from __future__ import annotations

import contextlib
import io
import re
from typing import Iterator, Sequence, cast

import onnx
import onnx_ir as ir
import torch
from torch import nn

from atlas_hpe_export.frontends.captured import CAPTURE_OPSET, Request
from atlas_hpe_export.frontends.gaps import registered_symbolics
from atlas_hpe_export.frontends.naming import mark_module
from atlas_hpe_export.frontends.outputs import FlatOutputs
from atlas_hpe_export.graph import as_ir

__all__ = ["export_trace"]


def export_trace(request: Request) -> ir.Model:
    """Write the graph; a ``Frontend``.

    Raises:
        RuntimeError: And whatever else PyTorch and ``forward`` raise on failure.
    """
    data = io.BytesIO()
    network = _traceable(request)
    with registered_symbolics(CAPTURE_OPSET), _plain_attention(), _fixed_mode(network):
        torch.onnx.export(
            network,
            request.examples,
            data,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=CAPTURE_OPSET,
            input_names=list(request.input_names),
            output_names=list(request.output_names),
            training=torch.onnx.TrainingMode.EVAL,
        )
    model = as_ir(onnx.load_model_from_string(data.getvalue()))
    wrapped = isinstance(request.network, FlatOutputs)
    modules = [name for name, _ in request.network.named_modules(remove_duplicate=False)]
    for node in model.graph.all_nodes():
        mark_module(node, _module_path(node.name or "", modules), wrapped)
    return model


def _traceable(request: Request) -> nn.Module:
    """A scripted module inside a plain one has to be traced before the exporter takes it."""
    network = request.network
    if isinstance(network, FlatOutputs) and isinstance(network.network, torch.jit.ScriptModule):
        return cast(nn.Module, torch.jit.trace(network, request.examples, check_trace=False))  # type: ignore[no-untyped-call]
    return network


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Without the fused kernels of nn.MultiheadAttention, which are one operator without a form."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextlib.contextmanager
def _fixed_mode(network: nn.Module) -> Iterator[None]:
    """Without the call of ``train(False)`` by the exporter: everything is in eval mode already.

    The ``train`` of a module may do anything, and that of a program of torch.export raises.
    """
    own = vars(network)
    train = own.get("train")
    own["train"] = lambda _mode=True: network
    try:
        yield
    finally:
        del own["train"]
        if train is not None:
            own["train"] = train


def _module_path(name: str, modules: Sequence[str]) -> str:
    """From a name such as ``/decoder/decoder.0/conv_1/Conv``.

    The last part is the operator. The exporter repeats the name of a Sequential before its child,
    counts the calls of a module, and leaves out the containers that are not called themselves. A
    name that does not begin with a slash was made by the exporter.
    """
    path = ""
    if name.startswith("/"):
        for part in name.strip("/").split("/")[:-1]:
            path = _find_child(path, part, modules)
    return path


def _find_child(path: str, part: str, modules: Sequence[str]) -> str:
    start = f"{path}." if path else ""
    for child in (part, re.sub(r"_\d+$", "", part)):
        for found in (start + child, start + child.rpartition(".")[2]):
            if found in modules:
                return found
        below = [name for name in modules if name.startswith(start) and name.endswith(f".{child}")]
        if len(below) == 1:
            return below[0]
    return start + child
