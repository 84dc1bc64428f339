"""What a check is about: a file, or a model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple, Union

import onnx

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export.model_file import load_onnx

__all__ = ["OpenedModel", "open_model"]


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A model in memory.

    Attributes:
        name: Path, or what stands for it.
        proto: The model; weights from other files are inside.
        external_files: Files beside it that held weights.
    """

    name: str
    proto: onnx.ModelProto
    external_files: Tuple[str, ...] = ()


def open_model(source: Union[str, Path, onnx.ModelProto]) -> OpenedModel:
    """Open a file, or take a model that is in memory.

    Raises:
        InputError: The file can't be read.
        ModelFileError: Not an ONNX file, damaged, unsafe, or without a graph.
        MissingExtraError: The onnx package is too old to open files of others.
    """
    if isinstance(source, onnx.ModelProto):
        if not source.HasField("graph"):
            raise ModelFileError("the model holds no graph")
        return OpenedModel(source.graph.name or "the model", source)
    summary, proto = load_onnx(source)
    return OpenedModel(str(Path(source)), proto, summary.external_files)
