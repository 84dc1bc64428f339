"""The door: one function for every kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence, Union

from atlas_hpe.errors import CheckpointError
from atlas_hpe.files import check_readable
from atlas_hpe_export.inputs.export_input import ExportInput
from atlas_hpe_export.inputs.exported_program import open_exported_program
from atlas_hpe_export.inputs.input_shapes import parse_input_shapes
from atlas_hpe_export.inputs.kinds import Kind, find_kind
from atlas_hpe_export.inputs.onnx_model import open_onnx
from atlas_hpe_export.inputs.options import InputOptions
from atlas_hpe_export.inputs.state_dict import open_weights
from atlas_hpe_export.inputs.torchscript import open_torchscript

__all__ = ["open_input"]


def open_input(
    path: Union[str, Path],
    *,
    arch: Optional[str] = None,
    factory: Optional[str] = None,
    input_shapes: Sequence[str] = (),
    trust_pickle: bool = False,
) -> ExportInput:
    """Open whatever an export can start from; its content says what it is, not its name.

    Args:
        path: Weights (``torch.save``, .safetensors), a TorchScript archive, an exported program
            (.pt2), a pickled module, or an ONNX model.
        arch: Network of the toolkit that the weights belong to; None to recognise it.
        factory: ``package.module:function`` that builds the network of the weights; found from the
            working directory, as with ``python -m``.
        input_shapes: ``1,3,256,256`` or ``name:1,3,256,256`` for each input, where neither the file
            nor a specification says it.
        trust_pickle: Run the code that a pickled file holds. Such a file can do all that a program
            started by the user can do. Never needed for plain weights.

    Raises:
        CheckpointError: The file is damaged, unsafe, too large, of no known kind, or its weights
            fit no network.
        ModelFileError: The same of an ONNX model.
        UsageError: Options that do not fit the file or each other.
        InputError: The file can't be read.
        MissingExtraError: A library is missing or too old to open files of others.
    """
    path = check_readable(path)
    options = InputOptions(arch, factory, parse_input_shapes(input_shapes), trust_pickle)
    kind = find_kind(path)
    if kind in (Kind.TORCH_ZIP, Kind.LEGACY_PICKLE, Kind.SAFETENSORS):
        return open_weights(path, kind, options)
    if kind is Kind.TORCHSCRIPT:
        return open_torchscript(path, options)
    if kind is Kind.EXPORTED_PROGRAM:
        return open_exported_program(path, options)
    if kind is Kind.OLD_EXPORTED_PROGRAM:
        raise CheckpointError(
            "the exported program is in the form of PyTorch before 2.8, which is pickled",
            where=path,
            fix="load it with the PyTorch that wrote it, and save it again with PyTorch 2.10 or "
            "later: torch.export.save(program, 'model.pt2')",
        )
    if kind is Kind.OTHER_ZIP:
        raise CheckpointError(
            "the file is a zip archive of another kind",
            where=path,
            why="it holds neither data.pkl (torch.save) nor code (TorchScript) nor models "
            "(torch.export)",
            fix="unpack it if the model is inside it",
        )
    return open_onnx(path, options)
