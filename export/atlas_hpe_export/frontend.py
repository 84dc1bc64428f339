"""PyTorch module -> ONNX bytes, through the one exporter that gives a true opset 11.

``torch.onnx.export`` without ``dynamo=False`` builds opset 18, fails to convert it down and keeps
the 18 with nothing but a log line (networks.md section 1); so the exporter is chosen here, and the
opset is read back from the bytes.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

import onnx
import torch
from torch import Tensor, nn

from atlas_hpe.errors import CheckFailedError, UsageError

__all__ = ["Traced", "trace_to_onnx"]

#: Operator in an exporter's refusal -> what to write in its place (networks.md section 1).
_ADVICE: Dict[str, str] = {
    "einsum": "write the sum as matmul and transpose",
    "grid_sampler": "move the sampling to the host, or write it as gather arithmetic",
    "grid_sample": "move the sampling to the host, or write it as gather arithmetic",
    "inverse": "use a closed form, or compute it on the host",
    "linalg_inv": "use a closed form, or compute it on the host",
    "col2im": "use reshape and permute",
    "scaled_dot_product_attention": "write matmul, scale, softmax, matmul",
    "unflatten": "use reshape with fixed sizes (nn.MultiheadAttention: write your own attention)",
    "adaptive_avg_pool2d": "use avg_pool2d with a fixed kernel",
}
# What a forward pass and the tracer raise; anything else is a fault of ours and may show itself.
_TRACE_ERRORS = (
    RuntimeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
)


@dataclass(frozen=True, eq=False)
class Traced:
    """What the exporter wrote.

    Attributes:
        model: The graph, read back from the exporter's bytes.
        output_names: Names of the outputs, in the order of ``forward``.
        warnings: What the exporter said, one line each.
    """

    model: onnx.ModelProto
    output_names: Tuple[str, ...]
    warnings: Tuple[str, ...]


def trace_to_onnx(
    module: nn.Module,
    example_inputs: Sequence[Tensor],
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    opset: int,
) -> Traced:
    """Trace a frozen module with fixed shapes.

    Args:
        module: In eval mode with all of its parts, see ``freeze``.
        example_inputs: Positional inputs of ``forward``.
        input_names: A name per input.
        output_names: A name per output; empty for ``output``, or ``output_0``, ``output_1``.
        opset: Opset of the default domain.

    Raises:
        UsageError: ``forward`` returns something other than tensors, or another number of them.
        CheckFailedError: An operator has no form in the opset, ``forward`` fails, the exporter
            changed the module, or the file has another opset.
    """
    before = {name: value.clone() for name, value in module.state_dict().items()}
    try:
        with warnings.catch_warnings(record=True) as caught, torch.no_grad(), _quiet_exporter():
            warnings.simplefilter("always")
            names = _name_outputs(module(*example_inputs), output_names)
            data = _export_bytes(module, example_inputs, input_names, names, opset)
    except _TRACE_ERRORS as error:
        raise _explain(error, opset) from error
    _check_unchanged(module, before)
    model = onnx.load_model_from_string(data)
    _check_opset(model, opset)
    return Traced(model, names, _readable(caught))


def _export_bytes(
    module: nn.Module,
    example_inputs: Sequence[Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    opset: int,
) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traced.onnx"
        torch.onnx.export(
            module,
            tuple(example_inputs),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=list(input_names),
            output_names=list(output_names),
            training=torch.onnx.TrainingMode.EVAL,
        )
        return path.read_bytes()


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's dump of a failed graph off stdout, which belongs to ``--json``.

    torch 2.13 switches the dump on for every export and has no public way to switch it off.
    """
    name = "_jit_onnx_log"
    log = getattr(torch._C, name, None)
    if log is None:
        yield
        return
    setattr(torch._C, name, lambda *_parts: None)
    try:
        yield
    finally:
        setattr(torch._C, name, log)


def _name_outputs(outputs: object, names: Sequence[str]) -> Tuple[str, ...]:
    found = [outputs] if isinstance(outputs, Tensor) else outputs
    if not isinstance(found, (list, tuple)) or not all(isinstance(o, Tensor) for o in found):
        raise UsageError(
            "the network must return a tensor or a tuple of tensors",
            why=f"forward returned a {type(outputs).__name__}",
            fix="wrap it in a module that returns a tuple",
        )
    if not names:
        return ("output",) if len(found) == 1 else tuple(f"output_{i}" for i in range(len(found)))
    if len(names) != len(found):
        raise UsageError(
            f"the network returns {len(found)} outputs, {len(names)} are named",
            why="names: " + ", ".join(names),
            fix="name each output of forward",
        )
    return tuple(names)


def _explain(error: Exception, opset: int) -> CheckFailedError:
    text = str(error).strip()
    operator = re.search(r"'?aten::(\w+)'?", text)
    name = operator.group(1).lstrip("_") if operator else ""
    why = (text.splitlines() or [type(error).__name__])[0]
    if name and "opset" in text:
        what = f"the operator '{name}' has no form in opset {opset}"
    else:
        what = "PyTorch's exporter failed on the network"
    return CheckFailedError(what, why=why, fix=_ADVICE.get(name))


def _check_unchanged(module: nn.Module, before: Dict[str, Tensor]) -> None:
    """The exporter restores modes with ``train(True)`` in some cases (networks.md section 1)."""
    training = [
        name or "the module itself" for name, part in module.named_modules() if part.training
    ]
    after = module.state_dict()
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    if training or changed:
        what = "put back in training mode" if training else "changed"
        raise CheckFailedError(
            "the exporter changed the network while it read it",
            where=", ".join((training or changed)[:3]),
            why=f"{len(training or changed)} parts were {what}",
            fix="make forward free of side effects, and report this if it is",
        )


def _check_opset(model: onnx.ModelProto, opset: int) -> None:
    found = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if found.get("ai.onnx") != opset:
        raise CheckFailedError(
            f"the exporter did not write opset {opset}",
            why=f"the file has {found}",
            fix="use a torch release whose torch.onnx.export takes dynamo=False",
        )


def _readable(caught: List[warnings.WarningMessage]) -> Tuple[str, ...]:
    """First lines, without repeats and without the notice that this exporter is the older one."""
    lines: List[str] = []
    for item in caught:
        line = (str(item.message).strip().splitlines() or [""])[0]
        if not issubclass(item.category, DeprecationWarning) and line not in lines:
            lines.append(line)
    return tuple(lines)
