"""What a file turned out to hold, ready to be captured as a graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from atlas_hpe.card import ModelCard
    from atlas_hpe.nets.spec import NetworkSpec

__all__ = ["ExportInput"]


@dataclass(frozen=True, eq=False)
class ExportInput:
    """An opened file.

    Attributes:
        kind: ``state-dict``, ``torchscript``, ``exported-program``, ``pickled-module`` or ``onnx``.
        path: The file.
        sha256: Hash of the file.
        network: The module to capture, with its weights and not frozen yet; a ``ScriptModule`` for
            TorchScript, ``program.module()`` for an exported program, None for ONNX.
        program: The exported program, None for the other kinds.
        model: The ONNX model with static inputs, None for the other kinds.
        spec: Names, preprocessing and decoding, where the architecture is one of the toolkit's or
            the factory gave a ``NetworkSpec``.
        examples: Example inputs on the CPU; none for ONNX, whose graph describes its inputs.
        input_names: Names of the inputs, in order.
        card: The card inside an ONNX file of ours.
        notes: What was found, chosen or repaired, in words.
    """

    kind: str
    path: Path
    sha256: str
    network: Optional[nn.Module] = None
    program: Optional[ExportedProgram] = None
    model: Optional[onnx.ModelProto] = None
    spec: Optional[NetworkSpec] = None
    examples: Tuple[Tensor, ...] = ()
    input_names: Tuple[str, ...] = ()
    card: Optional[ModelCard] = None
    notes: Tuple[str, ...] = ()
