"""Opening an ONNX file of unknown origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple, Union

import onnx
from google.protobuf.message import DecodeError

from atlas_hpe.errors import MissingExtraError, ModelFileError
from atlas_hpe.floors import is_too_old, least_version
from atlas_hpe.onnx_file import read_onnx_summary

__all__ = ["OpenedModel", "open_model"]

_FAILURES = (DecodeError, OSError, ValueError, TypeError, RuntimeError)


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

    A file is first read by this project's own reader, which refuses damage, graphs nested without
    end and weights from outside the file's folder.

    Raises:
        InputError: The file can't be read.
        ModelFileError: Not an ONNX file, damaged, or unsafe.
        MissingExtraError: The onnx package is too old to open files of others.
    """
    if isinstance(source, onnx.ModelProto):
        if not source.HasField("graph"):
            raise ModelFileError("the model holds no graph")
        return OpenedModel(source.graph.name or "the model", source)
    path = Path(source)
    if is_too_old("onnx", onnx.__version__):
        raise MissingExtraError(
            f"onnx {onnx.__version__} is not safe to open files with",
            why=f"releases before {least_version('onnx')} have known holes",
            fix="pip install --upgrade 'atlas-hpe[export]'",
        )
    summary = read_onnx_summary(path)
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except _FAILURES as error:
        raise ModelFileError(
            "the onnx package can't read the file",
            where=path,
            why=(str(error).strip().splitlines() or [type(error).__name__])[0],
            fix="export or copy the model again",
        ) from error
    if summary.external_files:
        from atlas_hpe_export.inputs.onnx_bounds import load_external_data

        load_external_data(path, proto)
    return OpenedModel(str(path), proto, summary.external_files)
