"""What a front end is asked for, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn

__all__ = ["CAPTURE_OPSET", "Captured", "Frontend", "Request"]

#: Opset of the default domain that every front end writes: the oldest of PyTorch's newer exporter,
#: which has a form for nearly all operators; lowering takes it from there.
CAPTURE_OPSET = 18


@dataclass(frozen=True, eq=False)
class Request:
    """What a front end gets.

    Attributes:
        network: In eval mode with all of its parts; returns a tensor or a flat tuple of tensors.
        examples: Positional inputs of ``forward``; their shapes become the graph's.
        input_names: A name per input.
        output_names: A name per output.
        program: The network as ``torch.export`` keeps it, where that is what the user has.
    """

    network: nn.Module
    examples: Tuple[Tensor, ...]
    input_names: Sequence[str]
    output_names: Sequence[str]
    program: Optional[torch.export.ExportedProgram] = None


#: Writes the graph at ``CAPTURE_OPSET``, each node marked with its module (``naming.mark_module``).
Frontend = Callable[[Request], ir.Model]


@dataclass(frozen=True, eq=False)
class Captured:
    """A network as ONNX.

    Attributes:
        model: Opset ``CAPTURE_OPSET``, plus ``com.microsoft`` 1 where an Inverse is in it; inputs
            and outputs named as asked, static shapes, node names ``/<module path>/<OpType>[_n]``.
        output_names: Names of the outputs, in the order of ``forward``.
        frontend: Which one wrote it.
        reason: Why that one, in words.
        warnings: What PyTorch and the front end said, one line each.
    """

    model: onnx.ModelProto
    output_names: Tuple[str, ...]
    frontend: str
    reason: str
    warnings: Tuple[str, ...]
