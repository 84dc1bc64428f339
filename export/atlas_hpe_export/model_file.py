"""The one door for ONNX files of unknown origin: what every command opens comes through here."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple, Union

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from atlas_hpe.errors import MissingExtraError, ModelFileError
from atlas_hpe.files import check_readable, read_bytes
from atlas_hpe.floors import is_too_old, least_version
from atlas_hpe.onnx_file import OnnxSummary, read_onnx_summary
from atlas_hpe_export.onnx_bounds import MAX_MODEL_BYTES, check_functions, load_external_data
from atlas_hpe_export.wording import first_line

__all__ = ["load_onnx", "read_tensor"]


def load_onnx(path: Union[str, Path]) -> Tuple[OnnxSummary, onnx.ModelProto]:
    """Read a model with all of its weights, wherever they lie.

    This project's own reader goes first: it refuses damage, graphs nested without end and weights
    from outside the file's folder. Whether the graph makes sense is not looked at.

    Returns:
        What the file says about itself, and the model.

    Raises:
        InputError: The file can't be read.
        ModelFileError: Not an ONNX file, damaged, unsafe, or too large.
        MissingExtraError: The onnx package is too old to open files of others.
    """
    path = check_readable(path)
    _check_size(path)
    summary = read_onnx_summary(path)
    if is_too_old("onnx", onnx.__version__):
        floor = least_version("onnx")
        raise MissingExtraError(
            f"onnx {onnx.__version__} is too old to open models safely",
            why=f"known holes in reading weights from other files were closed in {floor}",
            fix=f"pip install 'onnx>={floor}'",
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(read_bytes(path))
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            "the file is not an ONNX model, or it is damaged",
            where=path,
            why=first_line(error),
            fix="export or copy the model again",
        ) from error
    check_functions(path, model)
    load_external_data(path, model)
    return summary, model


def read_tensor(tensor: onnx.TensorProto) -> np.ndarray:
    """The values of a tensor that is in memory.

    Raises:
        ModelFileError: It does not hold the values that its shape and type ask for.
    """
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ModelFileError(
            f"the constant '{tensor.name[:80]}' of the model is damaged",
            why=first_line(error)[:200],
            fix="export or copy the model again",
        ) from error


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_MODEL_BYTES:
        raise ModelFileError(
            "the model is larger than an ONNX file can be",
            where=path,
            why=f"it has {size} bytes, {MAX_MODEL_BYTES} are allowed",
            fix="keep the weights in files beside it: onnx.save(..., save_as_external_data=True)",
        )
